"""The server behind ``AE.start_server``, in the caller's thread or its own (PS3.8 9.1)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Never, Self

from dicomquest import evt
from dicomquest.absent_names import no_attribute
from dicomquest.aio.acceptor import AcceptedAssociation
from dicomquest.aio.server import Server, new_event_loop

PATIENCE = 1.0
"""Seconds that running requests get to end after ``shutdown``."""


class RunningServer(evt.HasHandlers):
    """A server with its event loop, as ``AE.start_server(..., block=False)`` returns it.

    As a context manager it shuts down at the end. All methods may be called from any thread.
    """

    def __init__(self, make_server: Callable[[], Server], address: tuple[str, int]) -> None:
        self._make_server = make_server
        self._address = address
        self._server: Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._is_running = False
        self.ae: Any = None

    def run(self) -> None:
        """Serve in this thread until ``shutdown`` or KeyboardInterrupt.

        OSError if the address is taken, or not this machine's.
        """
        with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(self._serve())

    def start(self) -> None:
        """Serve in a thread of its own; return when the server listens. Errors as ``run``."""
        self._thread = threading.Thread(
            target=self._run_in_thread, name="dicomquest-server", daemon=True
        )
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def shutdown(self) -> None:
        """Stop listening, end all associations, and wait until that is done.

        Running requests get a second to end. A second call does nothing.
        """
        if self._loop is not None and self._stop is not None:
            with suppress(RuntimeError):  # the loop is closed: another shutdown was faster
                self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    server_close = shutdown

    @property
    def is_running(self) -> bool:
        """Tell whether the server listens."""
        return self._is_running

    @property
    def server_address(self) -> tuple[str, int]:
        """The (host, port) where the server listens: with port 0, the port that it got."""
        addresses = self._server.addresses if self._server is not None else []
        return addresses[0] if addresses else self._address

    @property
    def active_associations(self) -> list[AcceptedAssociation]:
        """The associations that are established."""
        return self._server.active_associations if self._server is not None else []

    @property
    def handlers(self) -> evt.Handlers:
        """The handlers of associations that begin now."""
        return self._server.handlers if self._server is not None else evt.Handlers()

    def bind(
        self, event: evt.EventType, handler: Callable[..., Any], args: list[Any] | None = None
    ) -> None:
        """Bind a handler from now on, for open associations, too."""
        for each in self._holders():
            each.bind(event, handler, args)

    def unbind(self, event: evt.EventType, handler: Callable[..., Any]) -> None:
        """Undo the binding of a handler from now on, for open associations, too."""
        for each in self._holders():
            each.unbind(event, handler)

    def _holders(self) -> list[evt.Handlers]:
        return [] if self._server is None else self._server.all_handlers

    def __getattr__(self, name: str) -> Never:
        raise no_attribute("RunningServer", name)

    @property
    def socket(self) -> Any:
        """The socket that listens, None if none does."""
        return self._server.socket if self._server is not None else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._server = self._make_server()
        try:
            await self._server.start(*self._address)
            self._is_running = True
            self._started.set()
            await self._stop.wait()
        finally:
            self._is_running = False
            await self._server.close(PATIENCE)

    def _run_in_thread(self) -> None:
        try:
            self.run()
        # The thread that called ``start`` raises it again.
        except BaseException as failure:  # noqa: BLE001
            self._failure = failure
        finally:
            # After a failure, too: ``start`` waits for it.
            self._started.set()
