from __future__ import annotations

import re

import pytest

from dicomquest.dataset.dictionary import close_keywords
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.query.identifier.key_arguments import (
    Key,
    KeyTextError,
    PathStep,
    build_identifier,
    parse_key,
    parse_keys,
)

PATIENT_NAME = PathStep(0x00100010)
REQUEST_ATTRIBUTES = PathStep(0x00400275)
STEP_ID = PathStep(0x00400009)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("PatientName", Key("PatientName", (PATIENT_NAME,), "")),
        ("PatientName=", Key("PatientName", (PATIENT_NAME,), "")),
        ("PatientName=CITIZEN*", Key("PatientName", (PATIENT_NAME,), "CITIZEN*")),
        ("PatientName=A=B=C", Key("PatientName", (PATIENT_NAME,), "A=B=C")),
        ("0010,0010=x", Key("0010,0010", (PATIENT_NAME,), "x")),
        ("00100010=x", Key("00100010", (PATIENT_NAME,), "x")),
        (
            "RequestAttributesSequence.ScheduledProcedureStepID=S.1",
            Key(
                "RequestAttributesSequence.ScheduledProcedureStepID",
                (REQUEST_ATTRIBUTES, STEP_ID),
                "S.1",
            ),
        ),
        (
            "0040,0275.00400009=S",
            Key("0040,0275.00400009", (REQUEST_ATTRIBUTES, STEP_ID), "S"),
        ),
        (
            "0023,xx01:AcmeCompany=x",
            Key(
                "0023,xx01:AcmeCompany", (PathStep(0x00230001, "AcmeCompany", any_block=True),), "x"
            ),
        ),
        (
            "0023,1001:ACME 1.1=x",
            Key("0023,1001:ACME 1.1", (PathStep(0x00231001, "ACME 1.1"),), "x"),
        ),
        ("0023,1001=x", Key("0023,1001", (PathStep(0x00231001),), "x")),
    ],
)
def test_key_is_read(text: str, key: Key) -> None:
    assert parse_key(text) == key


def test_creator_ends_before_the_next_step() -> None:
    sequence = PathStep(0x00230040, "ACME 1.1.Company", any_block=True)
    assert parse_key("0023,xx40:ACME 1.1.Company.0010,0010=x").path == (sequence, PATIENT_NAME)
    assert parse_key("0023,xx40:ACME 1.1.Company.PatientName=x").path == (sequence, PATIENT_NAME)
    assert parse_key("0023,xx40:ACME 1.1.Company=x").path == (sequence,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("=x", "expected KEY or KEY=VALUE"),
        ("PatientNam=x", "did you mean PatientName"),
        ("patientname=x", "did you mean PatientName"),
        ("Qwxyzzy", "'Qwxyzzy' is not a keyword of the DICOM dictionary"),
        ("PatientName.PatientID=x", "PatientName is not a sequence"),
        ("RequestAttributesSequence.=x", "expected the next step"),
        ("RequestAttributesSequence..PatientID=x", "expected a keyword or a tag"),
        ("0010,00zz=x", "expected the next step|not a keyword"),
        ("0010,xx10:ACME=x", "group 0010 is even"),
        ("0010,0010:ACME=x", "group 0010 is even"),
        ("0023,xx01=x", "needs its creator"),
        ("0023,xx01:=x", "expected the private creator"),
    ],
)
def test_unreadable_key_says_why(text: str, message: str) -> None:
    with pytest.raises(KeyTextError, match=message):
        parse_key(text)


def test_same_key_twice_is_an_error() -> None:
    with pytest.raises(KeyTextError, match="occurs twice"):
        parse_keys(["PatientName=A", "0010,0010=B"])


def test_misspelt_keywords_are_recognised() -> None:
    assert close_keywords("ModalityInStudy")[0] == "ModalitiesInStudy"
    assert close_keywords("STUDYDATE")[0] == "StudyDate"


def identifier(*texts: str) -> DataSet:
    return build_identifier(parse_keys(texts))


def test_keys_in_same_sequence_share_its_one_item() -> None:
    assert identifier(
        "RequestAttributesSequence.ScheduledProcedureStepID=S",
        "Modality=CT",
        "RequestAttributesSequence",
        "RequestAttributesSequence.RequestedProcedureID",
    ) == {
        0x00080060: Element("CS", ("CT",)),
        0x00400275: Element(
            "SQ", ({0x00400009: Element("SH", ("S",)), 0x00401001: Element("SH", ())},)
        ),
    }


def test_identifier_is_in_ascending_order() -> None:
    found = identifier(
        "RequestAttributesSequence.RequestedProcedureID",
        "Modality",
        "RequestAttributesSequence.0040,0009",
    )
    assert list(found) == [0x00080060, 0x00400275]
    assert list(found[0x00400275].values[0]) == [0x00400009, 0x00401001]


def test_empty_sequence_stays_empty() -> None:
    assert identifier("RequestAttributesSequence") == {0x00400275: Element("SQ", ())}


def test_private_key_brings_its_creator() -> None:
    assert identifier("0023,xx01:ACME=x", "0023,xx02:ACME", "0023,xx01:OTHER=y") == {
        0x00230010: Element("LO", ("ACME",)),
        0x00230011: Element("LO", ("OTHER",)),
        0x00231001: Element("LO", ("x",)),
        0x00231002: Element("LO", ()),
        0x00231101: Element("LO", ("y",)),
    }


def test_private_key_may_name_its_block() -> None:
    assert identifier("0023,2001:ACME=x") == {
        0x00230020: Element("LO", ("ACME",)),
        0x00232001: Element("LO", ("x",)),
    }
    with pytest.raises(KeyTextError, match="'ACME' has this block already"):
        identifier("0023,2001:ACME=x", "0023,2002:OTHER=x")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("StudyDate=20240101-", ("20240101-",)),
        ("StudyInstanceUID=1.2\\1.3", ("1.2", "1.3")),
        ("ModalitiesInStudy=CT\\MR", ("CT", "MR")),
        ("ImageComments=a\\b", ("a\\b",)),
        ("Rows=512", (512,)),
        ("Rows", ()),
        ("SeriesNumber=3", ("3",)),
        ("SliceThickness=1.50", ("1.50",)),
        ("FrameIncrementPointer=0018,1063", (0x00181063,)),
    ],
)
def test_values_take_the_form_of_their_vr(text: str, values: tuple[object, ...]) -> None:
    (element,) = identifier(text).values()
    assert element.values == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Rows=many", "write a number, as the VR is US"),
        ("SeriesNumber=1*", "write a number, as the VR is IS"),
        ("FrameIncrementPointer=x", "write a tag"),
        ("RequestAttributesSequence=x", "is a sequence"),
        ("PixelData=x", "no query can match VR OB"),
    ],
)
def test_value_that_its_vr_cannot_hold_is_error(text: str, message: str) -> None:
    with pytest.raises(KeyTextError, match=message):
        identifier(text)


def test_unknown_private_attribute_is_text() -> None:
    assert identifier("0011,1001=x") == {0x00111001: Element("LO", ("x",))}


@pytest.mark.parametrize("tag", ["FFFEE000", "FFFEE00D", "FFFEE0DD"])
def test_a_delimiter_of_items_is_no_attribute(tag: str) -> None:
    for text in (tag, f"{tag}=0", f"00081110.{tag}=x"):
        with pytest.raises(KeyTextError, match="is no attribute"):
            identifier(text)


def test_unknown_standard_tag_is_an_error() -> None:
    with pytest.raises(KeyTextError, match="0010,9999 is not in the DICOM dictionary"):
        identifier("0010,9999=x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("patientname=A", ("'patientname' is not a keyword of the DICOM dictionary; "
                          "did you mean PatientName?")),
        ("Patient's Name=A", "did you mean PatientName?"),
        ("Study Instance UID", "did you mean StudyInstanceUID?"),
        ("StudyDate>=2024-01-05", "a range is StudyDate=2024-01-05.."),
        ("StudyDate < 2024", "a range is StudyDate=..2024"),
    ],
)  # fmt: skip
def test_key_in_other_words_is_understood(text: str, message: str) -> None:
    with pytest.raises(KeyTextError, match=re.escape(message) + "$"):
        parse_key(text)
