"""Keywords and Python values become the identifier that a peer is sent."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from dicomquest.dataset.elements import Element
from dicomquest.query.identifier.request_keys import (
    dates_as_written,
    level_by_name,
    model_by_name,
    request_identifier,
    values_as_written,
)
from dicomquest.query.identifier.request_rules import RequestError
from dicomquest.standard.levels import Level
from dicomquest.standard.models import STUDY_ROOT
from fixtures.building import data_set


def element(key: str | int, value: Any) -> Element:
    identifier = request_identifier(STUDY_ROOT, Level.IMAGE, [(key, value)])
    (tag,) = identifier.keys() - {0x00080052, 0x00080018, 0x00080016, 0x00200013}
    return identifier[tag]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("StudyDate", date(2024, 1, 5), Element("DA", ("20240105",))),
        ("StudyDate", "20240101-20240131", Element("DA", ("20240101-20240131",))),
        (
            "StudyDate",
            (date(2024, 1, 1), date(2024, 1, 31)),
            Element("DA", ("20240101-20240131",)),
        ),
        ("StudyDate", (date(2024, 1, 1), None), Element("DA", ("20240101-",))),
        ("StudyDate", (None, "20240131"), Element("DA", ("-20240131",))),
        ("StudyDate", (None, None), Element("DA", ())),
        ("StudyDate", [date(2024, 1, 1), "20240103"], Element("DA", ("20240101", "20240103"))),
        ("StudyTime", (time(8), time(9, 30)), Element("TM", ("080000-093000",))),
        (
            "AcquisitionDateTime",
            (datetime(2024, 1, 5, tzinfo=UTC), None),
            Element("DT", ("20240105000000.000000+0000-",)),
        ),
        ("SeriesNumber", 4, Element("IS", ("4",))),
        ("SeriesNumber", Decimal(4), Element("IS", ("4",))),
        ("SliceThickness", 2.5, Element("DS", ("2.5",))),
        ("Rows", 512, Element("US", (512,))),
        ("StudyInstanceUID", ["1.2", "1.3"], Element("UI", ("1.2", "1.3"))),
        ("StudyInstanceUID", "1.2\\1.3", Element("UI", ("1.2", "1.3"))),
        ("00100020", "4711", Element("LO", ("4711",))),
        ("(0010,0020)", "4711", Element("LO", ("4711",))),
        (0x00100020, "4711", Element("LO", ("4711",))),
        (
            "RequestAttributesSequence",
            {"ScheduledProcedureStepID": "S1"},
            Element("SQ", ({0x00400009: Element("SH", ("S1",))},)),
        ),
    ],
)
def test_keys(key: str | int, value: Any, expected: Element) -> None:
    assert element(key, value) == expected


@pytest.mark.usefixtures("converting_pydicom")
@pytest.mark.parametrize("value", ["20240101-20240131", date(2024, 1, 5)])
def test_pydicom_settings_change_nothing(value: Any) -> None:
    before = element("StudyDate", value)
    assert all(type(each) is str for each in before.values)


@pytest.fixture
def converting_pydicom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pydicom.config.datetime_conversion", True)
    monkeypatch.setattr("pydicom.config.use_DS_decimal", True)


def test_usual_keys_are_asked_for() -> None:
    identifier = request_identifier(STUDY_ROOT, Level.STUDY, [("PatientName", "A*")])
    assert {0x00080020, 0x00080030, 0x00080050, 0x00100020, 0x0020000D} <= identifier.keys()
    named = request_identifier(STUDY_ROOT, Level.STUDY, [("PatientSex", None)])
    assert named.keys() == {0x00080052, 0x00100040, 0x0020000D}


@pytest.mark.parametrize("name", ["series", "SERIES", "Series"])
def test_level_by_name(name: str) -> None:
    assert level_by_name(name, model_by_name("Study")) is Level.SERIES


def test_misspelt_keyword_gets_a_suggestion() -> None:
    with pytest.raises(RequestError, match=r"'PatientNam' is no key.*did you mean PatientName"):
        request_identifier(STUDY_ROOT, Level.STUDY, [("PatientNam", "A")])


def test_dates_and_times_as_people_write_them() -> None:
    """Text that is no DICOM date is read as people write it; other values stay as they are."""
    now = datetime(2024, 3, 13, tzinfo=UTC)
    keys = [
        ("StudyDate", ("2024-01", None)),
        ("StudyTime", "10:11"),
        ("AcquisitionDateTime", "2024-2025"),
        ("AccessionNumber", "2024-01"),
        ("RequestAttributesSequence", {"ScheduledProcedureStepStartDate": "today"}),
    ]
    identifier = request_identifier(STUDY_ROOT, Level.STUDY, keys, dates_as_written(now))
    assert identifier[0x00080020].values == ("20240101-",)
    assert identifier[0x00080030].values == ("1011",)
    assert identifier[0x0008002A].values == ("2024-2025",)
    assert identifier[0x00080050].values == ("2024-01",)
    (item,) = identifier[0x00400275].values
    assert item[0x00400002].values == ("20240313",)
    with pytest.raises(RequestError, match=r"Study Date: '05\.01\.2024' could be 5 January"):
        request_identifier(
            STUDY_ROOT, Level.STUDY, [("StudyDate", "05.01.2024")], dates_as_written(now)
        )


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("StudyDate", "2024-13-01", "no such month: 13. Perhaps 2024-01-13."),
        ("StudyDate", ("2024-02-31", None), "Study Date"),
        ("PatientSex", "male", "Perhaps M."),
        ("ModalitiesInStudy", ["CT", "mr"], "Perhaps MR."),
        ("StudyInstanceUID", "1.2.*", "a UID takes no wild card"),
        ("NumberOfStudyRelatedSeries", "many", "is no number"),
        ("AccessionNumber", "A" * 17, "has at most 16"),
        ("RequestAttributesSequence", {"ScheduledProcedureStepStartDate": "20241301"}, "month"),
    ],
)
def test_value_that_is_none_of_its_vr_is_refused(key: str, value: Any, message: str) -> None:
    read = values_as_written(datetime(2024, 3, 13, tzinfo=UTC))
    with pytest.raises(RequestError, match=re.escape(message)):
        request_identifier(STUDY_ROOT, Level.STUDY, [(key, value)], read)
    assert request_identifier(STUDY_ROOT, Level.STUDY, [(key, value)])


def test_attributes_of_a_step_go_into_its_item() -> None:
    model = model_by_name("worklist")
    level = level_by_name("STUDY", model)
    identifier = request_identifier(model, level, [("Modality", "CT"), ("PatientID", None)])
    step = data_set(Modality="CT")
    assert identifier == data_set(PatientID="", ScheduledProcedureStepSequence=[step])


def test_model_without_levels_takes_no_level() -> None:
    with pytest.raises(RequestError, match="Color Palette has no levels"):
        level_by_name("IMAGE", model_by_name("color-palette"))
    with pytest.raises(RequestError, match="expected patient, study, psonly, repository, worklist"):
        model_by_name("pallet")
