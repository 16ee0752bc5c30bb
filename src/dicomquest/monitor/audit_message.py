"""An audit message as XML, by the schema of PS3.15 A.5.1."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import NamedTuple
from xml.etree import ElementTree as ET

from dicomquest.escaping import escaped

# What XML 1.0 allows nowhere and ``escaped`` leaves.
_NO_CHARACTER = re.compile("[\ufffe\uffff]")


class Code(NamedTuple):
    """A coded value; DICOM's own codes are of PS3.16 Annex D."""

    value: str
    meaning: str
    system: str = "DCM"


class Outcome(Enum):
    """The outcome of an event (EventOutcomeIndicator)."""

    SUCCESS = "0"
    MINOR_FAILURE = "4"
    SERIOUS_FAILURE = "8"


@dataclass(frozen=True, slots=True)
class Participant:
    """A person or process that took part; ``ae_titles`` are the AlternativeUserID of A.5.2.2."""

    user_id: str
    is_requestor: bool
    role: Code | None = None
    ae_titles: tuple[str, ...] = ()
    address: str = ""


@dataclass(frozen=True, slots=True)
class ParticipantObject:
    """An object of the event; it has a name or the bytes of a query.

    ``kind`` and ``role`` are the numbers of A.5.1.2, ``details`` pairs of a type and a value, and
    ``sop_classes`` the number of instances by SOP class.
    """

    object_id: str
    id_type: Code
    kind: str
    role: str
    name: str = ""
    query: bytes | None = None
    details: tuple[tuple[str, bytes], ...] = ()
    sop_classes: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class AuditSource:
    """The reporter of all messages of a server (AuditSourceIdentification)."""

    source_id: str
    site: str = ""


@dataclass(frozen=True, slots=True)
class AuditMessage:
    """One event; ``time`` counts seconds since the epoch, ``action`` is C, R, U, D or E."""

    event: Code
    action: str
    time: float
    outcome: Outcome
    participants: tuple[Participant, ...]
    event_type: Code | None = None
    description: str = ""
    objects: tuple[ParticipantObject, ...] = ()

    def xml(self, source: AuditSource) -> bytes:
        """Return the message as an XML document of one line."""
        root = ET.Element("AuditMessage")
        event = ET.SubElement(
            root,
            "EventIdentification",
            EventActionCode=self.action,
            EventDateTime=_date_time(self.time),
            EventOutcomeIndicator=self.outcome.value,
        )
        _code(event, "EventID", self.event)
        if self.event_type is not None:
            _code(event, "EventTypeCode", self.event_type)
        if self.description:
            ET.SubElement(event, "EventOutcomeDescription").text = _text(self.description)
        for participant in self.participants:
            _participant(root, participant)
        attributes = {"AuditSourceID": _text(source.source_id)}
        if source.site:
            attributes["AuditEnterpriseSiteID"] = _text(source.site)
        found = ET.SubElement(root, "AuditSourceIdentification", attributes)
        # 4 is an application server (A.5.1.2.1).
        ET.SubElement(found, "AuditSourceTypeCode", {"csd-code": "4"})
        for each in self.objects:
            _object(root, each)
        document: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
        return document.replace(b"\n", b"")


def _participant(root: ET.Element, participant: Participant) -> None:
    attributes = {
        "UserID": _text(participant.user_id),
        "UserIsRequestor": "true" if participant.is_requestor else "false",
    }
    if participant.ae_titles:
        attributes["AlternativeUserID"] = _text(f"AETITLES={';'.join(participant.ae_titles)}")
    if participant.address:
        attributes |= {
            "NetworkAccessPointID": _text(participant.address),
            "NetworkAccessPointTypeCode": "2",
        }
    element = ET.SubElement(root, "ActiveParticipant", attributes)
    if participant.role is not None:
        _code(element, "RoleIDCode", participant.role)


def _object(root: ET.Element, each: ParticipantObject) -> None:
    element = ET.SubElement(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=_text(each.object_id),
        ParticipantObjectTypeCode=each.kind,
        ParticipantObjectTypeCodeRole=each.role,
    )
    _code(element, "ParticipantObjectIDTypeCode", each.id_type)
    if each.query is None:
        ET.SubElement(element, "ParticipantObjectName").text = _text(each.name)
    else:
        ET.SubElement(element, "ParticipantObjectQuery").text = _base64(each.query)
    for kind, value in each.details:
        ET.SubElement(element, "ParticipantObjectDetail", type=kind, value=_base64(value))
    if each.sop_classes:
        description = ET.SubElement(element, "ParticipantObjectDescription")
        for uid, count in each.sop_classes:
            ET.SubElement(description, "SOPClass", UID=_text(uid), NumberOfInstances=str(count))


def _code(parent: ET.Element, name: str, code: Code) -> None:
    ET.SubElement(
        parent,
        name,
        {"csd-code": code.value, "codeSystemName": code.system, "originalText": code.meaning},
    )


def _date_time(time: float) -> str:
    stamp = datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds")
    return stamp.replace("+00:00", "Z")


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _text(text: str) -> str:
    """Return a text that XML can hold, whatever a peer has put into it."""
    return _NO_CHARACTER.sub("\ufffd", escaped(text))
