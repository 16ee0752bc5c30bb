"""The form of exact keys, drawn from a question and read back into one (PS3.4 C.6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from dicomquest.web.page.plain_reading import LookUp, Reading, read_box


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
    texts = {key.keyword: key.text for key in reading.keys}
    return [
        Field(each.word, each.keyword, each.name, each.hint, _value(each, texts.get(each.keyword)))
        for each in _FIELDS
    ]


def _value(field: Field, text: str | None) -> str:
    if text is None:
        return ""
    return text.replace(f"{field.word}:", "").strip('"')


def read_form(form: Mapping[str, str], today: date, look_up: LookUp) -> Reading:
    """Return the question of a form: the text of the box, and then the fields that changed."""
    reading = read_box(form.get("q", ""), today, look_up)
    text = reading.text
    for each in _FIELDS:
        new, old = form.get(each.word, "").strip(), form.get(f"was-{each.word}", "").strip()
        if each.word not in form or new == old:
            continue
        shown = f'"{new}"' if " " in new else new
        own = next((key for key in reading.keys if key.keyword == each.keyword), None)
        changed = reading.without(own) if own else reading
        text = f"{changed.text} {each.word}:{shown}".strip() if new else changed.text
        reading = read_box(text, today, look_up)
    return reading
