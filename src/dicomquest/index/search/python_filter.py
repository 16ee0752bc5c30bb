"""The keys that SQL cannot match, on an entity's JSON and columns (PS3.4 C.2.2.2)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dicomquest.index.search.residuals import all_meet, meets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dicomquest.dataset.response_fields import Row
    from dicomquest.index.search.plan import Plan, RowFilter
    from dicomquest.index.search.residuals import Residual

FUNCTION = "residual"
"""SQL calls it as ``residual(number, expression...)``, with the number of the plan's residual."""


def residual_function(residuals: tuple[Residual, ...], zone_minutes: int) -> Callable[..., bool]:
    """Return the function that SQL calls; ``zone_minutes`` is that of data sets without a zone."""

    def matches(number: int, *values: str | None) -> bool:
        return meets(residuals[number], values, zone_minutes)

    return matches


def accepted(plan: Plan, rows: Iterable[Row]) -> list[Row]:
    """Return the rows that pass the plan's filter, without the columns that it needs."""
    row_filter = plan.row_filter
    if row_filter is None:
        return list(rows)
    width, zone = len(plan.fields), plan.query.options.timezone_offset_minutes
    return [
        row[:width]
        for row in rows
        if all_meet(row_filter.upper, row[width:], zone)
        and (row_filter.shown is None or _is_shown(row_filter, row[width:], zone))
        and (not row_filter.chain or _some_chain_meets(row_filter.chain, row[-1], zone))
    ]


def _some_chain_meets(residuals: Sequence[Residual], chains: str | None, zone_minutes: int) -> bool:
    """Tell whether one chain of descendants meets all keys of the levels below (C.4.1.3.2.2)."""
    return any(all_meet(residuals, chain, zone_minutes) for chain in json.loads(chains or "[]"))


def _is_shown(row_filter: RowFilter, values: Sequence[Any], zone_minutes: int) -> bool:
    """Tell whether a patient shows this row: the main one, or the newest visible study's."""
    residuals = row_filter.shown.residuals if row_filter.shown is not None else ()
    at = sum(residual.width for residual in row_filter.upper)
    row, main, number, chains = values[at : at + 4]
    visible = {
        study: shown
        for study, shown, *views in json.loads(chains or "[]")
        if all_meet(residuals, views, zone_minutes)
    }
    if not visible:
        return False
    return bool(row == (main if len(visible) == number else visible[max(visible)]))
