"""A set of unique keys in few bytes."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from dicomquest.federation.seen_entities import SeenEntities


@given(st.lists(st.binary(max_size=8)), st.binary(max_size=8))
def test_what_was_added_is_there_and_nothing_else(added: list[bytes], other: bytes) -> None:
    seen = SeenEntities(most_whole=2)
    for identity in added:
        seen.add(identity)
    assert all(identity in seen for identity in added)
    assert (other in seen) is (other in added)
    assert seen.has_none_of([other, b"beyond all"]) is (other not in added)


def test_hundred_thousand_keys_take_few_bytes() -> None:
    """A run grows by an eighth, so a key takes little more than its 12 bytes and the run's own."""
    seen = SeenEntities()
    for number in range(100_000):
        seen.add(b"1.2.840.113619.2.5.%d" % number)
    size = sum(map(sys.getsizeof, seen._buckets.values()))
    assert size < 100 * 100_000
