"""The processes of ``dicomquest serve``: the port they share, their signals, their event loops."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import os
import signal
import socket
from contextlib import suppress
from typing import NoReturn

from dicomquest.aio.server import Server, new_event_loop
from dicomquest.cli.messages import give_up
from dicomquest.cli.serve_settings import ServeSettings
from dicomquest.cli.server_assembly import open_archive, open_index, server_settings
from dicomquest.errors import IndexDatabaseError

LOGGER = logging.getLogger("dicomquest.serve")

ENDING = {signal.SIGINT, signal.SIGTERM}

PATIENCE = 5.0
"""Seconds that running queries may take to end when the server has to stop."""


def run_processes(settings: ServeSettings) -> None:
    """Serve until SIGINT or SIGTERM, in this process or in several of their own."""
    # Blocked until a loop or `sigwait` handles them: no signal is lost, and none ends us halfway.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    if settings.workers == 1:
        serve_process(settings, settings.port)
    else:
        supervise(settings)


def supervise(settings: ServeSettings) -> None:
    """Fork the processes; end them all after a signal, or when one of them has ended."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    workers: set[int] = set()
    with reserved_port(settings.host, settings.port) as reservation:
        port = reservation.getsockname()[1]
        for _ in range(settings.workers):
            # A fork copies neither threads nor a running event loop; there is none here yet.
            workers.add(os.fork() or _work(settings, port))
        told = signal.sigwait({*ENDING, signal.SIGCHLD})
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGTERM)
        statuses = [os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) for worker in workers]
    if told is signal.SIGCHLD or any(statuses):
        raise give_up(
            f"a server process ended early (exit statuses {', '.join(map(str, statuses))}); "
            "the log above says why"
        )


def _work(settings: ServeSettings, port: int) -> NoReturn:
    """Serve as one of the processes, then exit without the clean-up that is the parent's."""
    status = 1
    try:
        serve_process(settings, port)
        status = 0
    except OSError as error:
        LOGGER.error("%s", cannot_listen(settings.host, port, error))  # noqa: TRY400
    except IndexDatabaseError as error:
        LOGGER.error("%s", error)  # noqa: TRY400
    finally:
        logging.shutdown()  # os._exit does not: lines may still wait
        os._exit(status)


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


def serve_process(settings: ServeSettings, port: int) -> None:
    """Serve in this process until SIGINT or SIGTERM."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_serve(settings, port))


async def _serve(settings: ServeSettings, port: int) -> None:
    told_to_end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in ENDING:
        loop.add_signal_handler(number, told_to_end.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    with open_index(settings) as index, open_archive(settings, index) as archive:
        server = Server(server_settings(settings, index, archive))
        await server.start(settings.host, port)
        # Objects of the start stay for good. A full collection that looked at them took 35 ms after
        # every three thousand associations, and answered nobody meanwhile.
        gc.collect()
        gc.freeze()
        await told_to_end.wait()
        LOGGER.info("ending")
        await server.close(PATIENCE)
