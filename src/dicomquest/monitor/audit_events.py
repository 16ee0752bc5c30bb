"""The audit message of each event, by the tables of PS3.15 A.5.3."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from dicomquest.monitor.audit_message import (
    AuditMessage,
    Code,
    Outcome,
    Participant,
    ParticipantObject,
)
from dicomquest.pdu.pdus import AAssociateRJ
from dicomquest.services.disclosures import InstancesAccessed, StudiesExported
from dicomquest.services.observer import (
    AlertKind,
    AssociationBegan,
    AssociationRefused,
    FindFinished,
    RetrieveFinished,
    SecurityAlert,
    SignedIn,
)
from dicomquest.services.request import AssociationInfo, ServiceUser, StoredInstance
from dicomquest.services.retrieve_progress import Retrieved
from dicomquest.services.retrieve_source import StudyOfPatient
from dicomquest.services.step_events import StepFinished
from dicomquest.standard import statuses
from dicomquest.ul.negotiation import AUTHENTICATION_FAILED

# A.5.3.1 to A.5.3.12, and PS3.16 CID 400 to 405.
ACTIVITY = Code("110100", "Application Activity")
ACCESSED = Code("110103", "DICOM Instances Accessed")
TRANSFERRED = Code("110104", "DICOM Instances Transferred")
EXPORT = Code("110106", "Export")
QUERY = Code("110112", "Query")
PROCEDURE_RECORD = Code("110111", "Procedure Record")
ALERT = Code("110113", "Security Alert")
AUTHENTICATION = Code("110114", "User Authentication")

START = Code("110120", "Application Start")
STOP = Code("110121", "Application Stop")
LOGIN = Code("110122", "Login")
LOGOUT = Code("110123", "Logout")
NODE_AUTHENTICATION = Code("110126", "Node Authentication")
RESTRICTED_FUNCTION = Code("110132", "Use of Restricted Function")
RECORDING_STOPPED = Code("110133", "Audit Recording Stopped")
RECORDING_STARTED = Code("110134", "Audit Recording Started")

APPLICATION = Code("110150", "Application")
DESTINATION = Code("110152", "Destination Role ID")
SOURCE = Code("110153", "Source Role ID")
MEDIA = Code("110154", "Destination Media")
URI = Code("110037", "URI")

STUDY_UID = Code("110180", "Study Instance UID")
CLASS_UID = Code("110181", "SOP Class UID")
NODE_ID = Code("110182", "Node ID")
PATIENT_NUMBER = Code("2", "Patient Number", "RFC-3881")

PERSON, SYSTEM = "1", "2"
"""Kinds of participant objects (A.5.1.2)."""

PATIENT, REPORT, SECURITY_RESOURCE = "1", "3", "13"
"""Roles of participant objects (A.5.1.2.2)."""

ALERT_TYPES = {
    AlertKind.HANDSHAKE: NODE_AUTHENTICATION,
    AlertKind.IDENTITY: NODE_AUTHENTICATION,
    AlertKind.LOCKED_OUT: NODE_AUTHENTICATION,
    AlertKind.FORBIDDEN: RESTRICTED_FUNCTION,
}

MOST_EXPORTED = 100
"""Studies of one message of an export: some syslog receivers take no more than 64 KB."""

BY_USER = 1
"""The source of an A-ASSOCIATE-RJ that rejects who asks; the others are of the service provider."""


def process(*ae_titles: str, is_requestor: bool = False, role: Code | None = None) -> Participant:
    """Return this process as a participant."""
    return Participant(str(os.getpid()), is_requestor, role, ae_titles)


def activity(time: float, ae_title: str, *, starts: bool) -> AuditMessage:
    """Return the message of a process that starts or stops (A.5.3.1)."""
    return AuditMessage(
        ACTIVITY,
        "E",
        time,
        Outcome.SUCCESS,
        (process(ae_title, role=APPLICATION),),
        START if starts else STOP,
    )


def query(time: float, event: FindFinished) -> AuditMessage:
    """Return the message of a query, with the encoded identifier (A.5.3.10)."""
    context = event.context
    asked = ParticipantObject(
        context.abstract_syntax,
        CLASS_UID,
        SYSTEM,
        REPORT,
        query=event.identifier,
        details=(("TransferSyntax", context.transfer_syntax.encode()),),
    )
    outcome = _outcome(event.status)
    return AuditMessage(
        QUERY,
        "E",
        time,
        outcome,
        _both_sides(event.association),
        description="" if outcome is Outcome.SUCCESS else f"{event.code}, {event.reason}",
        objects=(asked,),
    )


def transferred(
    time: float,
    association: AssociationInfo,
    instance: StoredInstance,
    counts: Mapping[str, int],
) -> AuditMessage:
    """Return the message of instances received, all of the study of one (A.5.3.7).

    ``counts`` has their number by SOP class.
    """
    # R: the server does not note which of the instances it has had before.
    return AuditMessage(
        TRANSFERRED,
        "R",
        time,
        Outcome.SUCCESS,
        _both_sides(association),
        objects=_study_and_patient(instance, counts),
    )


def step(time: float, event: StepFinished) -> AuditMessage:
    """Return the message of a performed step that was made or changed (A.5.3.13)."""
    assert event.instance is not None  # noqa: S101  others are not audited
    return AuditMessage(
        PROCEDURE_RECORD,
        "C" if event.service == "N-CREATE" else "U",
        time,
        Outcome.SUCCESS,
        _both_sides(event.association),
        objects=_study_and_patient(event.instance, {}),
    )


def sent(time: float, event: RetrieveFinished) -> list[AuditMessage]:
    """Return the messages of instances that a retrieve has sent, one a study (A.5.3.7)."""
    progress, association = event.retrieved.progress, event.association
    if progress is None:
        return []
    return [
        AuditMessage(
            TRANSFERRED,
            "R",
            time,
            Outcome.SUCCESS if event.status == statuses.SUCCESS else Outcome.MINOR_FAILURE,
            _sides_of_retrieve(event.retrieved, association),
            description="" if event.status == statuses.SUCCESS else f"{event.code}, {event.reason}",
            objects=_study_and_patient(study, counts),
        )
        for study, counts in progress.sent.items()
    ]


def _sides_of_retrieve(
    retrieved: Retrieved, association: AssociationInfo
) -> tuple[Participant, ...]:
    """Return this process, who asked, and the destination of a C-MOVE if that is another."""
    user, requestor = association.user_identity, association.requestor
    is_get = not retrieved.destination
    asking = Participant(
        requestor.ae_title,
        user is None,
        DESTINATION if is_get else None,
        (requestor.ae_title,),
        requestor.address,
    )
    sides = [process(association.acceptor.ae_title, role=SOURCE), asking]
    if not is_get:
        title, address = retrieved.destination, retrieved.destination_address
        sides.append(Participant(title, False, DESTINATION, (title,), address))
    if user is not None:
        sides.append(Participant(user, is_requestor=True, address=requestor.address))
    return tuple(sides)


def _study_and_patient(
    study: StoredInstance | StudyOfPatient, counts: Mapping[str, int]
) -> tuple[ParticipantObject, ParticipantObject]:
    return (
        ParticipantObject(
            study.study_uid,
            STUDY_UID,
            SYSTEM,
            REPORT,
            name=study.study_uid,
            sop_classes=tuple(counts.items()),
        ),
        ParticipantObject(
            study.patient_id, PATIENT_NUMBER, PERSON, PATIENT, name=study.patient_name
        ),
    )


def accessed(time: float, event: InstancesAccessed) -> AuditMessage:
    """Return the message of a study, or a part of it, that somebody was shown (A.5.3.6)."""
    classes = {event.sop_class_uid: 1} if event.sop_class_uid else {}
    study, patient = _study_and_patient(event.study, classes)
    return AuditMessage(
        ACCESSED,
        "R",
        time,
        Outcome.SUCCESS,
        (_person(event.association), process(event.association.acceptor.ae_title)),
        objects=(replace(study, details=(("Shown", event.shown.encode()),)), patient),
    )


def exported(time: float, event: StudiesExported) -> list[AuditMessage]:
    """Return the messages of studies in a table that somebody took out (A.5.3.4)."""
    association = event.association
    person = replace(_person(association), role=DESTINATION)
    file = Participant(event.file, is_requestor=False, role=MEDIA, media=URI)
    return [
        AuditMessage(
            EXPORT,
            "R",
            time,
            Outcome.SUCCESS,
            (person, process(association.acceptor.ae_title, role=SOURCE), file),
            objects=_studies_and_patients(event.studies[at : at + MOST_EXPORTED]),
        )
        for at in range(0, len(event.studies), MOST_EXPORTED)
    ]


def _person(association: AssociationInfo) -> Participant:
    """Return who asks: the verified user, else the peer."""
    requestor = association.requestor
    return Participant(
        association.user_identity or requestor.ae_title,
        is_requestor=True,
        ae_titles=(requestor.ae_title,),
        address=requestor.address,
    )


def _studies_and_patients(studies: Sequence[StudyOfPatient]) -> tuple[ParticipantObject, ...]:
    """Return each study, then each patient once."""
    pairs = [_study_and_patient(each, {}) for each in studies]
    patients = dict.fromkeys(patient for _, patient in pairs)
    return (*(study for study, _ in pairs), *patients)


def login(time: float, event: AssociationBegan | SignedIn) -> AuditMessage:
    """Return the message of a user who was verified, or who signed out (A.5.3.12)."""
    association = event.association
    user = Participant(
        association.user_identity or "",
        is_requestor=True,
        address=association.requestor.address,
    )
    return AuditMessage(
        AUTHENTICATION,
        "E",
        time,
        Outcome.SUCCESS,
        (user, process(association.acceptor.ae_title)),
        LOGOUT if isinstance(event, SignedIn) and not event.begins else LOGIN,
    )


def refused(time: float, event: AssociationRefused) -> AuditMessage | None:
    """Return the message of a user or a node that was rejected; None for lack of resources."""
    requestor = event.requestor
    if event.answer == AUTHENTICATION_FAILED:
        user = Participant(event.user or "unknown", is_requestor=True, address=requestor.address)
        return AuditMessage(
            AUTHENTICATION,
            "E",
            time,
            Outcome.SERIOUS_FAILURE,
            (user, process(event.acceptor.ae_title)),
            LOGIN,
            event.reason,
        )
    if event.answer.source != BY_USER or event.answer == AAssociateRJ(1, 1, 2):
        return None
    return _alert(time, NODE_AUTHENTICATION, requestor, event.reason)


def alert(time: float, event: SecurityAlert) -> AuditMessage:
    """Return the message of a security alert (A.5.3.11)."""
    peer = ServiceUser(event.ae_title, event.address, 0)
    reason = f"{event.kind.value}: {event.reason}"
    return _alert(time, ALERT_TYPES[event.kind], peer, reason, event.user)


def recording_stopped(time: float, lost: int) -> AuditMessage:
    """Return the message of messages that are lost (A.5.3.11)."""
    return AuditMessage(
        ALERT,
        "E",
        time,
        Outcome.SERIOUS_FAILURE,
        (process(is_requestor=True),),
        RECORDING_STOPPED,
        f"{lost} audit messages are lost: the trail could not take them",
    )


def redirected(time: float, *, starts: bool) -> AuditMessage:
    """Return the message of a trail that begins or ends while the application runs (A.5.3.11)."""
    return AuditMessage(
        ALERT,
        "E",
        time,
        Outcome.SUCCESS,
        (process(is_requestor=True),),
        RECORDING_STARTED if starts else RECORDING_STOPPED,
        f"the configuration lets the audit trail {'begin' if starts else 'end'} here",
    )


def _alert(time: float, kind: Code, peer: ServiceUser, reason: str, user: str = "") -> AuditMessage:
    title = peer.ae_title or "unknown"
    node = ParticipantObject(
        peer.address,
        NODE_ID,
        SYSTEM,
        SECURITY_RESOURCE,
        name=title,
        details=(("Alert Description", reason.encode("utf-8", "replace")),),
    )
    return AuditMessage(
        ALERT,
        "E",
        time,
        Outcome.SERIOUS_FAILURE,
        (
            process(is_requestor=True),
            Participant(title, is_requestor=False, ae_titles=(title,), address=peer.address),
            *([Participant(user, is_requestor=False, address=peer.address)] if user else []),
        ),
        kind,
        reason,
        (node,),
    )


def _both_sides(association: AssociationInfo) -> tuple[Participant, ...]:
    """Return the peer, this process, and the verified user, who is the requestor if there is one.

    The peer's process is known by its AE title alone.
    """
    user, requestor = association.user_identity, association.requestor
    sides = (
        Participant(
            requestor.ae_title,
            user is None,
            SOURCE,
            (requestor.ae_title,),
            requestor.address,
        ),
        process(association.acceptor.ae_title, role=DESTINATION),
    )
    if user is None:
        return sides
    return (*sides, Participant(user, is_requestor=True, address=requestor.address))


def _outcome(status: int | None) -> Outcome:
    if status in {statuses.SUCCESS, statuses.CANCEL, statuses.RESPONSE_LIMIT_REACHED, None}:
        return Outcome.SUCCESS
    if status in {statuses.INDEX_FAILED, statuses.OUT_OF_RESOURCES, statuses.HANDLER_FAILED}:
        return Outcome.SERIOUS_FAILURE
    return Outcome.MINOR_FAILURE
