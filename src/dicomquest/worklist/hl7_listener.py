"""The MLLP listener: orders come by HL7, and are answered once they are stored (HL7 2.5.1 C.4)."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import ssl
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hl7.mllp import start_hl7_server

from dicomquest.escaping import escaped
from dicomquest.worklist.hl7_limits import Hl7Limits
from dicomquest.worklist.hl7_orders import Answered

if TYPE_CHECKING:
    from hl7.mllp import HL7StreamReader, HL7StreamWriter

LOGGER = logging.getLogger("dicomquest.hl7")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


_BEYOND = {
    "connections": "there are too many at a time, and one was silent the longest",
    "message_seconds": "the message did not come, or its answer did not go, in time",
    "message_bytes": "the message is too long",
    "idle_seconds": "it said nothing for long",
}


class Hl7Listener:
    """Takes messages in the event loop that starts it; a thread stores them, one by one."""

    def __init__(
        self,
        answer: Callable[[bytes, str], Answered],
        *,
        senders: Sequence[Network] = (),
        limits: Hl7Limits | None = None,
        limit_reached: Callable[[str, str], None] = lambda _limit, _address: None,
    ) -> None:
        """Answer messages, given with the address that sent them.

        ``senders`` are the networks that may send; all may without one. ``limit_reached`` is told
        the name of a limit, a field of Hl7Limits, and the address that reached it.
        """
        self._answer = answer
        self._senders = tuple(senders)
        self._limits = limits or Hl7Limits()
        self._limit_reached = limit_reached
        self._server: asyncio.Server | None = None
        # Connections, the one that spoke last at the end.
        self._open: dict[HL7StreamWriter, asyncio.Task[None]] = {}
        self._stored = asyncio.Lock()

    def reconfigure(self, senders: Sequence[Network]) -> None:
        """Take messages of other networks alone from now on; open connections stay."""
        self._senders = tuple(senders)

    async def start(
        self,
        host: str,
        port: int,
        *,
        ssl_context: ssl.SSLContext | None = None,
        reuse_port: bool = False,
    ) -> int:
        """Listen, and return the port; OSError if that fails."""
        self._server = await start_hl7_server(
            self._serve,
            host,
            port,
            limit=self._limits.message_bytes,
            ssl=ssl_context,
            ssl_handshake_timeout=self._limits.message_seconds if ssl_context else None,
            reuse_port=reuse_port,
        )
        assert self._server is not None  # noqa: S101  it listens
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self, grace: float | None = None) -> None:
        """Listen no more; a message that is stored within ``grace`` seconds is still answered."""
        if self._server is None:
            return
        self._server.close()
        with contextlib.suppress(TimeoutError):
            # A database that does not answer must not keep the program from its end.
            async with asyncio.timeout(grace), self._stored:
                pass
        tasks = list(self._open.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        address = str(writer.get_extra_info("peername")[0])
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  the server runs this as a task
        if not self._may_send(address):
            LOGGER.warning("refused %s: --hl7-from does not name its address", address)
            writer.close()
            return
        if len(self._open) >= self._limits.connections:
            silent = next(iter(self._open))
            self._tell("connections", address)
            self._open.pop(silent).cancel()
        self._open[writer] = task
        try:
            while await self._exchange(reader, writer, address):
                self._open[writer] = self._open.pop(writer)
        except asyncio.CancelledError:
            pass  # it gave way, or the server closes
        finally:
            self._open.pop(writer, None)
            writer.close()

    def _may_send(self, address: str) -> bool:
        sender = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(sender, ipaddress.IPv6Address) and sender.ipv4_mapped:
            sender = sender.ipv4_mapped
        return not self._senders or any(sender in network for network in self._senders)

    async def _exchange(
        self, reader: HL7StreamReader, writer: HL7StreamWriter, address: str
    ) -> bool:
        """Take one message and answer it; False at the end of the connection."""
        limit = "idle_seconds"
        try:
            async with asyncio.timeout(self._limits.idle_seconds):
                first = await reader.readexactly(1)
            limit = "message_seconds"
            if first != b"\x0b":
                LOGGER.warning("closed: %s sends something else than HL7 by MLLP", address)
                return False
            async with asyncio.timeout(self._limits.message_seconds):
                block = await reader.readuntil(b"\x1c\r")
        except (asyncio.LimitOverrunError, ValueError):
            self._tell("message_bytes", address)
            return False
        except TimeoutError:
            self._tell(limit, address)
            return False
        except (asyncio.IncompleteReadError, OSError):
            return False
        async with self._stored:
            answered = await asyncio.to_thread(self._answer, block[:-2], address)
            _log(answered, address)
            writer.writeblock(answered.answer)
        return await self._sent(writer, address)

    async def _sent(self, writer: HL7StreamWriter, address: str) -> bool:
        try:
            async with asyncio.timeout(self._limits.message_seconds):
                await writer.drain()
        except TimeoutError:
            self._tell("message_seconds", address)
            return False
        except OSError:
            return False
        return True

    def _tell(self, limit: str, address: str) -> None:
        LOGGER.warning("closed an HL7 connection; %s reached a limit: %s", address, _BEYOND[limit])
        self._limit_reached(limit, address)


def _log(answered: Answered, address: str) -> None:
    taken, name = answered.taken, escaped(answered.control_id)
    if taken is None:
        LOGGER.warning("refused message %s of %s: %s", name, address, escaped(answered.reason))
        return
    LOGGER.info(
        "took message %s of %s: %d new, %d changed, %d removed",
        name,
        address,
        taken.added.new,
        taken.added.replaced,
        taken.removed,
    )
    if taken.missed:
        LOGGER.warning("message %s of %s: %s", name, address, taken.missed_words)
