"""C-GET from a holder that has none, or that stops."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest

from dicomquest import AE, evt, sop_class
from dicomquest.aio.client import AsyncAssociation
from dicomquest.federation.holder_fetch import HolderFetch, end_association
from dicomquest.federation.shortfall import EndKind, SourceError
from dicomquest.federation.upstream import Upstream
from dicomquest.federation.upstream_pool import UpstreamPool
from dicomquest.scu.proposal import patience
from fixtures.building import data_set
from fixtures.faces import HOST, running
from fixtures.timing import LONG, SHORT

ORDER = data_set(QueryRetrieveLevel="SERIES", StudyInstanceUID="1.2", SeriesInstanceUID="1.2.3")


def failure(port: int, folder: Path, *, retrieve: float = LONG) -> SourceError:
    """The error of a C-GET from an archive."""
    timeouts = patience(connection=LONG, acse=LONG, dimse=LONG, retrieve=retrieve)
    upstream = Upstream("up", "UP", HOST, port, timeouts=timeouts)

    async def script() -> None:
        fetch = HolderFetch(upstream, UpstreamPool(upstream), [], folder / "fetched")
        async for _ in fetch.fetch([(ORDER, ["1.2.3.4"])]):
            raise AssertionError("nothing can arrive")

    with pytest.raises(SourceError) as caught:
        asyncio.run(script())
    return caught.value


def archive(*uids: str) -> AE:
    ae = AE("UP")
    for uid in (sop_class.StudyRootQueryRetrieveInformationModelFind, *uids):
        ae.add_supported_context(uid)
    return ae


@pytest.mark.parametrize("offered", ["move", "store"])
def test_archive_without_get_is_told_apart(tmp_path: Path, offered: str) -> None:
    """Many archives have C-MOVE alone: the message says what this server needs of them."""
    uid = {
        "move": sop_class.StudyRootQueryRetrieveInformationModelMove,
        "store": sop_class.MRImageStorage,
    }[offered]
    with running(ae=archive(uid)) as server:
        error = failure(server.server_address[1], tmp_path)
    assert error.kind is EndKind.REJECTED
    assert str(error) == "it accepts no C-GET, which retrieves through this server need"


def test_archive_that_stops_has_its_time(tmp_path: Path) -> None:
    """A C-GET without a response and without an instance ends; other holders may do better."""

    async def wait(event: evt.Event) -> None:
        await asyncio.sleep(6 * LONG)

    get = sop_class.StudyRootQueryRetrieveInformationModelGet
    with running((evt.EVT_C_GET, wait), ae=archive(get, sop_class.MRImageStorage)) as server:
        error = failure(server.server_address[1], tmp_path, retrieve=SHORT)
    assert error.kind is EndKind.TIMED_OUT


def test_fetch_ends_that_is_stopped_as_it_begins(tmp_path: Path) -> None:
    """A caller may leave in the same turn of the event loop in which the C-GET begins."""
    upstream = Upstream("up", "UP", HOST, 1)

    async def script() -> None:
        fetch = HolderFetch(upstream, UpstreamPool(upstream), [], tmp_path / "fetched")

        async def whole() -> None:
            async for _ in fetch.fetch([(ORDER, ["1.2.3.4"])]):
                raise AssertionError("nothing can arrive")

        running_fetch = asyncio.create_task(whole())
        asyncio.get_running_loop().call_soon(fetch.stop)
        await asyncio.wait_for(running_fetch, LONG)

    asyncio.run(script())


def test_release_that_is_cut_off_is_an_abort() -> None:
    """Nobody else closes the connection."""
    done: list[str] = []

    class Slow:
        async def release(self) -> None:
            done.append("release")
            async with asyncio.timeout(LONG):
                await asyncio.Event().wait()

        async def abort(self) -> None:
            done.append("abort")

    async def script() -> None:
        ending = asyncio.create_task(
            end_association(cast("AsyncAssociation", Slow()), is_orderly=True)
        )
        await asyncio.sleep(0)
        ending.cancel()
        await asyncio.wait([ending], timeout=LONG)
        assert ending.cancelled()

    asyncio.run(script())
    assert done == ["release", "abort"]
