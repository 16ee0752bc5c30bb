"""The form of exact keys, drawn from a question and read back into one (PS3.4 C.6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from dicomquest.web.box import LookUp, Reading, read_box
from dicomquest.web.box.box_tokens import quoted


@dataclass(frozen=True, slots=True)
class Field:
    """A labelled field for one key."""

    word: str
    keyword: str
    name: str
    hint: str
    value: str = ""


_FIELDS = (
    Field("name", "PatientName", "Patient name", "citizen, or CITIZEN^JAN"),
    Field("id", "PatientID", "Patient ID", "whole, zeros count"),
    Field("born", "PatientBirthDate", "Born", "1970-03-05, 1970"),
    Field("sex", "PatientSex", "Sex", "F, M, O"),
    Field("date", "StudyDate", "Study date", "2024-03, 2024-01..2024-05"),
    Field("mod", "ModalitiesInStudy", "Modality", "MR, or CT,MR for either"),
    Field("desc", "StudyDescription", "Description", "a part of it"),
    Field("acc", "AccessionNumber", "Accession number", "none = without one"),
    Field("study", "StudyID", "Study ID", "whole"),
    Field("ref", "ReferringPhysicianName", "Referring physician", "refer, or REFER^*"),
    Field("station", "StationName", "Station", "of a series"),
    Field("uid", "StudyInstanceUID", "Study Instance UID", "whole"),
)


def fields_of(reading: Reading) -> list[Field]:
    """Return the fields with the values that a question gives them."""
    return [replace(each, value=_value(each, reading)) for each in _FIELDS]


def _value(field: Field, reading: Reading) -> str:
    own = [key for key in reading.keys if key.keyword == field.keyword]
    if len(own) == 1:
        text = own[0].text.partition(":")[2]
        return text[1:-1] if text.startswith('"') and text.endswith('"') else text
    return " ".join(key.text.partition(":")[2] for key in own)


def _written(field: Field, value: str) -> str:
    """Return a value as the box has it; its hint promises that none is no number."""
    return value if (field.word, value.casefold()) == ("acc", "none") else quoted(value)


def read_form(form: Mapping[str, str], now: datetime, look_up: LookUp) -> Reading:
    """Return the question of a form: the text of the box, and then the fields that changed."""
    reading = read_box(form.get("q", ""), now, look_up)
    for each in _FIELDS:
        new, old = form.get(each.word, "").strip(), form.get(f"was-{each.word}", "").strip()
        if each.word not in form or new == old:
            continue
        if not reading.is_answerable:
            shown = f"{each.word}:{_written(each, new)}" if new else ""
            reading = read_box(f"{reading.text} {shown}", now, look_up)
            continue
        for key in [key for key in reading.keys if key.keyword == each.keyword]:
            reading = reading.without(key)
        if new:
            kept = reading.canonical
            reading = read_box(f"{kept} {each.word}:{_written(each, new)}".strip(), now, look_up)
    return reading
