"""One deadline for all that an upstream is asked before it answers."""

from __future__ import annotations

import asyncio

import pytest

from dicomquest.federation.deadline import Deadline
from dicomquest.federation.shortfall import EndKind, SourceError
from fixtures.timing import LONG, SHORT


def ended(deadline: Deadline, *, most: float | None = None) -> SourceError:
    """The error of a block that never ends by itself."""

    async def wait() -> None:
        async with deadline.limit("no place", most):
            await asyncio.Event().wait()

    with pytest.raises(SourceError) as caught:
        asyncio.run(wait())
    return caught.value


def test_block_ends_at_the_deadline() -> None:
    assert ended(Deadline(SHORT)).kind is EndKind.TIMED_OUT
    assert str(ended(Deadline(None), most=SHORT)) == "no place"


def test_blocks_share_the_deadline() -> None:
    """A second block has no more than the first one has left."""
    deadline = Deadline(SHORT)
    ended(deadline)
    assert deadline.left() == 0.0
    assert deadline.left(LONG) == 0.0
    ended(deadline, most=LONG)


def test_answer_begins_the_time_anew() -> None:
    deadline = Deadline(LONG)
    left = deadline.left()
    deadline.renew()
    assert left is not None
    assert (deadline.left() or 0.0) >= left - SHORT
    assert deadline.left(SHORT) == SHORT
    assert Deadline(None).left() is None
