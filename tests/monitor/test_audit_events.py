"""The audit message of each event, by the tables of PS3.15 A.5.3."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from dicomquest.monitor import audit_events
from dicomquest.monitor.audit_message import AuditMessage, AuditSource
from dicomquest.pdu.pdus import AAssociateRJ
from dicomquest.services.observer import (
    AlertKind,
    AssociationBegan,
    AssociationRefused,
    SecurityAlert,
    SignedIn,
)
from dicomquest.services.request import AssociationInfo, StoredInstance
from dicomquest.ul.negotiation import AUTHENTICATION_FAILED, LOCAL_LIMIT_EXCEEDED
from fixtures.audit_messages import Audited, audited
from fixtures.faces import PATIENT_ROOT
from fixtures.retrieving import finished
from fixtures.service_requests import USER, Channel, find_of, request

ASSOCIATION: AssociationInfo = request(Channel()).association
SOURCE = AuditSource("ARCHIVE")


def read(message: AuditMessage | None) -> Audited:
    assert message is not None
    return audited(message.xml(SOURCE))


@pytest.mark.parametrize(
    ("starts", "kind"), [(True, "Application Start"), (False, "Application Stop")]
)
def test_process_starts_and_stops(starts: bool, kind: str) -> None:
    found = read(audit_events.activity(0, "ARCHIVE", starts=starts))
    assert (found.event, found.event_type) == ("Application Activity", kind)
    assert found.values("ActiveParticipant", "UserID") == [str(os.getpid())]
    assert found.values("ActiveParticipant", "AlternativeUserID") == ["AETITLES=ARCHIVE"]


def test_query_has_its_encoded_identifier() -> None:
    find = find_of()._replace(identifier=b"\x08\0\x52\0")
    found = read(audit_events.query(0, find))
    assert (found.event, found.outcome, found.description) == ("Query", "0", "")
    assert found.query == b"\x08\0\x52\0"
    objects = "ParticipantObjectIdentification"
    assert found.values(objects, "ParticipantObjectID") == [PATIENT_ROOT]
    assert found.values("RoleIDCode", "originalText") == ["Source Role ID", "Destination Role ID"]
    assert found.values("ActiveParticipant", "UserID") == ["AE", str(os.getpid())]
    assert found.values("ActiveParticipant", "UserIsRequestor") == ["true", "false"]
    assert found.values("ParticipantObjectDetail", "type") == ["TransferSyntax"]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(0xFE00, "0"), (0xB001, "0"), (None, "0"), (0xA900, "4"), (0xC002, "8")],
)
def test_outcome_of_a_query_is_that_of_its_status(status: int | None, outcome: str) -> None:
    found = read(audit_events.query(0, find_of()._replace(status=status)))
    assert found.outcome == outcome
    assert bool(found.description) == (outcome != "0")


def test_verified_user_is_the_requestor() -> None:
    find = find_of()._replace(association=replace(ASSOCIATION, user_identity="anna"))
    found = read(audit_events.query(0, find))
    assert found.values("ActiveParticipant", "UserID")[2] == "anna"
    assert found.values("ActiveParticipant", "UserIsRequestor") == ["false", "false", "true"]


def test_transfer_counts_by_sop_class() -> None:
    instance = StoredInstance("1.2.3", "P1", "CITIZEN^Jan")
    counts = {"1.2.840.10008.5.1.4.1.1.2": 3, "1.2.840.10008.5.1.4.1.1.4": 1}
    found = read(audit_events.transferred(0, ASSOCIATION, instance, counts))
    assert found.event == "DICOM Instances Transferred"
    assert found.values("ParticipantObjectIdentification", "ParticipantObjectID") == ["1.2.3", "P1"]
    assert found.values("SOPClass", "NumberOfInstances") == ["3", "1"]


def test_login_and_its_failure_name_the_user() -> None:
    association = replace(ASSOCIATION, user_identity="anna")
    found = read(audit_events.login(0, AssociationBegan(association)))
    assert (found.event, found.event_type, found.outcome) == ("User Authentication", "Login", "0")
    refused = AssociationRefused(1, USER, USER, AUTHENTICATION_FAILED, "wrong passcode", "anna")
    failed = read(audit_events.refused(0, refused))
    assert (failed.event, failed.outcome) == ("User Authentication", "8")
    assert "wrong passcode" in failed.description
    for each in (found, failed):
        assert each.values("ActiveParticipant", "UserID")[0] == "anna"


@pytest.mark.parametrize(("begins", "kind"), [(True, "Login"), (False, "Logout")])
def test_sign_in_and_out_at_the_page_name_the_user(begins: bool, kind: str) -> None:
    association = replace(ASSOCIATION, user_identity="anna")
    found = read(audit_events.login(0, SignedIn(association, begins)))
    assert (found.event, found.event_type, found.outcome) == ("User Authentication", kind, "0")
    assert found.values("ActiveParticipant", "UserID")[0] == "anna"


def test_rejected_node_is_an_alert() -> None:
    refused = AssociationRefused(1, USER, USER, AAssociateRJ(1, 1, 3), "not known here")
    found = read(audit_events.refused(0, refused))
    assert (found.event, found.event_type) == ("Security Alert", "Node Authentication")
    assert found.values("ParticipantObjectDetail", "type") == ["Alert Description"]
    assert found.values("ParticipantObjectIdentification", "ParticipantObjectID") == ["127.0.0.1"]


@pytest.mark.parametrize("answer", [LOCAL_LIMIT_EXCEEDED, AAssociateRJ(1, 1, 2)])
def test_rejection_for_other_reasons_is_none(answer: AAssociateRJ) -> None:
    assert audit_events.refused(0, AssociationRefused(1, USER, USER, answer)) is None


@pytest.mark.parametrize("kind", AlertKind)
def test_each_kind_of_alert_has_its_message(kind: AlertKind) -> None:
    found = read(audit_events.alert(0, SecurityAlert(kind, "127.0.0.1", "", "no TLS")))
    assert found.event == "Security Alert"
    assert found.description == f"{kind.value}: no TLS"


def test_lost_messages_are_an_alert() -> None:
    found = read(audit_events.recording_stopped(0, 3))
    assert found.event_type == "Audit Recording Stopped"
    assert found.description.startswith("3 audit messages are lost")


def test_retrieve_tells_what_was_sent_to_whom() -> None:
    [message] = audit_events.sent(0, finished())
    found = read(message)
    assert (found.event, found.outcome) == ("DICOM Instances Transferred", "4")
    assert found.values("RoleIDCode", "originalText") == ["Source Role ID", "Destination Role ID"]
    assert found.values("ActiveParticipant", "UserID") == [str(os.getpid()), "ASKING"]
    assert found.values("SOPClass", "NumberOfInstances") == ["2"]
    objects = "ParticipantObjectIdentification"
    assert found.values(objects, "ParticipantObjectID") == ["1.2", "P1"]


def test_move_names_its_destination() -> None:
    [message] = audit_events.sent(0, finished("STORE", status=0))
    found = read(message)
    assert found.outcome == "0"
    assert found.values("ActiveParticipant", "UserID") == [str(os.getpid()), "ASKING", "STORE"]
    assert found.values("ActiveParticipant", "UserIsRequestor") == ["false", "true", "false"]
