from __future__ import annotations

import pytest

from dicomquest.cli.request_identifier import MODEL_NAMES, Request, build_request
from dicomquest.dataset.elements import Element
from dicomquest.query.identifier.key_arguments import KeyTextError, parse_keys
from dicomquest.query.options import QueryOptions
from dicomquest.standard.levels import Level

STUDY_UID = 0x0020000D


def request(
    *texts: str, model: str = "study", level: Level = Level.STUDY, relational: bool = False,
    as_is: bool = False,
    charset: str | None = None,
) -> Request:  # fmt: skip
    return build_request(
        parse_keys(texts),
        MODEL_NAMES[model],
        level,
        QueryOptions(relational=relational),
        as_is=as_is,
        charset=charset,
    )


@pytest.mark.requirement("QR-020")
@pytest.mark.parametrize("level", list(Level))
def test_level_is_sent_once(level: Level) -> None:
    sent = request(
        "PatientID=1",
        "StudyInstanceUID=1",
        "SeriesInstanceUID=1",
        model="patient",
        level=level,
        as_is=True,
    )
    assert sent.identifier[0x00080052] == Element("CS", (level.name,))


@pytest.mark.requirement("QR-020")
def test_level_that_model_has_not_is_error() -> None:
    with pytest.raises(
        KeyTextError, match="Study Root has no level PATIENT; -L takes STUDY, SERIES, IMAGE"
    ):
        request("PatientID", level=Level.PATIENT)


@pytest.mark.requirement("QR-021")
@pytest.mark.parametrize("value", [None, "", "1.2\\1.3", "1.*"])
def test_upper_unique_key_needs_one_value(value: str | None) -> None:
    """The unique key of an upper level needs one value."""
    keys = ["Modality"] if value is None else ["Modality", f"StudyInstanceUID={value}"]
    with pytest.raises(KeyTextError, match="needs StudyInstanceUID with one value"):
        request(*keys, level=Level.SERIES)
    assert request(*keys, level=Level.SERIES, relational=True).identifier
    assert request(*keys, level=Level.SERIES, as_is=True).identifier


@pytest.mark.requirement("QR-022")
def test_other_keys_of_upper_levels_are_error() -> None:
    keys = ("StudyInstanceUID=1.2", "StudyDate=20240101")
    with pytest.raises(
        KeyTextError, match="StudyDate belongs to STUDY level, which is above SERIES"
    ):
        request(*keys, level=Level.SERIES)
    assert request(*keys, level=Level.SERIES, relational=True).identifier


def test_patient_keys_are_studys_in_study_root() -> None:
    """Under Study Root a patient's attributes are the study's."""
    assert request("PatientName=A*").notes == ()
    with pytest.raises(
        KeyTextError, match="PatientName belongs to PATIENT level, which is above STUDY"
    ):
        request("PatientName=A*", "PatientID=1", model="patient")


@pytest.mark.requirement("QR-023")
@pytest.mark.parametrize(
    ("value", "sent"), [(None, ()), ("", ()), ("1.2", ("1.2",)), ("1.2\\1.3", ("1.2", "1.3"))]
)
def test_unique_key_of_level_is_always_sent(value: str | None, sent: tuple[str, ...]) -> None:
    keys = ["StudyDate"] if value is None else ["StudyDate", f"StudyInstanceUID={value}"]
    assert request(*keys).identifier[STUDY_UID] == Element("UI", sent)


@pytest.mark.requirement("QR-024")
@pytest.mark.parametrize(
    ("key", "charset", "sent"),
    [
        ("PatientName=DOE", None, None),
        ("PatientName=DOE", "ISO_IR 100", None),
        ("PatientName=Müller", None, ("ISO_IR 192",)),
        ("PatientName=Müller", "ISO_IR 100", ("ISO_IR 100",)),
        ("PatientName=山田", "\\ISO 2022 IR 87", ("", "ISO 2022 IR 87")),
        ("ProcedureCodeSequence.CodeMeaning=Schädel", None, ("ISO_IR 192",)),
    ],
)
def test_charset_is_sent_where_key_needs_one(
    key: str, charset: str | None, sent: tuple[str, ...] | None
) -> None:
    """The character set is sent where a key needs one."""
    element = request(key, charset=charset).identifier.get(0x00080005)
    assert element == (None if sent is None else Element("CS", sent))


@pytest.mark.requirement("QR-025")
@pytest.mark.parametrize("value", ["", "+01", "0100", "Z"])
def test_time_zone_has_sign_hours_and_minutes(value: str) -> None:
    with pytest.raises(KeyTextError, match="expected \\+HHMM"):
        request(f"TimezoneOffsetFromUTC={value}")
    assert request("TimezoneOffsetFromUTC=-0500").identifier[0x00080201] == Element(
        "SH", ("-0500",)
    )


@pytest.mark.requirement("QR-027")
def test_view_needs_its_option() -> None:
    keys = parse_keys(["QueryRetrieveView=CLASSIC"])
    with pytest.raises(KeyTextError, match="--offer enhanced-multiframe"):
        build_request(keys, MODEL_NAMES["study"], Level.STUDY, QueryOptions())
    sent = build_request(
        keys, MODEL_NAMES["study"], Level.STUDY, QueryOptions(enhanced_multiframe=True)
    )
    assert sent.identifier[0x00080053] == Element("CS", ("CLASSIC",))


@pytest.mark.requirement("EN-029")
@pytest.mark.parametrize("charset", ["ISO_IR 100", "ISO 2022 IR 6\\ISO 2022 IR 100"])
def test_charset_without_keys_text_is_error(charset: str) -> None:
    """A character set that cannot hold the keys is an error."""
    with pytest.raises(KeyTextError, match=r"^--charset '.*' lacks characters of the keys;"):
        request("PatientName=Διονυσιος", charset=charset)


@pytest.mark.requirement("EN-029")
@pytest.mark.parametrize("charset", ["KLINGON", "ISO_IR 100\\KLINGON", "KLINGON\\ISO 2022 IR 87"])
@pytest.mark.parametrize("name", ["Müller", "DOE"])
def test_character_set_that_is_none_is_named(charset: str, name: str) -> None:
    with pytest.raises(KeyTextError, match=r"^--charset: 'KLINGON' is not a character set;"):
        request(f"PatientName={name}", charset=charset)


@pytest.mark.requirement("QR-026")
@pytest.mark.parametrize(
    "keyword", ["InstanceAvailability", "QueryRetrieveLevel", "SpecificCharacterSet"]
)
def test_non_key_is_not_sent(keyword: str) -> None:
    with pytest.raises(KeyTextError, match=keyword):
        request(keyword)


def test_without_return_keys_usual_ones_are_asked() -> None:
    """Without return keys the query asks for the usual ones."""
    names = [key.name for key in request("PatientName=A*").columns]
    assert names[0] == "PatientName"
    assert {"PatientID", "StudyDate", "ModalitiesInStudy", "StudyInstanceUID"} < set(names)
    assert [key.name for key in request("PatientName=A*", "StudyDate").columns] == [
        "PatientName",
        "StudyDate",
        "StudyInstanceUID",
    ]


def test_key_of_a_lower_level_gets_a_remark() -> None:
    (note,) = request("Modality=CT").notes
    assert note == (
        "Modality is an attribute of SERIES level, below STUDY: the peer may ignore it. "
        "ModalitiesInStudy=CT is the study's key"
    )


@pytest.mark.parametrize("name", ["RetrieveAETitle", "RetrieveURL"])
def test_key_of_all_levels_gets_no_remark(name: str) -> None:
    assert not request("PatientName", name).notes


def test_identifier_is_in_ascending_order() -> None:
    tags = list(request("PatientName=Müller", "ModalitiesInStudy").identifier)
    assert tags == sorted(tags)
