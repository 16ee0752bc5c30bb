"""The finds that run in a process, and those that a title may begin, counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dicomquest.services.find_gate import MOST_TITLES, FindGate
from dicomquest.services.limit_names import LimitName


def test_finds_that_run_are_counted() -> None:
    gate = FindGate(2)
    assert [gate.enter("A", None, 0.0) for _ in range(3)] == [None, None, LimitName.FINDS]
    gate.leave()
    assert gate.enter("A", None, 0.0) is None


def test_refused_find_takes_no_place() -> None:
    gate = FindGate(1)
    assert gate.enter("A", 1.0, 0.0) is None
    gate.leave()
    assert gate.enter("A", 1.0, 0.5) is LimitName.FIND_RATE
    assert gate.enter("B", 1.0, 0.5) is None


def test_title_gets_its_finds_back_with_time() -> None:
    gate = FindGate(None)
    told = [gate.enter("A", 2.0, now) for now in (0.0, 0.0, 0.1, 0.5, 0.6, 9.0, 9.0, 9.0)]
    assert [limit is None for limit in told] == [
        True, True, False, True, False, True, True, False,
    ]  # fmt: skip


def test_rate_below_one_lets_one_begin() -> None:
    gate = FindGate(None)
    told = [gate.enter("A", 0.1, now) for now in (0.0, 9.0, 10.5)]
    assert told == [None, LimitName.FIND_RATE, None]


@given(
    rate=st.floats(0.1, 50),
    steps=st.lists(st.floats(0, 2), min_size=1, max_size=200),
)
def test_rate_is_kept_over_any_time(rate: float, steps: list[float]) -> None:
    gate, now, begun = FindGate(None), 0.0, 0
    for step in steps:
        now += step
        begun += gate.enter("A", rate, now) is None
        assert begun <= max(rate, 1.0) + rate * now + 1e-6


def test_many_titles_take_no_memory() -> None:
    gate = FindGate(None)
    for number in range(2 * MOST_TITLES):
        assert gate.enter(f"T{number}", 1.0, 0.0) is None
    assert len(gate._buckets) == MOST_TITLES
