"""Decoded data sets in few words."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydicom.datadict import dictionary_VR, tag_for_keyword

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.query.options import QueryOptions
from dicomquest.query.parse import parse_identifier
from dicomquest.query.reference import find
from dicomquest.standard.models import PATIENT_ROOT, PATIENT_STUDY_ONLY, STUDY_ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicomquest.query.model import Query

ROOTS = {"patient": PATIENT_ROOT.uid, "study": STUDY_ROOT.uid, "psonly": PATIENT_STUDY_ONLY.uid}

UNSPLIT = {"LT", "ST", "UT", "UR"}


def tag_of(keyword: str) -> int:
    """The tag of a keyword of the dictionary."""
    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword
    return tag


def data_set(**values: Any) -> DataSet:
    """Elements by keyword: a text (split at backslashes), '' for no value, a list of items, or a tuple of values."""
    elements = {}
    for keyword, value in values.items():
        tag = tag_of(keyword)
        vr = dictionary_VR(tag).split(" ")[0]
        elements[tag] = Element(vr, _values(vr, value))
    return dict(sorted(elements.items()))


def _values(vr: str, value: Any) -> tuple[Any, ...]:
    if value == "":
        return ()
    if isinstance(value, tuple):
        return value
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, str) and vr not in UNSPLIT:
        return tuple(value.split("\\"))
    return (value,)


def instance(number: Any = 1, *, series: Any = 1, study: Any = 1, **values: Any) -> DataSet:
    """An instance with UIDs made of its numbers."""
    return data_set(
        **{
            "SOPInstanceUID": f"1.2.{study}.{series}.{number}",
            "SeriesInstanceUID": f"1.2.{study}.{series}",
            "StudyInstanceUID": f"1.2.{study}",
            "PatientID": "P1",
        }
        | values
    )


def query(level: str, root: str = "study", options: Any = None, **keys: Any) -> Query:
    """A parsed query."""
    identifier = data_set(QueryRetrieveLevel=level, **keys)
    return parse_identifier(identifier, ROOTS[root], options or QueryOptions())


def text_of(answer: DataSet, keyword: str) -> str | None:
    """The values of an element joined by backslash; None if it is not there."""
    element = answer.get(tag_of(keyword))
    return None if element is None else "\\".join(str(value) for value in element.values)


def matched(instances: Sequence[DataSet], options: Any = None, **keys: Any) -> list[int]:
    """The numbers, ascending, of the instances (made by ``instance``) that an IMAGE query with these keys finds."""
    relational = replace(options or QueryOptions(), relational=True)
    answers = find(instances, query("IMAGE", "patient", relational, **{"SOPInstanceUID": ""} | keys))
    return sorted(int((text_of(answer, "SOPInstanceUID") or "").rpartition(".")[2]) for answer in answers)
