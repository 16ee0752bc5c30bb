"""Decoded data sets, pydicom's and the DICOM JSON Model's (PS3.18 F)."""

from __future__ import annotations

import json
import math
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import DataElement, Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from dicomquest.dataset.elements import (
    DataSet,
    Element,
    clean_text,
    element_from_json,
    element_to_json,
    from_json,
    from_pydicom,
    split_text,
    to_json,
    to_pydicom,
)
from dicomquest.errors import DataSetError
from strategies.dataset import data_sets


def without_trailing_groups(data_set: DataSet) -> DataSet:
    """Names without the trailing ``=``, for which the JSON Model has no place."""
    names: DataSet = {}
    for tag, (vr, values) in data_set.items():
        if vr == "SQ":
            names[tag] = Element(vr, tuple(without_trailing_groups(item) for item in values))
        elif vr == "PN":
            names[tag] = Element(vr, tuple(value.rstrip("=") for value in values))
        else:
            names[tag] = Element(vr, values)
    return names


@given(data_set=data_sets)
def test_any_data_set_survives_json_model(data_set: DataSet) -> None:
    text = json.dumps(to_json(data_set), allow_nan=False)
    assert without_trailing_groups(from_json(json.loads(text))) == without_trailing_groups(data_set)


def test_json_model_of_each_kind_of_value() -> None:
    data_set: DataSet = {
        0x00080018: Element("UI", ("1.2",)),
        0x00080061: Element("CS", ("CT", "", "SR")),
        0x00080090: Element("PN", ()),
        0x00081032: Element("SQ", ({0x00080100: Element("SH", ("C1",))}, {})),
        0x00100010: Element("PN", ("Wang^XiaoDong=王^小東", "=山田", "", "A=B=C=D")),
        0x00200013: Element("IS", ("007",)),
        0x00280009: Element("AT", (0x00181063,)),
        0x00280010: Element("US", (512,)),
        0x00189073: Element("FD", (1.5, math.inf, -math.inf)),
        0x7FE00001: Element("OV", (b"\1\2\3\4\5\6\7\0",)),
        0x7FE00003: Element("UV", (2**60, 7)),
    }
    assert to_json(data_set) == {
        "00080018": {"vr": "UI", "Value": ["1.2"]},
        "00080061": {"vr": "CS", "Value": ["CT", None, "SR"]},
        "00080090": {"vr": "PN"},
        "00081032": {"vr": "SQ", "Value": [{"00080100": {"vr": "SH", "Value": ["C1"]}}, {}]},
        "00100010": {
            "vr": "PN",
            "Value": [
                {"Alphabetic": "Wang^XiaoDong", "Ideographic": "王^小東"},
                {"Ideographic": "山田"},
                None,
                {"Alphabetic": "A", "Ideographic": "B", "Phonetic": "C=D"},
            ],
        },
        "00200013": {"vr": "IS", "Value": ["007"]},
        "00280009": {"vr": "AT", "Value": ["00181063"]},
        "00280010": {"vr": "US", "Value": [512]},
        "00189073": {"vr": "FD", "Value": [1.5, "Infinity", "-Infinity"]},
        "7FE00001": {"vr": "OV", "InlineBinary": "AQIDBAUGBwA="},
        "7FE00003": {"vr": "UV", "Value": [str(2**60), 7]},
    }
    assert from_json(to_json(data_set)) == dict(sorted(data_set.items()))


def test_number_that_is_none_stays_none() -> None:
    element = element_from_json(element_to_json(Element("FL", (math.nan,))))
    assert math.isnan(element.values[0])


@pytest.mark.parametrize(
    ("attribute", "element"),
    [
        ({"vr": "DS", "Value": [1.5, 2]}, Element("DS", ("1.5", "2"))),
        ({"vr": "PN", "Value": ["Doe^John"]}, Element("PN", ("Doe^John",))),
        ({"vr": "OB", "BulkDataURI": "http://example/1"}, Element("OB", ())),
        ({"vr": "OB", "InlineBinary": ""}, Element("OB", ())),
        ({"vr": "SQ", "Value": [None]}, Element("SQ", ({},))),
        ({"vr": "LO", "Value": []}, Element("LO", ())),
        ({"vr": "US", "Value": ["7"]}, Element("US", (7,))),
    ],
)
def test_other_peoples_json_is_read(attribute: dict[str, Any], element: Element) -> None:
    assert element_from_json(attribute) == element


@pytest.mark.parametrize(
    "obj",
    [
        None,
        [],
        {"0010": []},
        {"0010": {}},
        {"xyz": {"vr": "LO"}},
        {"00100010": {"vr": "ZZ"}},
        {"00100010": {"vr": ["LO"]}},
        {"00100010": {"Value": ["A"]}},
        {"00100010": {"vr": "LO", "Value": 7}},
        {"00280010": {"vr": "US", "Value": ["many"]}},
        {"00280010": {"vr": "US", "Value": [math.inf]}},
        {"00280010": {"vr": "US", "Value": [{}]}},
        {"00280009": {"vr": "AT", "Value": [7]}},
        {"00280009": {"vr": "OB", "InlineBinary": "***"}},
        {"00081032": {"vr": "SQ", "Value": ["C1"]}},
        {"00081032": {"vr": "PN", "Value": [{"Alphabetic": 7}]}},
    ],
)
def test_non_json_model_is_refused(obj: Any) -> None:
    with pytest.raises(DataSetError):
        from_json(obj)


@pytest.mark.requirement("EN-055")
@given(
    obj=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["vr", "Value", "InlineBinary", "00100010", "Alphabetic", "x"]),
                inner,
            )
        ),
        max_leaves=10,
    ),
    vr=st.sampled_from(["PN", "SQ", "US", "FD", "AT", "OB", "LO"]),
)
def test_any_json_raises_only_declared_error(obj: Any, vr: str) -> None:
    """Any JSON raises nothing but the declared error."""
    for candidate in (
        obj,
        {"00100010": obj},
        {"00100010": {"vr": vr, "Value": obj, "InlineBinary": obj}},
    ):
        try:
            from_json(candidate)
        except DataSetError:
            continue


def has_empty_last_group(data_set: DataSet) -> bool:
    """Tell whether a name ends with ``=``, which pydicom drops: it means nothing (PS3.5 6.2.1)."""
    return any(
        any(map(has_empty_last_group, element.values))
        if element.vr == "SQ"
        else element.vr == "PN" and any(value.endswith("=") for value in element.values)
        for element in data_set.values()
    )


@given(data_set=data_sets.filter(lambda drawn: not has_empty_last_group(drawn)))
def test_any_data_set_survives_pydicom(data_set: DataSet) -> None:
    # pydicom reads 1E400 in DS as infinity, and IS as numbers; both keep their text.
    assert from_pydicom(to_pydicom(data_set)) == data_set


def test_dataset_of_a_user_becomes_elements() -> None:
    dataset = Dataset()
    dataset.SpecificCharacterSet = ["ISO 2022 IR 6", "ISO 2022 IR 87"]
    dataset.StudyInstanceUID = UID("1.2.3")
    dataset.ModalitiesInStudy = ["CT", "SR"]
    dataset.PatientName = "Mu\u0308ller^Anna"
    dataset.PatientBirthDate = ""
    dataset.PatientID = None
    dataset.PatientWeight = "72.50"
    dataset.InstanceNumber = 7
    dataset.Rows = 512
    dataset.FrameIncrementPointer = 0x00181063
    dataset.AcquisitionDuration = 1.5
    dataset.ImageType = ["ORIGINAL", ""]
    dataset.PatientComments = " a\\b "
    dataset.add_new(0x00280106, "US or SS", b"\x07\x00")
    dataset.add_new(0x00090000, "UL", 8)
    item = Dataset()
    item.CodeValue = " C1 "
    dataset.ProcedureCodeSequence = Sequence([item, Dataset()])
    assert from_pydicom(dataset) == {
        0x00080005: Element("CS", ("ISO 2022 IR 6", "ISO 2022 IR 87")),
        0x00080008: Element("CS", ("ORIGINAL", "")),
        0x00080061: Element("CS", ("CT", "SR")),
        0x00081032: Element("SQ", ({0x00080100: Element("SH", ("C1",))}, {})),
        0x00100010: Element("PN", ("Müller^Anna",)),
        0x00100020: Element("LO", ()),
        0x00100030: Element("DA", ()),
        0x00101030: Element("DS", ("72.50",)),
        0x00104000: Element("LT", (" a\\b",)),
        0x00189073: Element("FD", (1.5,)),
        0x0020000D: Element("UI", ("1.2.3",)),
        0x00200013: Element("IS", ("7",)),
        0x00280009: Element("AT", (0x00181063,)),
        0x00280010: Element("US", (512,)),
        0x00280106: Element("US", (7,)),
    }


def test_value_unfit_for_vr_is_refused_with_tag() -> None:
    """A value that does not fit its VR is refused with its tag."""
    dataset = Dataset()
    dataset.add(DataElement(0x00280010, "US", "many", already_converted=True))
    with pytest.raises(DataSetError, match=r"\(0028,0010\)") as raised:
        from_pydicom(dataset)
    assert raised.value.tag == 0x00280010


def test_elements_become_dataset_that_users_know() -> None:
    dataset = to_pydicom(
        {
            0x00080018: Element("UI", ("1.2.3",)),
            0x00080020: Element("DA", ("20240101",)),
            0x00080061: Element("CS", ("CT", "SR")),
            0x00080090: Element("PN", ()),
            0x00081032: Element("SQ", ({0x00080100: Element("SH", ("C1",))},)),
            0x00100010: Element("PN", ("Wang^XiaoDong=王^小東",)),
            0x00101030: Element("DS", ("72.50",)),
            0x00200011: Element("IS", ("one",)),
            0x00200013: Element("IS", ("007", "8")),
            0x00280009: Element("AT", (0x00181063,)),
        }
    )
    assert dataset.SOPInstanceUID == "1.2.3"
    assert isinstance(dataset.SOPInstanceUID, UID)
    assert dataset.StudyDate == f"{date(2024, 1, 1):%Y%m%d}"
    assert dataset.ModalitiesInStudy == ["CT", "SR"]
    assert dataset.ReferringPhysicianName == ""
    assert dataset.ProcedureCodeSequence[0].CodeValue == "C1"
    assert dataset.PatientName.family_name == "Wang"
    assert dataset.PatientName.ideographic == "王^小東"
    assert str(dataset.PatientWeight) == "72.50"
    assert dataset.PatientWeight == 72.5
    assert dataset.SeriesNumber == "one"
    assert dataset.InstanceNumber == [7, 8]
    assert dataset.FrameIncrementPointer == 0x00181063


@pytest.mark.parametrize(
    ("vr", "text", "clean"),
    [
        ("LO", " A\0", "A"),
        ("LT", " A \0", " A"),
        ("PN", " A^B ", "A^B"),
        ("UC", " A ", " A"),
        ("LO", "u\u0308", "ü"),
    ],
)
def test_text_is_cleaned_of_padding_of_its_vr(vr: str, text: str, clean: str) -> None:
    assert clean_text(vr, text) == clean


@pytest.mark.requirement("EN-048")
@pytest.mark.parametrize(
    ("vr", "text", "values"),
    [
        ("LO", "", ()),
        ("LO", " \0", ()),
        ("LO", "\\", ("", "")),
        ("CS", "A\\\\B", ("A", "", "B")),
        ("LT", "\\", ("\\",)),
    ],
)
def test_text_is_split_where_its_vr_has_multiplicity(
    vr: str, text: str, values: tuple[str, ...]
) -> None:
    assert split_text(vr, text) == values
