"""The HL7 side of ``dicomquest serve``, in the event loop of the DIMSE side."""

from __future__ import annotations

import functools
import importlib.util
import ipaddress
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dicomquest.cli.bound_ports import reserved_address
from dicomquest.cli.messages import give_up
from dicomquest.cli.serve_settings import ServeSettings
from dicomquest.cli.shared_options import host_and_port, is_loopback, server_tls
from dicomquest.errors import DicomquestError
from dicomquest.services.limit_names import LimitName
from dicomquest.services.observer import LimitHit, Observer

if TYPE_CHECKING:
    import ssl

    from dicomquest.services.tls import ContextOfNow
    from dicomquest.worklist.entries import Worklist
    from dicomquest.worklist.hl7_listener import Hl7Listener
    from dicomquest.worklist.hl7_mapping import Hl7Mapping
    from dicomquest.worklist.hl7_orders import Answered, Taken

LOGGER = logging.getLogger("dicomquest.serve")


@contextmanager
def reserved_hl7_port(settings: ServeSettings) -> Iterator[ServeSettings]:
    """Hold the port of the HL7 side for all processes, and give the settings that name it.

    A port that is taken, a package that is missing, or a wrong mapping ends the command here.
    """
    if settings.hl7 is None:
        yield settings
        return
    need_hl7("--hl7")
    mapping_of(settings.hl7_mapping)
    with reserved_address(settings.hl7, "--hl7") as address:
        yield replace(settings, hl7=address)


def need_hl7(name: str) -> None:
    """Raise click's Exit if the package that reads HL7 is missing."""
    if importlib.util.find_spec("hl7") is None:
        raise give_up(f"{name} needs the package hl7: pip install 'dicomquest[hl7]'")


def mapping_of(path: str | None) -> Hl7Mapping:
    """Return the mapping of a file, or the usual one; raise click's Exit if it is wrong."""
    from dicomquest.worklist.hl7_mapping import default_mapping, read_mapping

    if path is None:
        return default_mapping()
    try:
        return read_mapping(Path(path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, DicomquestError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise give_up(f"--hl7-mapping {path}: {reason}") from error


def order_taker(mapping_path: str | None) -> Callable[[Worklist, str], Taken]:
    """Return the function that stores the order of a file; Hl7Error or OSError if it is refused."""

    @functools.cache
    def mapping() -> Hl7Mapping:
        need_hl7("an .hl7 file")
        return mapping_of(mapping_path)

    def take(worklist: Worklist, path: str) -> Taken:
        chosen = mapping()
        from dicomquest.worklist.hl7_orders import take_message

        data, source = Path(path).read_bytes(), os.path.abspath(path)  # noqa: PTH100
        return take_message(worklist, data, chosen, source)

    return take


_LIMITS = {
    "connections": LimitName.HL7_CONNECTIONS,
    "message_seconds": LimitName.HL7_TIMEOUT,
    "message_bytes": LimitName.HL7_MESSAGE,
    "idle_seconds": LimitName.HL7_IDLE_TIMEOUT,
}


def _context(settings: ServeSettings) -> ssl.SSLContext | None:
    return server_tls(settings.tls_cert, settings.tls_key, settings.tls_ca)


def _senders(settings: ServeSettings) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(map(ipaddress.ip_network, settings.hl7_from))


class Hl7Side:
    """The HL7 side of one process; it does nothing if the settings have none."""

    def __init__(self, settings: ServeSettings, observer: Observer | None = None) -> None:
        """Store orders in the worklist of the settings' index; tell an observer reached limits."""
        self._settings = settings
        self._observer = observer
        self._listener: Hl7Listener | None = None
        self._worklist: Worklist | None = None
        self._mapping: Hl7Mapping | None = None
        self._tls: ContextOfNow | None = None

    async def start(self) -> None:
        """Listen; OSError if that fails."""
        settings = self._settings
        if settings.hl7 is None:
            return
        from dicomquest.worklist.entries import Worklist
        from dicomquest.worklist.hl7_limits import Hl7Limits
        from dicomquest.worklist.hl7_listener import Hl7Listener

        self._mapping = mapping_of(settings.hl7_mapping)
        self._worklist = Worklist(settings.index)
        self._listener = Hl7Listener(
            self._answer,
            senders=_senders(settings),
            limits=Hl7Limits(
                settings.max_hl7_connections,
                settings.hl7_timeout,
                settings.max_hl7_message,
                settings.hl7_idle_timeout,
            ),
            limit_reached=self._tell,
        )
        host, port = host_and_port(settings.hl7)
        from dicomquest.services.tls import ContextOfNow

        if settings.hl7_tls and (context := _context(settings)) is not None:
            self._tls = ContextOfNow(context)
        port = await self._listener.start(host, port, ssl_context=self._tls, reuse_port=True)
        tls = "" if self._tls is None else " (TLS)"
        LOGGER.info("taking orders by HL7 on %s port %d%s", host, port, tls)
        shows_certificate = self._tls is not None and settings.tls_ca is not None
        if not is_loopback(host) and not settings.hl7_from and not shows_certificate:
            LOGGER.warning(
                "everybody who reaches port %d can write the worklist: name who may by --hl7-from, "
                "or ask for certificates by --hl7-tls and --tls-ca",
                port,
            )

    def reconfigure(self, settings: ServeSettings) -> None:
        """Take the mapping, senders and certificate of other settings from now on.

        TLS stays TLS, and clear text stays clear text.
        """
        if self._listener is not None:
            self._mapping = mapping_of(settings.hl7_mapping)
            self._listener.reconfigure(_senders(settings))
        if self._tls is not None and (context := _context(settings)) is not None:
            self._tls.now = context

    async def close(self) -> None:
        """Take no more messages, after the one that is being stored, if that ends in the grace."""
        if self._listener is not None:
            await self._listener.close(self._settings.grace)
        if self._worklist is not None:
            self._worklist.close()

    def _tell(self, limit: str, address: str) -> None:
        if self._observer is not None:
            self._observer.tell(LimitHit(_LIMITS[limit], address))

    def _answer(self, data: bytes, address: str) -> Answered:
        from dicomquest.worklist.hl7_orders import answer_message

        assert self._worklist is not None  # noqa: S101  it listens
        assert self._mapping is not None  # noqa: S101  it listens
        return answer_message(self._worklist, data, self._mapping, f"hl7://{address}")
