"""The keys that SQL cannot match, on an entity's JSON and columns (PS3.4 C.2.2.2)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dicomquest.dataset.elements import element_from_json, from_json
from dicomquest.dataset.response_fields import text_element
from dicomquest.index.tables.computed_texts import distinct_text, regions_text
from dicomquest.query.evaluate import matches_data_set
from dicomquest.standard.keys import Storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dicomquest.dataset.elements import DataSet
    from dicomquest.dataset.response_fields import Row
    from dicomquest.index.search.plan import Gathering, Plan, Residual, RowFilter
    from dicomquest.standard.keys import Key

FUNCTION = "residual"
"""SQL calls it as ``residual(number, expression...)``, with the number of the plan's residual."""


def residual_function(residuals: tuple[Residual, ...], zone_minutes: int) -> Callable[..., bool]:
    """Return the function that SQL calls; ``zone_minutes`` is that of data sets without a zone."""

    def matches(number: int, *values: str | None) -> bool:
        return meets(residuals[number], values, zone_minutes)

    return matches


def meets(residual: Residual, values: Sequence[str | None], zone_minutes: int) -> bool:
    """Tell whether an entity meets the keys, by the values of the residual's expressions."""
    data_set: DataSet = {}
    if residual.tags is None:
        if values[0] is not None:
            data_set = from_json(json.loads(values[0]))
        columns = values[1:]
    else:
        for tag, text in zip(residual.tags, values, strict=False):
            if text is not None:
                data_set[tag] = element_from_json(json.loads(text))
        columns = values[len(residual.tags) :]
    for key, text in zip(residual.columns, columns, strict=False):
        _add(data_set, key, text)
    for gathering, text in zip(residual.gathered, columns[len(residual.columns) :], strict=True):
        _add(data_set, gathering.key, gathered_value(gathering, text, zone_minutes))
    return matches_data_set(data_set, residual.keys, zone_minutes)


def _add(data_set: DataSet, key: Key, text: str | None) -> None:
    """Add the element of a column, if it has a value."""
    if text is None:
        return
    if key.storage is Storage.COMPUTED and key.vr == "SQ":
        data_set[key.tag] = element_from_json(json.loads(text))
    else:
        data_set[key.tag] = text_element(key.vr, text)


def gathered_value(gathering: Gathering, value: Any, zone_minutes: int) -> Any:
    """Return the value of a computed attribute as its stored column would have it."""
    if gathering.is_value:
        return value
    found = json.loads(value or "[]")
    if gathering.residuals:
        found = [
            part for part, *views in found if _all_meet(gathering.residuals, views, zone_minutes)
        ]
    if gathering.adds:
        return sum(found)
    if gathering.key.vr == "IS":
        return len(set(found))
    return regions_text(found) if gathering.key.vr == "SQ" else distinct_text(found)


def accepted(plan: Plan, rows: Iterable[Row]) -> list[Row]:
    """Return the rows that pass the plan's filter, without the columns that it needs."""
    row_filter = plan.row_filter
    if row_filter is None:
        return list(rows)
    width, zone = len(plan.fields), plan.query.options.timezone_offset_minutes
    return [
        row[:width]
        for row in rows
        if _all_meet(row_filter.upper, row[width:], zone)
        and (row_filter.shown is None or _is_shown(row_filter, row[width:], zone))
        and (not row_filter.chain or _some_chain_meets(row_filter.chain, row[-1], zone))
    ]


def _all_meet(residuals: Iterable[Residual], values: Sequence[Any], zone_minutes: int) -> bool:
    at = 0
    for residual in residuals:
        end = at + residual.width
        if not meets(residual, values[at:end], zone_minutes):
            return False
        at = end
    return True


def _some_chain_meets(residuals: Sequence[Residual], chains: str | None, zone_minutes: int) -> bool:
    """Tell whether one chain of descendants meets all keys of the levels below (C.4.1.3.2.2)."""
    return any(_all_meet(residuals, chain, zone_minutes) for chain in json.loads(chains or "[]"))


def _is_shown(row_filter: RowFilter, values: Sequence[Any], zone_minutes: int) -> bool:
    """Tell whether a patient shows this row: the main one, or the newest visible study's."""
    residuals = row_filter.shown.residuals if row_filter.shown is not None else ()
    at = sum(residual.width for residual in row_filter.upper)
    row, main, number, chains = values[at : at + 4]
    visible = {
        study: shown
        for study, shown, *views in json.loads(chains or "[]")
        if _all_meet(residuals, views, zone_minutes)
    }
    if not visible:
        return False
    return bool(row == (main if len(visible) == number else visible[max(visible)]))
