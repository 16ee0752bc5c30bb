"""Decoded data sets in few words."""

from __future__ import annotations

from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.standard.models import PATIENT_ROOT, PATIENT_STUDY_ONLY, STUDY_ROOT

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


def instance(number: int = 1, *, series: int = 1, study: int = 1, **values: Any) -> DataSet:
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
