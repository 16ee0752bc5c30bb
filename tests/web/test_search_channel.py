"""A response that streams: slow clients, clients that go away, failures midway (PS3.18 10.6.3)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import replace
from typing import Any

import pytest

from dicomquest.errors import IndexDatabaseError
from dicomquest.index import Index
from dicomquest.index.search.sqlite_cursor import SQLiteCursor
from dicomquest.services.access import Profile
from dicomquest.services.admission import AccessRules, Admission, PeerRule
from dicomquest.services.observer import Event, FindFinished
from dicomquest.services.search_batches import BATCH, FIRST_BATCH
from dicomquest.web import WebSettings, application
from fixtures.building import data_set
from fixtures.timing import LONG, SHORT

MANY = FIRST_BATCH + 6 * BATCH
Message = MutableMapping[str, Any]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index(tmp_path_factory.mktemp("web") / "index.sqlite") as opened:
        opened.ingest_data_sets(
            data_set(
                SOPInstanceUID=f"1.3.{number}",
                SeriesInstanceUID="1.3",
                StudyInstanceUID="1.4",
                InstanceNumber=str(number),
            )
            for number in range(MANY)
        )
        yield opened


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the batches that the database has given."""
    sizes: list[int] = []
    fetch = SQLiteCursor.fetch

    def counting(cursor: SQLiteCursor, size: int) -> list[Any]:
        rows = fetch(cursor, size)
        sizes.append(len(rows))
        return rows

    monkeypatch.setattr(SQLiteCursor, "fetch", counting)
    return sizes


class Client:
    """A client that takes messages as long as ``takes`` lets it, and may go away."""

    def __init__(self, index: Index, write_timeout: float | None = None) -> None:
        self.events: list[Event] = []
        settings = WebSettings(observer=self, write_timeout=write_timeout)
        self._application = application(index, settings)
        self.gone = asyncio.Event()
        self.room = asyncio.Semaphore(0)
        self.messages: list[Message] = []
        self.taken = asyncio.Event()

    def tell(self, event: Event) -> None:
        self.events.append(event)

    async def ask(self, query: str = "") -> None:
        scope = {
            "type": "http", "method": "GET", "path": "/dicom-web/instances", "headers": [],
            "query_string": query.encode(), "scheme": "http", "client": ("127.0.0.1", 1),
            "root_path": "", "raw_path": b"/dicom-web/instances",
        }  # fmt: skip
        await self._application(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        await self.room.acquire()
        self.messages.append(message)
        self.taken.set()

    @property
    def body(self) -> bytes:
        return b"".join(each.get("body", b"") for each in self.messages)

    @property
    def is_whole(self) -> bool:
        """Tell whether the response has come to its end."""
        return bool(self.messages) and not self.messages[-1].get("more_body", True)

    @property
    def finds(self) -> list[FindFinished]:
        return [each for each in self.events if isinstance(each, FindFinished)]


def run(story: Callable[[], Any]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(LONG):
            await story()

    asyncio.run(bounded())


def test_all_matches_come_in_parts(index: Index) -> None:
    async def story() -> None:
        client = Client(index)
        client.room = asyncio.Semaphore(MANY)
        await client.ask()
        assert client.is_whole
        assert len(json.loads(client.body)) == MANY
        assert len(client.messages) == 2 + (MANY - FIRST_BATCH) // BATCH + 1
        assert [(each.status, each.matches) for each in client.finds] == [(0, MANY)]

    run(story)


def test_a_slow_client_holds_the_search(index: Index, fetched: list[int]) -> None:
    """Memory holds two batches, however many matches there are."""

    async def story() -> None:
        client = Client(index)
        asking = asyncio.ensure_future(client.ask())
        for taken in range(1, 4):
            client.room.release()
            await client.taken.wait()
            client.taken.clear()
            assert len(client.messages) == taken
            assert sum(fetched) <= FIRST_BATCH + (taken + 1) * BATCH
        client.room = asyncio.Semaphore(MANY)
        asking.cancel()
        await asyncio.wait([asking])

    run(story)


def test_a_client_that_goes_away_ends_the_search(index: Index, fetched: list[int]) -> None:
    async def story() -> None:
        client = Client(index)
        asking = asyncio.ensure_future(client.ask())
        client.room.release()
        client.room.release()
        while len(client.messages) < 2:
            await client.taken.wait()
            client.taken.clear()
        client.gone.set()
        await asyncio.sleep(0)
        for _ in range(9):
            client.room.release()
        await asking
        assert not client.is_whole
        assert sum(fetched) < MANY
        assert [each.status for each in client.finds] == [None]

    run(story)


def test_a_client_that_reads_nothing_is_given_up(index: Index) -> None:
    async def story() -> None:
        client = Client(index, write_timeout=SHORT)
        client.room.release()
        await client.ask()
        assert not client.is_whole
        assert [each.status for each in client.finds] == [None]

    run(story)


def test_a_failure_midway_leaves_no_whole_answer(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that ends well is complete: the connection breaks instead."""
    fetch = SQLiteCursor.fetch

    def failing(cursor: SQLiteCursor, size: int) -> list[Any]:
        rows = fetch(cursor, size)
        if len(rows) == BATCH:
            raise IndexDatabaseError("disk I/O error")
        return rows

    monkeypatch.setattr(SQLiteCursor, "fetch", failing)

    async def story() -> None:
        client = Client(index)
        client.room = asyncio.Semaphore(MANY)
        await client.ask()
        assert client.messages[0]["status"] == 200
        assert not client.is_whole
        assert not client.body.endswith(b"]")

    run(story)


@pytest.mark.requirement("QI-043")
def test_a_failure_at_once_is_500(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> list[Any]:
        raise IndexDatabaseError("disk I/O error at /srv/secret.sqlite")

    monkeypatch.setattr(SQLiteCursor, "fetch", failing)
    monkeypatch.setattr(SQLiteCursor, "fetch_at_once", lambda *_: None)

    async def story() -> None:
        client = Client(index)
        client.room = asyncio.Semaphore(MANY)
        await client.ask()
        assert client.messages[0]["status"] == 500
        assert b"secret" not in client.body

    run(story)


def test_a_search_that_takes_too_long_is_413(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    choices = replace(Profile().choices, query_seconds=0.0)
    rules = AccessRules(default=PeerRule(profile=Profile(choices=choices)))
    monkeypatch.setattr(SQLiteCursor, "fetch_at_once", lambda *_: None)

    async def story() -> None:
        client = Client(index)
        client.room = asyncio.Semaphore(MANY)
        client._application.reconfigure(WebSettings(admission=Admission(rules), observer=client))
        await client.ask()
        assert client.messages[0]["status"] == 413
        assert b"too broad" in client.body

    run(story)
