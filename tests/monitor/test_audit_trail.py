"""The audit trail: its bounded queue, its losses, its last words."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from dicomquest.monitor import audit_trail
from dicomquest.monitor.audit_message import AuditSource
from dicomquest.monitor.audit_trail import MOST_INSTANCES, AuditTrail
from dicomquest.pdu.pdus import AAssociateRJ
from dicomquest.services.limit_names import LimitName
from dicomquest.services.observer import (
    AssociationBegan,
    AssociationOver,
    AssociationRefused,
    LimitHit,
    StoreFinished,
)
from dicomquest.services.request import StoredInstance
from dicomquest.services.step_events import StepFinished
from fixtures.audit_messages import Audited, audited
from fixtures.postgresql_cluster import wait_for
from fixtures.service_requests import USER, Channel, find_of, request
from fixtures.timing import LONG

START, STOP = "Application Start", "Application Stop"
CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"


class Sink:
    """Keeps messages; it fails while ``works`` is not set."""

    def __init__(self, *, works: bool = True) -> None:
        self.works = threading.Event()
        self.tried = threading.Event()
        self.documents: list[bytes] = []
        self.is_closed = False
        if works:
            self.works.set()

    def write(self, messages: list[bytes]) -> None:
        self.tried.set()
        if not self.works.is_set():
            raise OSError("the disk is full")
        self.documents += messages

    def close(self) -> None:
        self.is_closed = True

    @property
    def messages(self) -> list[Audited]:
        return [audited(document) for document in self.documents]

    @property
    def events(self) -> list[str]:
        return [message.event for message in self.messages]


def trail_of(sink: Sink, most: int = 100, **more: Any) -> AuditTrail:
    return AuditTrail(sink, AuditSource("ARCHIVE"), "ARCHIVE", most, **more)


def stored(study: str, sop_class: str = CT, status: int = 0) -> StoreFinished:
    association = request(Channel()).association
    association.state.has_stored = True
    instance = StoredInstance(study, "P1", "CITIZEN^Jan")
    return StoreFinished(association, sop_class, "1.2.3", instance, status, "", 0.1)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_trail, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(audit_trail, "LAST_WORDS", 0.1)


def test_trail_has_start_events_and_stop() -> None:
    sink = Sink()
    trail = trail_of(sink)
    trail.tell(find_of())
    trail.tell(AssociationRefused(1, USER, USER, AAssociateRJ(1, 1, 3)))
    trail.close()
    assert sink.events == [
        "Application Activity", "Query", "Security Alert", "Application Activity",
    ]  # fmt: skip
    assert [sink.messages[at].event_type for at in (0, -1)] == [START, STOP]
    assert sink.is_closed


def test_what_is_no_event_of_audit_is_left_out() -> None:
    sink = Sink()
    trail = trail_of(sink)
    association = request(Channel()).association
    for event in (
        AssociationBegan(association),
        AssociationOver(association, "released", "", 1.0),
        LimitHit(LimitName.RESULTS, "127.0.0.1"),
        stored("1.2", status=0xA700),
        stored("1.2")._replace(instance=None),
    ):
        trail.tell(event)
    trail.close()
    assert len(sink.events) == 2


@pytest.mark.parametrize(("service", "action"), [("N-CREATE", "C"), ("N-SET", "U")])
def test_performed_step_is_a_procedure_record(service: str, action: str) -> None:
    """A stored step is audited with its study and its patient, a refused one is not."""
    sink = Sink()
    trail = trail_of(sink)
    event = StepFinished(
        request(Channel()).association,
        service,
        "1.2",
        StoredInstance("1.9", "P1", "A^B"),
        0,
        "",
        0.1,
    )
    trail.tell(event)
    trail.tell(event._replace(status=0x0112, instance=None))
    trail.close()
    assert sink.events[1:-1] == ["Procedure Record"]
    message = sink.messages[1]
    assert message.values("EventIdentification", "EventActionCode") == [action]
    assert message.values("ParticipantObjectIdentification", "ParticipantObjectID") == ["1.9", "P1"]


def counts(sink: Sink) -> list[tuple[str, list[str]]]:
    """The study of each message of a transfer, and its numbers by SOP class."""
    return [
        (
            message.values("ParticipantObjectIdentification", "ParticipantObjectID")[0],
            message.values("SOPClass", "NumberOfInstances"),
        )
        for message in sink.messages
        if message.event == "DICOM Instances Transferred"
    ]


def test_transfer_is_told_by_study_when_it_ends() -> None:
    sink = Sink()
    trail = trail_of(sink)
    events = [stored("1.1"), stored("1.1"), stored("1.1", MR), stored("1.2")]
    for event in events:
        trail.tell(event)
    trail.tell(AssociationOver(events[0].association, "released", "", 1.0))
    wait_for(lambda: len(sink.documents) == 3, "both studies")
    trail.tell(stored("1.3"))
    trail.close()
    assert counts(sink) == [("1.1", ["2", "1"]), ("1.2", ["1"]), ("1.3", ["1"])]


def test_long_transfer_is_told_in_parts() -> None:
    sink = Sink()
    trail = trail_of(sink, 2 * MOST_INSTANCES)
    for _ in range(MOST_INSTANCES + 1):
        trail.tell(stored("1.1"))
    trail.close()
    assert counts(sink) == [("1.1", [str(MOST_INSTANCES)]), ("1.1", ["1"])]


def test_sink_that_fails_loses_nothing_that_fits(caplog: pytest.LogCaptureFixture) -> None:
    sink = Sink(works=False)
    trail = trail_of(sink)
    assert sink.tried.wait(10)
    for _ in range(50):
        trail.tell(find_of())
    sink.works.set()
    wait_for(lambda: len(sink.documents) == 51, "all messages")
    trail.close()
    assert sink.events.count("Query") == 50
    assert "the audit trail is written again" in caplog.messages
    assert sum("cannot be written: the disk is full" in line for line in caplog.messages) == 1


@pytest.mark.parametrize("bound", ["number", "bytes"])
def test_losses_are_counted_and_told(
    bound: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[int] = []
    sink = Sink(works=False)
    trail = trail_of(sink, 10 if bound == "number" else 1000, count_lost=lost.append)
    assert sink.tried.wait(10)
    if bound == "bytes":
        monkeypatch.setattr(audit_trail, "MOST_BYTES", 10 * audit_trail.SIZE)
    assert trail.objection() == ""
    for _ in range(25):
        trail.tell(find_of())
    assert sum(lost) == 15
    assert trail.objection() == "the audit trail takes no more messages"
    sink.works.set()
    wait_for(lambda: len(sink.documents) == 12, "the messages and the loss")
    assert trail.objection() == ""
    trail.close()
    (alert,) = (message for message in sink.messages if message.event == "Security Alert")
    assert alert.description.startswith("15 audit messages are lost")
    assert sum("from now on they are lost" in line for line in caplog.messages) == 1


def test_large_identifiers_fill_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_trail, "MOST_BYTES", 1 << 20)
    lost: list[int] = []
    sink = Sink(works=False)
    trail = trail_of(sink, 1000, count_lost=lost.append)
    assert sink.tried.wait(10)
    find = find_of()._replace(identifier=bytes(300_000))
    for _ in range(5):
        trail.tell(find)
    assert sum(lost) == 2
    sink.works.set()
    trail.close()


def test_end_does_not_wait_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    lost: list[int] = []
    trail = trail_of(Sink(works=False), count_lost=lost.append)
    trail.tell(find_of())
    trail.close()
    assert sum(lost) == 3  # the start, the query, the stop
    assert any("audit messages are lost" in line for line in caplog.messages)


def test_tell_never_waits_for_the_sink() -> None:
    goes_on = threading.Event()

    class Slow(Sink):
        def write(self, messages: list[bytes]) -> None:
            goes_on.wait(LONG)
            super().write(messages)

    sink = Slow()
    trail = trail_of(sink)
    for _ in range(50):
        trail.tell(find_of())
    assert sink.documents == []
    goes_on.set()
    trail.close()
    assert sink.events.count("Query") == 50


STARTED, STOPPED = "Audit Recording Started", "Audit Recording Stopped"


def types(sink: Sink) -> list[str]:
    return [message.event_type or message.event for message in sink.messages]


def test_redirected_trail_goes_on_elsewhere() -> None:
    first, second = Sink(), Sink()
    trail = trail_of(first)
    trail.tell(find_of())
    wait_for(lambda: len(first.events) == 2, "the first query")
    trail.redirect(second, AuditSource("OTHER"), "OTHER", 100)
    wait_for(lambda: bool(second.events), "the begin of the other trail")
    trail.tell(find_of())
    trail.close()
    assert types(first)[-1] == STOPPED
    assert first.is_closed
    assert second.events == ["Security Alert", "Query", "Application Activity"]
    assert types(second)[0] == STARTED
    assert types(second)[-1] == STOP


def test_redirection_rescues_what_waits() -> None:
    """A repository that is dead costs no message if another one takes its place."""
    dead, never_used, alive = Sink(works=False), Sink(), Sink()
    trail = trail_of(dead)
    for _ in range(3):
        trail.tell(find_of())
    assert dead.tried.wait(LONG)
    with trail._changed:
        trail.redirect(never_used, AuditSource("A"), "A", 100)
        trail.redirect(alive, AuditSource("A"), "A", 100)
    trail.close()
    assert dead.events == never_used.events == []
    assert dead.is_closed
    assert never_used.is_closed
    assert alive.events.count("Query") == 3
    assert types(alive)[0] == STARTED


def test_trail_begins_and_ends_while_server_goes_on() -> None:
    sink = Sink()
    trail = trail_of(sink, has_started=True)
    trail.tell(find_of())
    trail.stop()
    wait_for(lambda: sink.is_closed, "the end of the trail")
    assert sink.events == ["Security Alert", "Query", "Security Alert"]
    assert [types(sink)[at] for at in (0, -1)] == [STARTED, STOPPED]
