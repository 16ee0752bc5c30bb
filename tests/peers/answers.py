"""C-FIND answers as plain dicts by keyword, so that what different clients got can be compared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from pydicom import Dataset
from pydicom.datadict import keyword_for_tag
from pydicom.multival import MultiValue

Answer: TypeAlias = dict[str, Any]
"""A keyword (GGGGEEEE where there is none) with its text, '' for none; a list for several values, of dicts for a SQ."""


def plain(data_set: Dataset) -> Answer:
    """Turn a pydicom Dataset into an answer."""
    answer: Answer = {}
    for element in data_set:
        name = keyword_for_tag(element.tag) or f"{int(element.tag):08X}"
        if element.VR == "SQ":
            answer[name] = [plain(item) for item in element.value or ()]
        elif isinstance(element.value, MultiValue):
            answer[name] = [str(value) for value in element.value]
        else:
            answer[name] = "" if element.value is None else str(element.value)
    return answer


def only(answers: Iterable[Answer], *keywords: str) -> list[tuple[str, ...]]:
    """Return the given attributes of each answer, sorted, to be compared with those that another client got."""
    return sorted(
        tuple(str(answer.get(keyword, "absent")) for keyword in keywords) for answer in answers
    )
