"""Invariant: whatever a client sends by HTTP, each answer ends, and none is a fault of ours.

The bytes are those of a connection, from its first request on; the server stores, too.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import uvicorn
from pydicom import dcmread
from pydicom.data import get_testdata_file
from uvicorn.server import ServerState

from dicomquest.index import Index
from dicomquest.services.storage import StorageService
from dicomquest.store.archive import Archive
from dicomquest.store.places import DEFAULT_LAYOUT, parse_layout
from dicomquest.web import application
from dicomquest.web.http_connection import HttpConnection, HttpLimits

FILES = ("CT_small.dcm", "MR_small_implicit.dcm", "SC_rgb_jpeg_gdcm.dcm", "test-SR.dcm")
LONGEST = 10.0
"""Seconds after which an answer hangs."""
TURNS = 200
"""Turns of the loop that the service gets for a body before its client is gone."""


class _Client(asyncio.Transport):
    """The other end of a connection, which keeps nothing of what it reads."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 4242), "sockname": ("127.0.0.1", 80)})
        self._is_closing = False

    def write(self, data: Any) -> None:
        """Read an answer."""

    def close(self) -> None:
        """Be left."""
        self._is_closing = True

    abort = close

    def is_closing(self) -> bool:
        """Tell whether the server has closed."""
        return self._is_closing

    def pause_reading(self) -> None:
        """Wait."""

    def resume_reading(self) -> None:
        """Go on."""

    def get_write_buffer_size(self) -> int:
        """Return 0: all is read at once."""
        return 0


class _Server:
    """The web services over a few files, with what is wrong with their answers."""

    def __init__(self) -> None:
        logging.disable()  # a line for each input says nothing
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        self._index = Index(folder / "index.sqlite")
        paths = [str(get_testdata_file(name, download=False)) for name in FILES]
        self._index.ingest(paths)
        self._headers = [dcmread(path, stop_before_pixels=True) for path in paths]
        self._archive = Archive(self._index, folder / "store", parse_layout(DEFAULT_LAYOUT))
        self.app = application(self._index, storage=StorageService(self._archive))
        self.loop = asyncio.new_event_loop()
        self.statuses: list[int] = []
        self.failures: list[BaseException] = []
        self._config = uvicorn.Config(
            self._noted,
            http=type("_OurConnection", (HttpConnection,), {"limits": HttpLimits()}),
            interface="asgi3",
            h11_max_incomplete_event_size=HttpLimits().longest_head,
            proxy_headers=False,
            log_config=None,
            ws="none",
            lifespan="off",
        )
        self._config.load()

    @property
    def known(self) -> dict[str, list[str]]:
        """The UIDs of the files, by the names that paths have for them."""
        return {
            "study": [str(each.StudyInstanceUID) for each in self._headers],
            "series": [str(each.SeriesInstanceUID) for each in self._headers],
            "instance": [str(each.SOPInstanceUID) for each in self._headers],
            "name": ["page.css", "page.js"],
        }

    def close(self) -> None:
        """End it."""
        self.loop.close()
        self._archive.close()
        self._index.close()
        self._folder.cleanup()

    async def _noted(self, scope: Any, receive: Any, send: Any) -> None:
        async def note(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.statuses.append(message["status"])
            await send(message)

        try:
            await self.app(scope, receive, note)
        except Exception as error:
            self.failures.append(error)
            raise

    async def converse(self, data: bytes) -> None:
        """Take a connection's bytes; TimeoutError if an answer does not end."""
        state, client = ServerState(), _Client()
        make: Any = self._config.http_protocol_class
        connection = make(self._config, state, {})
        connection.connection_made(client)
        if data:  # no transport hands on nothing
            connection.data_received(data)
        async with asyncio.timeout(LONGEST):
            for turn in range(TURNS):
                waits = connection.cycle is not None and connection.cycle.more_body
                is_read = not connection.has_more_to_read
                if is_read and (not state.tasks or (waits and turn > TURNS // 2)):
                    break
                await asyncio.sleep(0 if turn < TURNS // 2 else 0.001)
            while state.tasks and not connection.cycle.more_body:
                await asyncio.wait(state.tasks, return_when=asyncio.FIRST_COMPLETED)
            connection.connection_lost(None)
            while state.tasks:
                await asyncio.wait(state.tasks)


@lru_cache(maxsize=1)
def server() -> _Server:
    """Return the server of this process."""
    return _Server()


def check(data: bytes) -> None:
    """Send the bytes of a connection."""
    ours = server()
    ours.statuses.clear()
    ours.failures.clear()
    ours.loop.run_until_complete(ours.converse(data))
    if ours.failures:
        raise ours.failures[0]
    assert all(code < 500 or code == 503 for code in ours.statuses), ours.statuses
