"""A peer cannot fill the log by repetition."""

from __future__ import annotations

import logging

import pytest

from dicomquest.dimse.commands import CCancelRQ, CEchoRQ
from dicomquest.services import repeated_lines
from dicomquest.services.repeated_lines import MOST_A_SECOND, RepeatedLines
from fixtures.faces import VERIFICATION, raw_requestor, serving

LOGGER = logging.getLogger("dicomquest.server")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(repeated_lines, "monotonic", clock)
    return clock


def test_equal_lines_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    lines = RepeatedLines()
    for line in ["one", *["two"] * 4712, "three", "three"]:
        lines.log(LOGGER, logging.WARNING, "kind", line)
    lines.end()
    lines.end()
    assert caplog.messages == [
        "one", "two", "two … and 4,711 more like it", "three", "three … and 1 more like it",
    ]  # fmt: skip


def test_many_different_lines_are_counted(caplog: pytest.LogCaptureFixture, clock: Clock) -> None:
    lines = RepeatedLines()
    for number in range(MOST_A_SECOND + 7):
        lines.log(LOGGER, logging.WARNING, "kind", str(number))
    lines.log(LOGGER, logging.WARNING, "other", "another kind")
    clock.now += 1
    lines.log(LOGGER, logging.WARNING, "kind", "later")
    assert caplog.messages == [
        *map(str, range(MOST_A_SECOND)),
        "another kind",
        f"{MOST_A_SECOND - 1} … and 7 more like it",
        "later",
    ]


def test_lines_below_the_level_are_not_counted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "dicomquest.server")
    lines = RepeatedLines()
    for _ in range(2):
        lines.log(LOGGER, logging.INFO, "kind", "line")
    lines.end()
    assert caplog.messages == []


@pytest.mark.parametrize("varies", [False, True])
def test_messages_for_nothing_fill_no_log(
    caplog: pytest.LogCaptureFixture, *, varies: bool
) -> None:
    """C-CANCELs for nothing and refused C-ECHOs, with equal Message IDs or others."""
    caplog.set_level(logging.INFO, "dicomquest.server")
    with serving() as port, raw_requestor(port) as peer:
        for number in range(500):
            message_id = number if varies else 7
            peer.send_command(CCancelRQ(message_id_being_responded_to=message_id))
            peer.send_command(
                CEchoRQ(message_id=message_id, affected_sop_class_uid=f"1.2.{number}"),
                context_id=1,
            )
            peer.receive_command()
        peer.send_command(CEchoRQ(message_id=1, affected_sop_class_uid=VERIFICATION), context_id=1)
        peer.receive_command()
    assert len(caplog.messages) < 20 * MOST_A_SECOND
    counts = [message for message in caplog.messages if "more like it" in message]
    assert any("C-CANCEL-RQ ignored" in message for message in counts)
    assert any("C-ECHO-RQ ended with 0122" in message for message in counts)
