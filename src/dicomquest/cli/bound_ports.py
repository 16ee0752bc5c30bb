"""Ports that the processes of a server share, and the message about one that is taken (PS3.8 9)."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from dicomquest.cli.messages import give_up
from dicomquest.cli.shared_options import host_and_port


def cannot_listen(host: str, port: int, error: OSError) -> str:
    """Return the message about a port that cannot be bound."""
    hint = "; --port names another one" if error.errno == errno.EADDRINUSE else ""
    # asyncio names the address once more in strerror; an errno below zero is getaddrinfo's.
    number = error.errno or 0
    reason = os.strerror(number) if number > 0 else error.strerror or error
    return f"cannot listen on {host} port {port}: {reason}{hint}"


def reserved_port(host: str, port: int) -> socket.socket:
    """Bind a port that only sockets with SO_REUSEPORT share; OSError if another program has it."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    # Without SO_REUSEPORT first: with it, the bind succeeds beside another program that has it too.
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        port = probe.getsockname()[1]
    reservation = socket.socket(family, kind, protocol)
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reservation.bind((address[0], port, *address[2:]))
    return reservation


@contextmanager
def reserved_address(text: str, option: str) -> Iterator[str]:
    """Hold the port of ``[HOST:]PORT`` for all processes, and give the address with its number.

    A port that is taken ends the command; ``option`` is the one that names another.
    """
    host, port = host_and_port(text)
    try:
        reservation = reserved_port(host, port)
    except OSError as error:
        raise give_up(cannot_listen(host, port, error).replace("--port", option)) from error
    with reservation:
        shown = f"[{host}]" if ":" in host else host
        yield f"{shown}:{reservation.getsockname()[1]}"
