"""One entry of the worklist, made of a data set with its Scheduled Procedure Step (PS3.4 K.6.1)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dicomquest.dataset.charset import UTF_8
from dicomquest.dataset.elements import Element, clean_text
from dicomquest.dataset.encoder import encode
from dicomquest.errors import DataSetError, DicomquestError, ValueFormatError
from dicomquest.index.tables.rows import element_json, stored_text
from dicomquest.index.tables.schema import ENTRY_COLUMNS
from dicomquest.query.search_forms import is_empty, search_form
from dicomquest.standard.attributes import attribute_name
from dicomquest.standard.tags import (
    FIRST_TAG,
    SCHEDULED_PROCEDURE_STEP_SEQUENCE,
    SPECIFIC_CHARACTER_SET,
)
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from dicomquest.standard.vr import VR, Kind
from dicomquest.standard.worklist_keys import (
    NEEDED,
    START_DATE,
    START_TIME,
    WORKLIST_KEYS_BY_KEYWORD,
    WorklistKey,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dicomquest.dataset.elements import DataSet

LONGEST_COLUMN = 512
"""Characters of a value in a column: PostgreSQL indexes no text of more than some kilobytes."""

_PIXEL_DATA_GROUP = 0x7FE0
_OF_IDENTITY = tuple(
    WORKLIST_KEYS_BY_KEYWORD[keyword]
    for keyword in (
        "StudyInstanceUID",
        "AccessionNumber",
        "RequestedProcedureID",
        "ScheduledProcedureStepID",
    )
)
# Steps without an ID are told apart by their place and time.
_INSTEAD_OF_ID = tuple(
    WORKLIST_KEYS_BY_KEYWORD[keyword]
    for keyword in (
        "PatientID",
        "Modality",
        "ScheduledProcedureStepStartDate",
        "ScheduledProcedureStepStartTime",
    )
)

# The numbers and codes by which modalities ask, and archives find what belongs together.
_MATCHED_WHOLE = frozenset(
    {
        0x00080050, 0x00080060, 0x00100020, 0x00100021, 0x00100040, 0x0020000D, 0x00380010,
        0x00400001, 0x00400009, 0x00400020, 0x00401001, 0x00402016, 0x00402017,
    }
)  # fmt: skip


class WorklistEntryError(DicomquestError, ValueError):
    """A data set that is no worklist entry; the message names the attribute and the remedy."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as the tables hold it.

    ``identity`` tells its step from all others; ``columns`` have the search forms in the order of
    ``ENTRY_COLUMNS``; ``stations`` are the AE titles of which any may perform the step;
    ``attributes`` is the whole entry in the DICOM JSON Model.
    """

    identity: str
    columns: tuple[str | None, ...]
    stations: tuple[str, ...]
    start_date: str | None
    attributes: str


def entries_of(data_set: DataSet, *, may_lack: bool = False) -> list[Entry]:
    """Return the entries of a data set, one a step; WorklistEntryError if it is not fit.

    ``may_lack`` takes entries without attributes of type 1, which responses then have empty.
    """
    kept = dict(kept_elements(data_set))
    steps = kept.get(SCHEDULED_PROCEDURE_STEP_SEQUENCE)
    if steps is None or steps.vr != "SQ":
        raise WorklistEntryError(
            "no Scheduled Procedure Step Sequence (0040,0100): this is no worklist entry"
        )
    return [
        _entry(
            kept | {SCHEDULED_PROCEDURE_STEP_SEQUENCE: Element("SQ", (step,))}, may_lack=may_lack
        )
        for step in steps.values
    ]


def kept_elements(data_set: DataSet) -> Iterator[tuple[int, Element]]:
    """Give the attributes that have a value, cleaned as a decoder does."""
    for tag, element in sorted(data_set.items()):
        group = tag >> 16
        if tag & 0xFFFF == 0 or tag < FIRST_TAG or group == _PIXEL_DATA_GROUP:
            continue
        if tag == SPECIFIC_CHARACTER_SET:
            continue
        cleaned = _cleaned(element)
        if not is_empty(cleaned):
            yield tag, cleaned


def fault_of(tag: int, vr: str, value: str) -> str:
    """Return why DICOM cannot carry a number or a code; empty if it can, and for other texts."""
    if tag not in _MATCHED_WHOLE:
        return ""
    if "\\" in value:
        return f"has a backslash: {attribute_name(tag)} ({vr}) has none within a value"
    limit = VR[vr].limit
    if limit is not None and len(value) > limit:
        told = f"has {len(value):,} characters"
        return f"{told}: {attribute_name(tag)} ({vr}) has at most {limit}"
    return ""


def _refuse_faulty(data_set: DataSet) -> None:
    for tag, (vr, values) in data_set.items():
        for value in values if VR[vr].kind is Kind.TEXT else ():
            if fault := fault_of(tag, vr, value):
                raise WorklistEntryError(f"{attribute_name(tag)} {value[:70]!r} {fault}")


def _cleaned(element: Element) -> Element:
    vr, values = element
    if vr == "SQ":
        return Element(vr, tuple(dict(kept_elements(item)) for item in values))
    if VR[vr].kind is Kind.TEXT:
        return Element(vr, tuple(clean_text(vr, str(value)) for value in values))
    return element


def _entry(entry: DataSet, *, may_lack: bool) -> Entry:
    if not may_lack:
        _refuse_lacking(entry)
    _refuse_faulty(entry)
    _refuse_faulty(entry[SCHEDULED_PROCEDURE_STEP_SEQUENCE].values[0])
    try:
        # An entry that no response can hold would spoil the whole list of its station.
        encode(entry, EXPLICIT_VR_LITTLE_ENDIAN, UTF_8)
    except (DataSetError, ValueFormatError) as error:
        raise WorklistEntryError(f"a value cannot be sent: {error}") from error
    columns = [form for key in ENTRY_COLUMNS for form in _forms(entry, key)]
    texts = [_text(entry, key) for key in _OF_IDENTITY]
    if not texts[-1]:
        texts += [_text(entry, key) for key in _INSTEAD_OF_ID]
    stations = _found(entry, WORKLIST_KEYS_BY_KEYWORD["ScheduledStationAETitle"])
    titles = () if stations is None else tuple(dict.fromkeys(filter(None, stations.values)))
    date = _forms(entry, WORKLIST_KEYS_BY_KEYWORD["ScheduledProcedureStepStartDate"])[0]
    return Entry(
        stored_text(json.dumps(texts, ensure_ascii=False)),
        tuple(columns),
        tuple(map(stored_text, titles)),
        date,
        json_of(entry),
    )


def json_of(data_set: DataSet) -> str:
    """Return a data set in the DICOM JSON Model, as the tables hold it."""
    parts = [(tag, element_json(element)) for tag, element in data_set.items()]
    attributes = ",".join(f'"{tag:08X}":{text}' for tag, text in parts if text is not None)
    return f"{{{attributes}}}"


def _found(entry: DataSet, key: WorklistKey) -> Element | None:
    if not key.is_of_step:
        return entry.get(key.tag)
    item: DataSet = entry[SCHEDULED_PROCEDURE_STEP_SEQUENCE].values[0]
    return item.get(key.tag)


def _text(entry: DataSet, key: WorklistKey) -> str:
    element = _found(entry, key)
    return "" if element is None else "\\".join(map(str, element.values))


def _refuse_lacking(entry: DataSet) -> None:
    for keys in NEEDED:
        if all(is_empty(_found(entry, key)) for key in keys):
            names = " or ".join(attribute_name(key.tag) for key in keys)
            raise WorklistEntryError(
                f"{names} has no value, and PS3.4 Table K.6-1 wants one: add it, or take the entry "
                "as it is with --incomplete"
            )


def _forms(entry: DataSet, key: WorklistKey) -> tuple[str | None, ...]:
    """Return the search forms of the one value of a key."""
    names = ENTRY_COLUMNS[key]
    element = _found(entry, key)
    if element is None or is_empty(element):
        return (None,) * len(names)
    values = [value for value in element.values if value]
    if element.vr != key.vr or len(values) != 1:
        raise WorklistEntryError(
            f"{attribute_name(key.tag)} has {len(values)} values of VR {element.vr}: write one of "
            f"VR {key.vr}"
        )
    _refuse_long(key.tag, values[0])
    form = search_form(key.vr, values[0], 0)
    if key.tag in {START_DATE, START_TIME} and form[0] is None:
        example = "20260105" if key.tag == START_DATE else "1430"
        raise WorklistEntryError(
            f"{attribute_name(key.tag)} {values[0]!r} cannot be read: write it as {example}"
        )
    return tuple(None if each is None else stored_text(each) for each in form)


def _refuse_long(tag: int, value: str) -> None:
    if len(value) > LONGEST_COLUMN:
        raise WorklistEntryError(
            f"{attribute_name(tag)} has {len(value):,} characters: at most {LONGEST_COLUMN}"
        )
