"""The processes of ``dicomquest serve``: the port they share, their signals, their event loops."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import pickle
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import NoReturn, TypeAlias

import click

from dicomquest.aio.server import Server, new_event_loop
from dicomquest.cli.access_rules import check_access, tell_who_may_ask
from dicomquest.cli.bound_ports import cannot_listen, reserved_port
from dicomquest.cli.hl7_side import Hl7Side
from dicomquest.cli.log_output import change_log
from dicomquest.cli.passwords import without_passwords
from dicomquest.cli.serve_settings import ServeSettings
from dicomquest.cli.server_assembly import open_archive, open_index, recover, server_settings
from dicomquest.cli.server_monitor import audit_sink, check_audit, monitoring
from dicomquest.cli.shared_options import server_tls
from dicomquest.cli.supervisor import Supervisor
from dicomquest.cli.systemd import inherited_sockets, tell_manager
from dicomquest.cli.web_side import WebSide
from dicomquest.cli.worker_orders import SIGNALS, Orders
from dicomquest.errors import ConfigurationError, DicomquestError, IndexDatabaseError
from dicomquest.index.index import Index
from dicomquest.store.archive import Archive

LOGGER = logging.getLogger("dicomquest.serve")

ReadAgain: TypeAlias = Callable[[], ServeSettings]
"""Reads the settings anew, from the same command line; ConfigurationError says what is wrong."""

LOOK = 1.0
"""Seconds between two looks at the place of the index."""

FIXED = (
    "index", "read_index", "store", "store_layout", "duplicates", "umask", "host", "port",
    "workers", "metrics", "http",
)  # fmt: skip
"""The settings that hold until the server is started again."""


def run_processes(settings: ServeSettings, read_again: ReadAgain | None = None) -> None:
    """Serve until SIGINT or SIGTERM, in this process or in several of their own.

    SIGHUP reads the settings again.
    """
    # Blocked until somebody handles them: no signal is lost, and none ends us halfway.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    sockets = inherited_sockets()
    if settings.workers > 1:
        _Parent(settings, read_again, sockets).run()
        return
    serving = _Serving(settings, read_again, settings.port, sockets)
    serving.run()


class _Parent:
    """The parent of several server processes, with the settings that the next one gets."""

    def __init__(
        self,
        settings: ServeSettings,
        read_again: ReadAgain | None,
        sockets: Sequence[socket.socket],
    ) -> None:
        self._settings = settings
        self._read_again = read_again
        self._sockets = sockets
        self._port = settings.port

    def run(self) -> None:
        host, port = self._settings.host, self._settings.port
        has_port = self._settings.has_dimse and not self._sockets
        with reserved_port(host, port) if has_port else nullcontext() as reservation:
            if reservation is not None:
                self._port = reservation.getsockname()[1]
            Supervisor(
                self._settings.workers,
                self._work,
                grace=lambda: self._settings.grace,
                reload=self._reload,
                tell=tell_manager,
            ).run()

    def _reload(self) -> bytes:
        """Read the settings again, for the workers of now and those to come."""
        tell_manager("RELOADING=1")
        settings = reloaded(self._settings, self._read_again)
        tell_manager("READY=1")
        if settings is None:
            return b""
        self._settings = settings
        take_log(settings)
        return pickle.dumps(settings)

    def _work(self, parent: socket.socket) -> NoReturn:
        """Serve as one of the processes, then exit without the clean-up that is the parent's."""
        status = 1
        try:
            _Serving(self._settings, self._read_again, self._port, self._sockets, parent).run()
            status = 0
        except OSError as error:
            reason = cannot_listen(self._settings.host, self._port, error)
            LOGGER.error("%s", reason)  # noqa: TRY400
        except IndexDatabaseError as error:
            LOGGER.error("%s", error)  # noqa: TRY400
        except click.exceptions.Exit as end:
            status = end.exit_code
        finally:
            logging.shutdown()  # os._exit does not: lines may still wait
            os._exit(status)


def reloaded(settings: ServeSettings, read_again: ReadAgain | None) -> ServeSettings | None:
    """Read the settings again; None, after a line of the log, if they are wrong."""
    if read_again is None:
        return None
    try:
        new = read_again()
        # Told here, before the workers take it.
        server_tls(new.tls_cert, new.tls_key, new.tls_ca)
        check_access(new)
        check_audit(new)
        if (sink := audit_sink(new)) is not None:
            sink.close()
    except (ConfigurationError, click.ClickException) as error:
        _tell_not_reloaded(error)
        return None
    for name in FIXED:
        if getattr(new, name) != getattr(settings, name):
            LOGGER.warning(
                "%s has changed: that takes effect when the server is started again",
                name.replace("_", "-"),
            )
    tell_who_may_ask(new)
    # A worker that takes the place of a dead one must fit the others.
    return replace(new, **{name: getattr(settings, name) for name in FIXED})


def take_log(settings: ServeSettings) -> None:
    """Let the log of this process be as the settings say."""
    change_log(
        settings.log_level,
        names_process=settings.workers > 1,
        form=settings.log_format,
        names_keys=settings.log_keys,
    )


def _tell_not_reloaded(error: Exception) -> None:
    """Log a line for each fault of the new settings."""
    faults = error.format_message() if isinstance(error, click.ClickException) else str(error)
    for fault in faults.split("\n"):
        LOGGER.error("the settings stay as they are: %s", without_passwords(fault))


class _Serving:
    """The server of this process, from its start to the order to end."""

    def __init__(
        self,
        settings: ServeSettings,
        read_again: ReadAgain | None,
        port: int,
        sockets: Sequence[socket.socket] = (),
        parent: socket.socket | None = None,
    ) -> None:
        self._settings = settings
        self._read_again = read_again
        self._port = port
        self._sockets = sockets
        self._parent = parent
        self._reload: Callable[[ServeSettings], None] = lambda _: None

    def run(self) -> None:
        """Serve until the order to end."""
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        orders = Orders(self._read_settings, self._parent)
        orders.listen()
        with (
            open_index(self._settings) as index,
            open_archive(self._settings, index) as archive,
            monitoring(self._settings, index) as monitor,
        ):
            server = Server(server_settings(self._settings, index, archive, monitor))
            web = WebSide(self._settings, index, server)
            orders_by_hl7 = Hl7Side(self._settings, monitor.observer)

            def reload(new: ServeSettings) -> None:
                monitor.reconfigure(new)
                server.reconfigure(server_settings(new, index, archive, monitor))
                web.reconfigure(new)
                orders_by_hl7.reconfigure(new)

            self._reload = reload
            if self._settings.has_dimse:
                await server.start(self._settings.host, self._port, self._sockets)
            await web.start()
            await orders_by_hl7.start()
            # Objects of the start stay for good. A full collection that looked at them took 35 ms
            # after every three thousand associations, and answered nobody meanwhile.
            gc.collect()
            gc.freeze()
            orders.tell_ready()
            self._tell("READY=1")
            besides: list[asyncio.Future[None]] = [
                asyncio.ensure_future(self._look_at_index(server, index, archive))
            ]
            if archive is not None and self._parent is not None:
                # A worker that takes the place of a dead one finds what that left.
                besides.append(asyncio.ensure_future(server.run(recover, archive)))
            await orders.end.wait()
            for each in besides:
                each.cancel()
            monitor.end()
            self._tell("STOPPING=1")
            await orders_by_hl7.close()
            LOGGER.info("ending: running requests have %g s", self._settings.grace)
            await _close(server, web, self._settings.grace, orders.end_now)

    async def _look_at_index(self, server: Server, index: Index, archive: Archive | None) -> None:
        """Look now and then whether the index is where it was; go on with one that replaces it."""
        while True:
            await asyncio.sleep(LOOK)
            try:
                if await server.run(index.renew):
                    self._reload(self._settings)  # the zone of the new one may be another
                    if archive is not None:
                        await server.run(archive.index_renewed)
            except (IndexDatabaseError, OSError) as error:
                LOGGER.error("the index cannot be opened again: %s", error)  # noqa: TRY400

    def _read_settings(self, pickled: bytes) -> None:
        """Take the parent's settings or read them again; keep the old ones if those are wrong."""
        self._tell("RELOADING=1")
        new: ServeSettings | None = (
            pickle.loads(pickled)  # noqa: S301 (our own parent made them)
            if pickled
            else reloaded(self._settings, self._read_again)
        )
        if new is not None:
            try:
                self._reload(new)
            except (click.ClickException, click.exceptions.Exit, DicomquestError, OSError) as error:
                _tell_not_reloaded(error)
            else:
                self._settings = new
                take_log(new)
                LOGGER.info("the settings are read again; new associations get them")
        self._tell("READY=1")

    def _tell(self, words: str) -> None:
        """Tell the service manager, unless a parent does it."""
        if self._parent is None:
            tell_manager(words)


async def _close(server: Server, web: WebSide, grace: float, at_once: asyncio.Event) -> None:
    """Close both sides within the grace time, or at once when told so."""

    async def close_both() -> None:
        # The HTTP side first: its requests run in the server's threads.
        await web.close()
        await server.close(grace)

    closing = asyncio.ensure_future(close_both())
    hurry = asyncio.ensure_future(at_once.wait())
    await asyncio.wait({closing, hurry}, return_when=asyncio.FIRST_COMPLETED)
    if hurry.done():
        LOGGER.info("ending at once")
        web.abort()
        server.abort_all()
    hurry.cancel()
    await closing
