"""Events on their way into the log."""

from __future__ import annotations

import logging

import pytest

from dicomquest.services.event_log import EventLog
from dicomquest.services.observer import LoggedEvent
from fixtures.service_requests import find_of


class Keeper:
    def __init__(self) -> None:
        self.kept: list[LoggedEvent] = []

    def keep(self, event: LoggedEvent) -> None:
        self.kept.append(event)


@pytest.mark.parametrize(("level", "count"), [("INFO", 1), ("WARNING", 0)])
@pytest.mark.parametrize("keeps", [True, False])
def test_event_goes_one_way_at_its_level(
    level: str, count: int, keeps: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """With a keeper there is no record; below the level there is neither."""
    caplog.set_level(level, "dicomquest.server")
    log, keeper, event = EventLog(), Keeper(), find_of()
    if keeps:
        log.keeper = keeper
    log.log(event)
    assert keeper.kept == [event] * count * keeps
    assert caplog.messages == [str(event)] * count * (not keeps)
    assert {record.levelno for record in caplog.records} <= {logging.INFO}
