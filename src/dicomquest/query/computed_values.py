"""The computed attributes that are more than a count (PS3.4 C.3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicomquest.standard.keys import CODE_SEQUENCE_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dicomquest.dataset.elements import DataSet

# The attributes that tell one code from another (PS3.3 8.1), in the order of sorting.
_CODE_TAGS = {key.keyword: key.tag for key in CODE_SEQUENCE_KEYS}
_CODE_IDENTITY = tuple(
    _CODE_TAGS[keyword]
    for keyword in (
        "CodingSchemeDesignator",
        "CodeValue",
        "LongCodeValue",
        "URNCodeValue",
        "CodingSchemeVersion",
    )
)
_CODE_MEANING = _CODE_TAGS["CodeMeaning"]


def distinct(values: Iterable[object]) -> tuple[str, ...]:
    """Return each value once, by code points: ModalitiesInStudy, SOPClassesInStudy."""
    return tuple(sorted({str(value) for value in values}))


def anatomic_regions(items: Iterable[object]) -> tuple[DataSet, ...]:
    """Return AnatomicRegionsInStudyCodeSequence: each code of the given items once, sorted.

    The items are those of the instances' AnatomicRegionSequence. The result keeps only the
    attributes of the code, and of several meanings the first by code points, so it does not depend
    on the order of the instances.
    """
    found: dict[tuple[str, ...], DataSet] = {}
    for item in items:
        if isinstance(item, dict):
            code = {
                tag: item[tag]
                for tag in sorted((*_CODE_IDENTITY, _CODE_MEANING))
                if tag in item and any(item[tag].values)
            }
            identity = tuple(_text(code, tag) for tag in _CODE_IDENTITY)
            known = found.get(identity)
            if known is None or _text(code, _CODE_MEANING) < _text(known, _CODE_MEANING):
                found[identity] = code
    found.pop(("",) * len(_CODE_IDENTITY), None)
    return tuple(found[identity] for identity in sorted(found))


def _text(code: DataSet, tag: int) -> str:
    return "\\".join(map(str, code[tag].values)) if tag in code else ""
