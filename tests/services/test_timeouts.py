"""The time-outs of an association under pynetdicom's names."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from dicomquest.services.timeouts import HasTimeouts
from dicomquest.ul.timers import Timeouts


class Holder(HasTimeouts):
    def __init__(self) -> None:
        self.held = Timeouts()

    @property
    def _timeouts(self) -> Timeouts:
        return self.held

    def _use_timeouts(self, timeouts: Timeouts) -> None:
        self.held = timeouts


@pytest.mark.parametrize(
    ("name", "timers"),
    [
        ("connection_timeout", {"connect"}),
        ("acse_timeout", {"associate_request", "association", "release"}),
        ("dimse_timeout", {"first_response", "dimse"}),
        ("retrieve_timeout", {"retrieve"}),
        ("network_timeout", {"idle", "pdu", "write"}),
    ],
)
@pytest.mark.parametrize("seconds", [7.5, None])
def test_a_name_sets_its_timers(name: str, timers: set[str], seconds: float | None) -> None:
    holder = Holder()
    before = asdict(holder.held)
    setattr(holder, name, seconds)
    assert getattr(holder, name) == seconds
    after = asdict(holder.held)
    assert {timer for timer in after if after[timer] != before[timer]} == timers
    assert {after[timer] for timer in timers} == {seconds}
