"""The memory of an upstream that could not be reached."""

from __future__ import annotations

import asyncio

from dicomquest.federation.shortfall import EndKind, SourceError
from dicomquest.federation.upstream import Upstream
from dicomquest.federation.upstream_pool import UpstreamPool
from fixtures.misbehaving import hang_up, listening


def trouble(pool: UpstreamPool) -> SourceError:
    """The reason why there is no association."""

    async def take() -> SourceError:
        try:
            await pool.take(b"")
        except SourceError as error:
            return error
        raise AssertionError("there is an association")

    return asyncio.run(take())


def dead(retry_seconds: float) -> Upstream:
    """An upstream at a port where somebody has listened until now."""
    with listening(hang_up) as port:
        pass
    return Upstream("dead", "DEAD", "127.0.0.1", port, retry_seconds=retry_seconds)


def test_dead_upstream_is_remembered() -> None:
    pool = UpstreamPool(dead(60.0))
    assert trouble(pool).kind is EndKind.UNREACHABLE
    again = trouble(pool)
    assert again.kind is EndKind.UNREACHABLE
    assert str(again).endswith("not tried again within 60 seconds")


def test_memory_of_a_dead_upstream_ends() -> None:
    pool = UpstreamPool(dead(0.0))
    trouble(pool)
    assert "not tried again" not in str(trouble(pool))


def test_upstream_that_hangs_up_is_tried_again() -> None:
    """It can be reached, so the next query may fare better."""
    with listening(hang_up) as port:
        pool = UpstreamPool(Upstream("closing", "CLOSING", "127.0.0.1", port))
        assert trouble(pool).kind is EndKind.LOST
        assert "not tried again" not in str(trouble(pool))
