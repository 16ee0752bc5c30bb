"""The keys that SQL cannot match, as a function that the database calls for an entity's JSON column (PS3.4 C.2.2.2)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dicomquest.dataset.elements import element_from_json, from_json
from dicomquest.index.records import column_element
from dicomquest.query.evaluate import matches_data_set
from dicomquest.standard.keys import Storage

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicomquest.index.plan import Residual

FUNCTION = "residual"
"""Called as ``residual(number, attributes, column...)``; the number is that of the plan's residual."""


def residual_function(residuals: tuple[Residual, ...], zone_minutes: int) -> Callable[..., bool]:
    """The function for the residuals of one plan; ``zone_minutes`` is the zone of data sets that name none."""

    def matches(number: int, attributes: str | None, *columns: str | None) -> bool:
        residual = residuals[number]
        data_set = from_json(json.loads(attributes)) if attributes is not None else {}
        for key, text in zip(residual.columns, columns, strict=True):
            if text is None:
                continue
            if key.storage is Storage.COMPUTED and key.vr == "SQ":
                data_set[key.tag] = element_from_json(json.loads(text))
            else:
                data_set[key.tag] = column_element(key, text)
        return matches_data_set(data_set, residual.keys, zone_minutes)

    return matches
