"""The table of ``dicomquest worklist list``: one line an entry, by time (PS3.4 K.6.1)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from dicomquest.escaping import escaped
from dicomquest.standard.tags import SCHEDULED_PROCEDURE_STEP_SEQUENCE
from dicomquest.standard.worklist_keys import WORKLIST_KEYS

_COLUMNS = (
    ("Date", "ScheduledProcedureStepStartDate"),
    ("Time", "ScheduledProcedureStepStartTime"),
    ("Station", "ScheduledStationAETitle"),
    ("Mod", "Modality"),
    ("Patient", "PatientName"),
    ("ID", "PatientID"),
    ("Accession No.", "AccessionNumber"),
    ("Description", "ScheduledProcedureStepDescription"),
)
_KEYS = {key.keyword: key for key in WORKLIST_KEYS}
_STEPS = f"{SCHEDULED_PROCEDURE_STEP_SEQUENCE:08X}"


def table_of(texts: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a table of entries, each given by its JSON."""
    rows = sorted(tuple(_cells(json.loads(text))) for text in texts)
    table = [tuple(heading for heading, _ in _COLUMNS), *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for cells in table:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        yield "  ".join(padded).rstrip()


def _cells(entry: dict[str, Any]) -> Iterator[str]:
    step = entry[_STEPS]["Value"][0]
    for _, keyword in _COLUMNS:
        key = _KEYS[keyword]
        element = (step if key.is_of_step else entry).get(f"{key.tag:08X}", {})
        values = [_readable(key.vr, value) for value in element.get("Value", ())]
        yield escaped(", ".join(values))


def _readable(vr: str, value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("Alphabetic") or next(iter(value.values()), ""))
    text = str(value)
    if vr == "DA" and len(text) == 8:
        return f"{text[:4]}-{text[4:6]}-{text[6:]}"
    if vr == "TM" and text[:4].isdecimal() and len(text) >= 4:
        return f"{text[:2]}:{text[2:4]}"
    return text
