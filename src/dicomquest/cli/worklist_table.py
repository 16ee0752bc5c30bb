"""The tables of ``dicomquest worklist list``: one line a step, by time (PS3.4 K.6.1, CC.2.5)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from dicomquest.escaping import escaped
from dicomquest.standard.tags import SCHEDULED_PROCEDURE_STEP_SEQUENCE
from dicomquest.standard.workitem_keys import WORKITEM_KEYS
from dicomquest.standard.worklist_keys import WORKLIST_KEYS_BY_KEYWORD

_STATUS = "Status"
"""The heading of a column that is left out where no step has a status yet."""

_COLUMNS = (
    ("Date", "ScheduledProcedureStepStartDate"),
    ("Time", "ScheduledProcedureStepStartTime"),
    ("Station", "ScheduledStationAETitle"),
    ("Mod", "Modality"),
    (_STATUS, "ScheduledProcedureStepStatus"),
    ("Patient", "PatientName"),
    ("ID", "PatientID"),
    ("Accession No.", "AccessionNumber"),
    ("Description", "ScheduledProcedureStepDescription"),
)
_OF_WORKITEM = (
    ("Start", "ScheduledProcedureStepStartDateTime"),
    ("State", "ProcedureStepState"),
    ("Priority", "ScheduledProcedureStepPriority"),
    ("Worklist", "WorklistLabel"),
    ("Label", "ProcedureStepLabel"),
    ("Patient", "PatientName"),
    ("ID", "PatientID"),
)
_WORKITEM_KEYS = {key.keyword: key for key in WORKITEM_KEYS}
_STEPS = f"{SCHEDULED_PROCEDURE_STEP_SEQUENCE:08X}"


def table_of(texts: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a table of entries, each given by its JSON."""
    rows = sorted(tuple(_cells(json.loads(text))) for text in texts)
    table = [tuple(heading for heading, _ in _COLUMNS), *rows]
    at = table[0].index(_STATUS)
    if not any(row[at] for row in rows):
        table = [(*row[:at], *row[at + 1 :]) for row in table]
    yield from _aligned(table)


def table_of_workitems(texts: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a table of Unified Procedure Steps, each given by its JSON."""
    rows = sorted(tuple(_workitem_cells(json.loads(text))) for text in texts)
    yield from _aligned([tuple(heading for heading, _ in _OF_WORKITEM), *rows])


def _aligned(table: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for cells in table:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        yield "  ".join(padded).rstrip()


def _cells(entry: dict[str, Any]) -> Iterator[str]:
    step = entry[_STEPS]["Value"][0]
    for _, keyword in _COLUMNS:
        key = WORKLIST_KEYS_BY_KEYWORD[keyword]
        element = (step if key.is_of_step else entry).get(f"{key.tag:08X}", {})
        values = [_readable(key.vr, value) for value in element.get("Value", ())]
        yield escaped(", ".join(values))


def _workitem_cells(item: dict[str, Any]) -> Iterator[str]:
    for _, keyword in _OF_WORKITEM:
        key = _WORKITEM_KEYS[keyword]
        values = item.get(f"{key.tag:08X}", {}).get("Value", ())
        yield escaped(", ".join(_readable(key.vr, value) for value in values))


def _readable(vr: str, value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("Alphabetic") or next(iter(value.values()), ""))
    text = str(value)
    if vr == "DA" and len(text) == 8:
        return f"{text[:4]}-{text[4:6]}-{text[6:]}"
    if vr == "DT" and text[:12].isdecimal() and len(text) >= 12:
        return f"{text[:4]}-{text[4:6]}-{text[6:8]} {text[8:10]}:{text[10:12]}"
    if vr == "TM" and text[:4].isdecimal() and len(text) >= 4:
        return f"{text[:2]}:{text[2:4]}"
    return text
