"""An instance prepared for its rows: the attributes of each level, and search forms (PS3.4 C.3.1).

Pure, and the most expensive part of ingest, so that it can run in another process than the writer.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from dicomquest.index.tables.rows import (
    Forms,
    Record,
    column_text,
    element_json,
    forms,
    is_kept,
    records,
)
from dicomquest.query.search_forms import is_empty
from dicomquest.standard.attributes import attribute_name
from dicomquest.standard.keys import KEYS_BY_KEYWORD
from dicomquest.standard.levels import Level
from dicomquest.standard.object_keys import OBJECT_CLASSES
from dicomquest.standard.tags import SPECIFIC_CHARACTER_SET, TRANSFER_SYNTAX_UID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dicomquest.dataset.elements import DataSet

_DICOMDIR = "1.2.840.10008.1.3.10"
_DIRECTORY_RECORD_SEQUENCE = 0x00041220
# Characters: more than the 64 of the Standard, as some exceed it, and less than an index can hold.
_LONGEST_UID = 256
_UIDS = [
    KEYS_BY_KEYWORD[keyword]
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
]
_SOP_CLASS_UID = KEYS_BY_KEYWORD["SOPClassUID"].tag
_TRANSFER_SYNTAX_COLUMN = KEYS_BY_KEYWORD["AvailableTransferSyntaxUID"].column


class Reason(Enum):
    """The reason why an instance is not indexed."""

    NOT_DICOM = "not DICOM"
    DICOMDIR = "DICOMDIR"
    TRUNCATED = "truncated"
    MALFORMED = "malformed data set"
    NO_SOP_INSTANCE_UID = "no SOP Instance UID"
    NO_STUDY_OR_SERIES_UID = "no Study or Series Instance UID"
    UNFIT_UID = "unfit UID"
    UNREADABLE = "cannot be read"
    CHANGED = "changed or moved while it was read"


class Skipped(NamedTuple):
    """An instance that is not indexed; no patient data in ``detail``. ``tag``: of an unfit UID."""

    reason: Reason
    detail: str = ""
    tag: int | None = None


class Received(NamedTuple):
    """A prepared instance; ``patient`` is PatientID and IssuerOfPatientID, either may be empty."""

    patient: tuple[str, str]
    study_uid: str
    series_uid: str
    sop_uid: str
    records: dict[Level, Record]
    forms: Forms

    @property
    def texts(self) -> dict[Level, Mapping[str, str]]:
        """The texts of the columns, by level."""
        return {level: record.texts for level, record in self.records.items()}


class ReceivedObject(NamedTuple):
    """A prepared instance that belongs to no patient (PS3.4 GG); ``attributes`` is its JSON."""

    sop_uid: str
    sop_class_uid: str
    attributes: str

    @property
    def texts(self) -> dict[Level, Mapping[str, str]]:
        """The texts of an instance of which only the UIDs are known, by level."""
        own = {_UIDS[0].column: self.sop_uid, "sop_class_uid": self.sop_class_uid}
        return {level: own if level is Level.IMAGE else {} for level in Level}


Prepared: TypeAlias = Received | ReceivedObject


def receive(data_set: DataSet, default_zone: int) -> Prepared | Skipped:
    """Prepare a decoded header, which includes its Transfer Syntax UID if that is known."""
    sop_class = _text(data_set, _SOP_CLASS_UID)
    if sop_class == _DICOMDIR or _DIRECTORY_RECORD_SEQUENCE in data_set:
        return Skipped(Reason.DICOMDIR)
    sop, study, series = uids = [_text(data_set, key.tag) for key in _UIDS]
    if not sop:
        return Skipped(Reason.NO_SOP_INSTANCE_UID)
    if sop_class in OBJECT_CLASSES:
        return _unfit(uids[:1]) if _is_unfit(sop) else _object(data_set, sop, sop_class)
    if not (study and series):
        return Skipped(Reason.NO_STUDY_OR_SERIES_UID)
    if any(map(_is_unfit, uids)):
        return _unfit(uids)
    patient, issuer = (
        _text(data_set, KEYS_BY_KEYWORD[keyword].tag)
        for keyword in ("PatientID", "IssuerOfPatientID")
    )
    found = records(data_set)
    syntax = _text(data_set, TRANSFER_SYNTAX_UID)
    if syntax:
        found[Level.IMAGE].texts[_TRANSFER_SYNTAX_COLUMN] = syntax
    own = forms(Level.IMAGE, found[Level.IMAGE], default_zone, data_set)
    return Received((patient, issuer), study, series, sop, found, own)


def _text(data_set: DataSet, tag: int) -> str:
    element = data_set.get(tag)
    return column_text("UI", element) if element is not None else ""


def _object(data_set: DataSet, uid: str, sop_class: str) -> ReceivedObject:
    parts = [
        (tag, element_json(element))
        for tag, element in data_set.items()
        if is_kept(tag) and tag != SPECIFIC_CHARACTER_SET and not is_empty(element)
    ]
    attributes = ",".join(f'"{tag:08X}":{text}' for tag, text in parts if text is not None)
    return ReceivedObject(uid, sop_class, f"{{{attributes}}}")


def is_fit(uid: str) -> bool:
    """Tell whether an instance can have this UID in the index."""
    return bool(uid) and not _is_unfit(uid)


def _is_unfit(uid: str) -> bool:
    return len(uid) > _LONGEST_UID or "\\" in uid


def _unfit(uids: Sequence[str]) -> Skipped:
    """Name the UID that is too long, or that has several values."""
    key, uid = next((key, uid) for key, uid in zip(_UIDS, uids, strict=False) if _is_unfit(uid))
    values = uid.count("\\") + 1
    found = (
        f"has {values} values"
        if values > 1
        else f"has {len(uid)} characters (at most {_LONGEST_UID})"
    )
    return Skipped(Reason.UNFIT_UID, f"{attribute_name(key.tag)} {found}", key.tag)
