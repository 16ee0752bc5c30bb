"""Answers of several sources meet: each entity goes on once, and waits only so long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dicomquest.federation.confluence import AnyPart, Confluence
from dicomquest.federation.merged_answer import Part


def part(source: int) -> Part:
    return Part(source, {}, ())


def sources(taken: list[list[AnyPart]]) -> list[list[int]]:
    return [[each.source for each in parts] for parts in taken]


def test_entity_goes_on_once_all_have_answered() -> None:
    meeting = Confluence(range(2), 1.0)
    meeting.add(b"A", part(0), 0.0)
    assert sources(meeting.take(0.5)) == []
    meeting.add(b"A", part(1), 0.5)
    assert sources(meeting.take(0.5)) == [[0, 1]]


def test_entity_waits_no_longer_than_patience() -> None:
    """It goes on alone then; the answer that comes later is counted, and not sent."""
    meeting = Confluence(range(2), 1.0)
    meeting.add(b"A", part(0), 0.0)
    assert meeting.next_deadline() == 1.0
    assert sources(meeting.take(1.0)) == [[0]]
    meeting.add(b"A", part(1), 1.5)
    assert sources(meeting.take(9.0)) == []
    assert (meeting.late, meeting.next_deadline()) == (1, None)


def test_nothing_waits_for_source_that_ended() -> None:
    meeting = Confluence(range(3), 1.0)
    meeting.await_no_more(2)
    meeting.add(b"A", part(0), 0.0)
    meeting.finish(1)
    meeting.add(b"B", part(0), 0.0)
    assert sources(meeting.take(0.0)) == [[0], [0]]
    meeting.add(b"B", part(2), 0.0)
    assert meeting.late == 1


def test_only_so_many_wait() -> None:
    meeting = Confluence(range(2), 1.0, most=2)
    for identity in (b"A", b"B", b"C"):
        meeting.add(identity, part(0), 0.0)
    assert len(meeting.take(0.0)) == 1


def test_source_that_repeats_itself_is_heard_once() -> None:
    meeting = Confluence(range(2), 1.0)
    meeting.add(b"A", part(0), 0.0)
    meeting.add(b"A", part(0), 0.0)
    meeting.finish(1)
    assert (sources(meeting.take(0.0)), meeting.repeated) == ([[0]], 1)


def test_last_source_goes_on_without_those_gone() -> None:
    """Answers of the only source that runs go on together, but for what others have answered."""
    meeting = Confluence(range(2), 1.0)
    meeting.add_all(1, [(b"A", part(1))], 0.0)
    meeting.take(1.0)
    meeting.finish(1)
    meeting.add_all(0, [(b"A", part(0)), (b"B", part(0))], 2.0)
    assert (sources(meeting.take(2.0)), meeting.take_single()) == ([[0]], [])
    meeting.add_all(0, [(b"C", part(0)), (b"D", part(0))], 2.0)
    assert (meeting.take(2.0), len(meeting.take_single())) == ([], 2)
    assert meeting.late == 1


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9), st.floats(0, 0.5))))
def test_no_entity_is_lost_or_comes_twice(added: list[tuple[int, int, float]]) -> None:
    """Whatever the order and the times, each entity goes on exactly once."""
    meeting = Confluence(range(3), 1.0, most=4)
    gone: list[str] = []
    now = 0.0
    for source, number, seconds in added:
        now += seconds
        meeting.add(bytes([number]), Part(source, {}, (str(number),)), now)
        gone += [parts[0].titles[0] for parts in meeting.take(now)]
    for source in range(3):
        meeting.finish(source)
    gone += [parts[0].titles[0] for parts in meeting.take(now)]
    assert sorted(gone) == sorted({str(number) for _, number, _ in added})
