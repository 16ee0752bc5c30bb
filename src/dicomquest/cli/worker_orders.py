"""The orders of a server process: to end, to end at once, to read its settings again.

They come by signals, or from the parent of several processes over a socket. A worker takes signals
only for the order to end: systemd sends SIGTERM to parent and workers alike, Ctrl-C reaches all of
a terminal's processes, and neither must count as the second signal, which ends at once.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from socket import socket
from struct import Struct
from typing import assert_never

LOGGER = logging.getLogger("dicomquest.serve")

ENDING = frozenset({signal.SIGINT, signal.SIGTERM})

SIGNALS = ENDING | {signal.SIGHUP}


class Order(Enum):
    """The orders that a parent sends to a worker; ``RELOAD`` has the pickled settings behind it."""

    END = 1
    END_NOW = 2
    RELOAD = 3


_HEAD = Struct("!BI")
"""An order and the number of bytes behind it."""


def order_bytes(order: Order, payload: bytes = b"") -> bytes:
    """Return an order as the parent sends it."""
    return _HEAD.pack(order.value, len(payload)) + payload


READY = b"r"
"""The byte that a worker sends to its parent when it listens."""


class Orders:
    """The orders that reach this process, for its event loop.

    ``end`` is set by the first order to end, ``end_now`` by the second one. ``reload`` gets the
    settings that the parent has read; none if this process has to read them.
    """

    def __init__(self, reload: Callable[[bytes], None], parent: socket | None = None) -> None:
        self.end = asyncio.Event()
        self.end_now = asyncio.Event()
        self._reload = reload
        self._parent = parent
        self._received = b""
        self._terminal = has_terminal()

    def listen(self) -> None:
        """Take orders from now on; the signals are blocked until then."""
        loop = asyncio.get_running_loop()
        for number in ENDING:
            loop.add_signal_handler(number, self._told_to_end)
        loop.add_signal_handler(signal.SIGHUP, self._hung_up)
        if self._parent is not None:
            self._parent.setblocking(False)
            loop.add_reader(self._parent, self._read_parent)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def tell_ready(self) -> None:
        """Tell the parent that this process listens."""
        if self._parent is not None:
            with suppress(OSError):  # the parent is gone: the next read says so
                self._parent.send(READY)

    def _told_to_end(self) -> None:
        if self.end.is_set() and self._parent is None:
            self.end_now.set()
        self.end.set()

    def _hung_up(self) -> None:
        if self._parent is not None:
            return  # the parent gets it too, and decides
        if self._terminal and not has_terminal():
            self._told_to_end()
        else:
            self._reload(b"")

    def _read_parent(self) -> None:
        assert self._parent is not None  # noqa: S101
        try:
            received = self._parent.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received:
            asyncio.get_running_loop().remove_reader(self._parent)
            if not self.end.is_set():
                LOGGER.warning("the parent of this process is gone")
            self.end.set()
        self._received += received
        while len(self._received) >= _HEAD.size:
            number, size = _HEAD.unpack_from(self._received)
            if len(self._received) < _HEAD.size + size:
                return
            payload = self._received[_HEAD.size : _HEAD.size + size]
            self._received = self._received[_HEAD.size + size :]
            self._obey(Order(number), payload)

    def _obey(self, order: Order, payload: bytes) -> None:
        match order:
            case Order.END:
                self.end.set()
            case Order.END_NOW:
                self.end.set()
                self.end_now.set()
            case Order.RELOAD:
                self._reload(payload)
            case _:
                assert_never(order)


def has_terminal() -> bool:
    """Tell whether standard error is a terminal; one that is closed is none any more."""
    try:
        return sys.stderr.isatty()
    except ValueError:
        return False
