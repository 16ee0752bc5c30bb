"""The texts of computed attributes, as a study's columns hold them (PS3.4 C.3.4)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dicomquest.dataset.elements import Element, element_from_json, element_to_json
from dicomquest.query.computed_values import anatomic_regions, distinct

if TYPE_CHECKING:
    from collections.abc import Iterable


def distinct_text(texts: Iterable[str | None]) -> str | None:
    """Join the distinct values of texts, each of which may have several; None for no value."""
    return (
        "\\".join(
            distinct(value for text in texts if text is not None for value in text.split("\\"))
        )
        or None
    )


def regions_text(elements: Iterable[str]) -> str | None:
    """Return AnatomicRegionsInStudyCodeSequence as JSON, of AnatomicRegionSequences as JSON."""
    items = [item for text in elements for item in element_from_json(json.loads(text)).values]
    codes = anatomic_regions(items)
    if not codes:
        return None
    return json.dumps(
        element_to_json(Element("SQ", codes)), ensure_ascii=False, separators=(",", ":")
    )
