"""C-FIND answers as plain dicts by keyword, which compare across clients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from pydicom import Dataset
from pydicom.datadict import keyword_for_tag
from pydicom.multival import MultiValue

Answer: TypeAlias = dict[str, Any]
"""Texts by keyword, or by GGGGEEEE without one.

'' is no value, a list has several values, and a list of dicts the items of a sequence.
"""


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
    """Return the given attributes of each answer, sorted, to compare two clients."""
    return sorted(
        tuple(str(answer.get(keyword, "absent")) for keyword in keywords) for answer in answers
    )
