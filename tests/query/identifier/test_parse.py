from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from dicomquest.dataset.elements import Element
from dicomquest.errors import IdentifierError
from dicomquest.query.criteria import (
    AnyOf,
    DateTimePairMatch,
    EmptyValue,
    HasValue,
    SequenceMatch,
    SingleValue,
)
from dicomquest.query.identifier import parse
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.model import IgnoredKey, Query
from dicomquest.query.options import QueryOptions
from dicomquest.standard.levels import Level
from dicomquest.standard.statuses import StatusClass, status_class
from fixtures.building import ROOTS, data_set, query, tag_of
from strategies.query import Asked, queries

STRICT = QueryOptions(strict=True)
RELATIONAL = QueryOptions(relational=True)
STRICT_RELATIONAL = QueryOptions(strict=True, relational=True)


def rejected(level: str, root: str = "study", options: Any = None, **keys: Any) -> IdentifierError:
    with pytest.raises(IdentifierError) as caught:
        query(level, root, options, **keys)
    assert caught.value.status == 0xA900
    return caught.value


def returned(found: Query) -> list[int]:
    return [key.tag for key in found.return_keys]


def asked(found: Query) -> list[int]:
    return [key.tag for key in found.criteria]


# The level.


@pytest.mark.requirement("QR-002", "QR-003")
@pytest.mark.parametrize(
    ("root", "legal"),
    [
        ("patient", ["PATIENT", "STUDY", "SERIES", "IMAGE"]),
        ("study", ["STUDY", "SERIES", "IMAGE"]),
        ("psonly", ["PATIENT", "STUDY"]),
    ],
)
def test_each_model_takes_its_own_levels(root: str, legal: list[str]) -> None:
    for level in Level:
        if level.name in legal:
            assert query(level.name, root).level is level
        else:
            error = rejected(level.name, root)
            assert error.element == (0x00080052,)
            assert level.name in error.comment


@pytest.mark.requirement("QR-004")
@pytest.mark.parametrize("value", ["", "STUDY\\SERIES", "WORLD", "STUDY*"])
def test_level_outside_the_model_is_rejected(value: str) -> None:
    """A query without a level of the model is rejected."""
    error = rejected(value)
    assert error.element == (0x00080052,)


@pytest.mark.requirement("QR-004")
def test_query_without_level_element_is_rejected() -> None:
    with pytest.raises(IdentifierError) as caught:
        parse_identifier(data_set(PatientID="1"), ROOTS["study"], QueryOptions())
    assert (caught.value.status, caught.value.element) == (0xA900, (0x00080052,))
    assert caught.value.comment == "QueryRetrieveLevel missing: expected STUDY/SERIES/IMAGE"


@pytest.mark.requirement("QR-030")
@pytest.mark.parametrize("value", ["study", " STUDY ", "Study\0"])
def test_level_in_lower_case_is_read_unless_strict(value: str) -> None:
    """A level in other letters is read unless strict."""
    assert query(value).level is Level.STUDY
    rejected(value, options=STRICT, StudyInstanceUID="")


def test_another_sop_class_is_refused() -> None:
    with pytest.raises(IdentifierError) as caught:
        parse_identifier(
            data_set(QueryRetrieveLevel="STUDY"), "1.2.840.10008.5.1.4.31", QueryOptions()
        )
    assert caught.value.status == 0x0122


# The hierarchy.


@pytest.mark.requirement("QR-029")
@pytest.mark.parametrize(
    ("keys", "offending"),
    [
        ({"SeriesInstanceUID": ""}, "PatientID"),
        ({"SeriesInstanceUID": "", "PatientID": "P1"}, "StudyInstanceUID"),
        ({"SeriesInstanceUID": "", "PatientID": "P1", "StudyInstanceUID": ""}, "StudyInstanceUID"),
        ({"SeriesInstanceUID": "", "PatientID": "P*", "StudyInstanceUID": "1.2"}, "PatientID"),
        (
            {"SeriesInstanceUID": "", "PatientID": "P1", "StudyInstanceUID": "1.2\\1.3"},
            "StudyInstanceUID",
        ),
        ({"PatientID": "P1", "StudyInstanceUID": "1.2"}, "SeriesInstanceUID"),
    ],
)
def test_strict_wants_all_unique_keys(keys: dict[str, str], offending: str) -> None:
    """Strict wants one value of each upper unique key, and the level's own key."""
    error = rejected("SERIES", "patient", STRICT, **keys)
    assert error.element == (tag_of(offending),)
    assert offending in error.comment


def test_lenient_reads_missing_upper_key_as_relational() -> None:
    """Lenient takes a query without an upper key as relational and says so."""
    found = query("SERIES", "patient", Modality="CT")
    assert [note.partition(" ")[0].rstrip(",") for note in found.notes] == [
        "PatientID",
        "StudyInstanceUID",
        "SeriesInstanceUID",
    ]
    assert found.pending_status == 0xFF00
    assert query("SERIES", "patient", RELATIONAL, Modality="CT", SeriesInstanceUID="").notes == ()


@pytest.mark.requirement("QR-046")
def test_unique_keys_are_always_returned() -> None:
    """Unique keys of the level and above are always returned."""
    found = query("IMAGE", "patient")
    assert returned(found) == sorted(
        tag_of(keyword)
        for keyword in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    )
    assert tag_of("PatientID") not in returned(query("IMAGE", "study"))


@pytest.mark.requirement("QR-062", "QR-064")
def test_keys_above_level_are_matched_and_returned() -> None:
    for options in (QueryOptions(), RELATIONAL, STRICT_RELATIONAL):
        found = query(
            "SERIES", "study", options, SeriesInstanceUID="", PatientName="DOE", StudyDate=""
        )
        assert tag_of("PatientName") in asked(found)
        assert {tag_of("PatientName"), tag_of("StudyDate")} <= set(returned(found))
        assert bool(found.notes) is not options.relational
    error = rejected(
        "SERIES", "study", STRICT, StudyInstanceUID="1", SeriesInstanceUID="", PatientName=""
    )
    assert error.element == (tag_of("PatientName"),)


@pytest.mark.requirement("QR-142", "QR-111")
def test_keys_below_level_are_matched_only() -> None:
    """Keys below the level are matched on any descendant and not returned."""
    found = query("STUDY", Modality="CT", SOPInstanceUID="")
    assert tag_of("Modality") in asked(found)
    assert tag_of("Modality") not in returned(found)
    assert found.pending_status == 0xFF01
    assert found.ignored == (
        IgnoredKey((0x00080018,), "of IMAGE level in a STUDY query: not returned"),
        IgnoredKey(
            (0x00080060,),
            "of SERIES level in a STUDY query: matched on any of its series, not returned",
        ),
    )
    assert rejected("STUDY", "study", STRICT, StudyInstanceUID="", Modality="CT").element == (
        0x00080060,
    )
    assert (
        query(
            "STUDY", "study", STRICT_RELATIONAL, StudyInstanceUID="", Modality="CT"
        ).pending_status
        == 0xFF01
    )


def test_patient_keys_are_studys_in_study_root() -> None:
    """Under Study Root a patient's keys are the study's."""
    found = query("STUDY", "study", STRICT, PatientName="DOE", PatientID="1", StudyInstanceUID="")
    assert asked(found) == [tag_of("PatientName"), tag_of("PatientID")]
    assert found.notes == ()


@pytest.mark.requirement("QR-006")
def test_patient_query_asks_for_patients_with_id() -> None:
    criteria = [each.criterion for each in query("PATIENT", "patient").criteria]
    assert criteria == [HasValue()]
    assert [each.criterion for each in query("PATIENT", "patient", PatientID="1").criteria] == [
        SingleValue("1")
    ]
    empty = query("PATIENT", "patient", QueryOptions(empty_value=True), PatientID='""')
    assert [each.criterion for each in empty.criteria] == [EmptyValue(), HasValue()]


# Elements that are no keys.


@pytest.mark.requirement("QR-031", "QR-034", "QR-112", "QR-113")
def test_control_elements_are_no_keys() -> None:
    """Control elements are neither matched nor returned."""
    identifier = data_set(
        QueryRetrieveLevel="STUDY",
        StudyInstanceUID="",
        SpecificCharacterSet="ISO_IR 192",
        InstanceAvailability="ONLINE",
        RetrieveAETitle="",
        StorageMediaFileSetID="",
        StorageMediaFileSetUID="",
        TimezoneOffsetFromUTC="+0100",
    )
    identifier |= {
        0x00080000: Element("UL", (8,)),
        0x00100000: Element("UL", (8,)),
        0x00080001: Element("UL", (8,)),
    }
    found = parse_identifier(identifier, ROOTS["study"], QueryOptions())
    assert (asked(found), returned(found)) == ([], [tag_of("StudyInstanceUID")])
    assert (found.pending_status, found.ignored) == (0xFF00, ())
    assert found.wants_availability
    assert found.charset_terms == ("ISO_IR 192",)
    assert found.timezone_offset_minutes == 60


@pytest.mark.requirement("QR-111", "QR-142")
@pytest.mark.parametrize("keyword", ["RetrieveAETitle", "StorageMediaFileSetID"])
def test_retrieve_place_is_key_only_in_item(keyword: str) -> None:
    """Elements that name the place to retrieve from are keys only in an item."""
    found = query("STUDY", StudyInstanceUID="", **{keyword: "X"})
    assert (asked(found), found.pending_status) == ([], 0xFF01)
    assert [ignored.path for ignored in found.ignored] == [(tag_of(keyword),)]
    item = query("STUDY", StudyInstanceUID="", ReferencedStudySequence=[data_set(**{keyword: "X"})])
    assert asked(item) == [tag_of("ReferencedStudySequence")]


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("QueryRetrieveView", "CLASSIC"), ("SpecificCharacterSet", ""), ("TimezoneOffsetFromUTC", "")],
)
def test_odd_control_elements_are_ignored_or_rejected(keyword: str, value: str) -> None:
    """Deviating control elements are ignored, or rejected if strict."""
    found = query("STUDY", StudyInstanceUID="", **{keyword: value})
    assert len(found.notes) == 1
    assert found.pending_status == 0xFF00
    assert rejected("STUDY", "study", STRICT, StudyInstanceUID="", **{keyword: value}).element == (
        tag_of(keyword),
    )


def test_availability_is_not_returned_if_strict() -> None:
    """Instance Availability is no key, and strict does not return it."""
    assert not query(
        "STUDY", "study", STRICT, StudyInstanceUID="", InstanceAvailability=""
    ).wants_availability


def test_bad_time_zone_matters_only_with_adjustment() -> None:
    """An invalid time zone is an error only where times are adjusted by it."""
    assert (
        query("STUDY", StudyInstanceUID="", TimezoneOffsetFromUTC="+2500").timezone_offset_minutes
        is None
    )
    error = rejected(
        "STUDY", "study", QueryOptions(timezone_adjustment=True), TimezoneOffsetFromUTC="-0000"
    )
    assert error.element == (0x00080201,)


# Values.


@pytest.mark.requirement("QR-096", "QR-121", "QR-144", "QR-145")
@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("StudyDate", "2024-01-01"),
        ("StudyDate", "20240230"),
        ("StudyTime", "2200-0200"),
        ("StudyInstanceUID", "1.2*"),
        ("SOPClassesInStudy", "1.2\\?"),
        ("PatientWeight", "*"),
        ("PatientAge", "30"),
        ("PatientName", "A=B=C=D"),
        ("StudyDate", "20240101\\x"),
    ],
)
def test_unfit_value_is_rejected_with_its_tag(keyword: str, value: str) -> None:
    """A value that does not fit is rejected with its tag."""
    error = rejected("STUDY", **{keyword: value})
    assert error.element == (tag_of(keyword),)
    assert len(error.comment) <= 64
    assert error.comment.isascii()


def test_unfit_value_in_an_item_is_rejected() -> None:
    """A value that does not fit is rejected in items too."""
    item = data_set(ScheduledProcedureStepStartDate="tomorrow")
    error = rejected("SERIES", RequestAttributesSequence=[item])
    assert error.element == (
        tag_of("RequestAttributesSequence"),
        tag_of("ScheduledProcedureStepStartDate"),
    )


@pytest.mark.requirement("QR-122")
def test_sequence_key_has_one_item() -> None:
    error = rejected(
        "STUDY", ProcedureCodeSequence=[data_set(CodeValue="A"), data_set(CodeValue="B")]
    )
    assert error.element == (tag_of("ProcedureCodeSequence"),)
    assert error.comment == "Procedure Code Sequence: 2 items, expected one"


@pytest.mark.requirement("QR-106")
@pytest.mark.parametrize("items", [[], [{}], [{0x00080000: Element("UL", (0,))}]])
def test_empty_sequence_or_item_asks_for_all(items: list[Any]) -> None:
    """An empty sequence or item asks for the whole sequence."""
    found = query("STUDY", ProcedureCodeSequence=items)
    (key,) = (key for key in found.return_keys if key.vr == "SQ")
    assert key.item_keys is None
    assert asked(found) == []


@pytest.mark.requirement("QR-105", "QR-108")
def test_sequence_key_holds_its_items_keys_by_path() -> None:
    inner = data_set(CodeValue="A", CodeMeaning="")
    outer = data_set(RequestedProcedureID="R*", ScheduledProtocolCodeSequence=[inner])
    found = query("SERIES", StudyInstanceUID="1", RequestAttributesSequence=[outer])
    (key,) = (key for key in found.criteria if key.vr == "SQ")
    assert isinstance(key.criterion, SequenceMatch)
    assert [[step.tag for step in each.path] for each in key.criterion.keys] == [
        [0x00400275, 0x00400008],
        [0x00400275, 0x00401001],
    ]
    (return_key,) = (key for key in found.return_keys if key.vr == "SQ")
    assert return_key.item_keys is not None
    assert [each.tag for each in return_key.item_keys] == [0x00400008, 0x00401001]
    assert return_key.item_criteria == key.criterion.keys


def test_sequence_mixed_up_with_value_is_rejected() -> None:
    """A value in place of a sequence is rejected, and a sequence in place of a value."""
    identifier = data_set(QueryRetrieveLevel="STUDY")
    for tag, element in ((0x00081032, Element("LO", ("A",))), (0x00100010, Element("SQ", ({},)))):
        with pytest.raises(IdentifierError) as caught:
            parse_identifier(identifier | {tag: element}, ROOTS["study"], QueryOptions())
        assert caught.value.element == (tag,)
    found = parse_identifier(
        identifier | {0x00081032: Element("UN", ())}, ROOTS["study"], QueryOptions()
    )
    assert 0x00081032 in returned(found)


def test_dictionarys_vr_holds_whatever_vr_was_sent() -> None:
    identifier = data_set(QueryRetrieveLevel="STUDY") | {
        0x00080020: Element("LO", ("20240101-",)),
        0x00080050: Element("UN", (b"A1 ",)),
        0x00101030: Element("FD", (70.5,)),
    }
    found = parse_identifier(identifier, ROOTS["study"], QueryOptions())
    assert [key.vr for key in found.criteria] == ["DA", "SH", "DS"]


# Optional keys that are not supported.


@pytest.mark.requirement("QR-044", "QR-111", "QR-142")
@pytest.mark.parametrize(
    ("tag", "element", "exists"),
    [
        (0x00201208, Element("IS", ("5",)), True),
        (0x00091001, Element("LO", ("x",)), False),
        (0x00080FFF, Element("UN", (b"x",)), False),
        (0x7FE00010, Element("OW", ()), False),
        (0x00020010, Element("UI", ("1.2",)), False),
        (0x00282000, Element("OB", (b"x",)), None),
    ],
)
def test_unsupported_keys_are_told_and_match_all(
    tag: int, element: Element, exists: bool | None
) -> None:
    """Unsupported keys restrict nothing and are told."""
    identifier = data_set(QueryRetrieveLevel="IMAGE" if exists is None else "STUDY") | {
        tag: element
    }
    found = parse_identifier(dict(sorted(identifier.items())), ROOTS["study"], QueryOptions())
    assert asked(found) == []
    assert (tag in returned(found)) is (exists is not False)
    assert found.pending_status == 0xFF01
    assert [ignored.path for ignored in found.ignored] == [(tag,)]


def test_group_of_no_data_set_is_strictly_rejected() -> None:
    identifier = data_set(QueryRetrieveLevel="STUDY", StudyInstanceUID="") | {
        0x00020010: Element("UI", ("1.2",))
    }
    with pytest.raises(IdentifierError) as caught:
        parse_identifier(dict(sorted(identifier.items())), ROOTS["study"], STRICT)
    assert caught.value.element == (0x00020010,)


def test_count_asked_for_without_value_is_supported() -> None:
    found = query("STUDY", NumberOfStudyRelatedInstances="", StudyInstanceUID="")
    assert (found.pending_status, found.ignored) == (0xFF00, ())


def test_unsupported_item_key_is_told_with_its_path() -> None:
    """An unsupported key in an item is told with its path."""
    item = data_set(CodeValue="A") | {0x00091001: Element("LO", ("x",))}
    found = query("STUDY", ProcedureCodeSequence=[item])
    assert [ignored.path for ignored in found.ignored] == [(0x00081032, 0x00091001)]
    assert found.pending_status == 0xFF01


def test_alternate_representations_are_not_matched() -> None:
    """Alternate representations are returned and not matched."""
    item = data_set(ReferencedSOPInstanceUID="1.2")
    found = query("IMAGE", AlternateRepresentationSequence=[item])
    assert asked(found) == []
    assert found.pending_status == 0xFF01
    assert query("IMAGE", AlternateRepresentationSequence=[{}]).pending_status == 0xFF00


# Private attributes.


def test_private_attributes_are_named_by_their_creator() -> None:
    identifier = data_set(QueryRetrieveLevel="IMAGE") | {
        0x00090011: Element("LO", ("ACME",)),
        0x00091101: Element("LO", ("x",)),
    }
    found = parse_identifier(dict(sorted(identifier.items())), ROOTS["study"], QueryOptions())
    (key,) = found.criteria
    assert key.path[0] == (0x00090001, "ACME")
    assert key.level is Level.IMAGE
    assert found.private_creators == ((0x00090011, "ACME"),)
    (return_key,) = (each for each in found.return_keys if each.creator)
    assert (return_key.tag, return_key.step) == (0x00091101, (0x00090001, "ACME"))


# Options.


@pytest.mark.requirement("QR-110")
def test_unknown_values_match_by_switch() -> None:
    """Unknown values match by a switch, and never in unique keys."""
    options = QueryOptions(unknown_matches=True)
    found = query("STUDY", "study", options, StudyInstanceUID="1", AccessionNumber="A")
    assert {key.tag: key.or_unknown for key in found.criteria} == {
        0x00080050: True,
        0x0020000D: False,
    }
    assert not any(key.or_unknown for key in query("STUDY", AccessionNumber="A").criteria)


@pytest.mark.requirement("QR-077", "QR-079")
def test_date_and_time_combine_only_if_negotiated() -> None:
    """Dates and times are read together only where negotiated."""
    keys = {"StudyDate": "20240101-20240102", "StudyTime": "1000-1100"}
    assert len(query("STUDY", **keys).criteria) == 2
    combined = query("STUDY", "study", QueryOptions(combined_datetime=True), **keys)
    (key,) = combined.criteria
    assert isinstance(key.criterion, DateTimePairMatch)
    assert key.criterion.combined is not None
    assert {0x00080020, 0x00080030} <= set(returned(combined))
    adjusting = QueryOptions(timezone_adjustment=True)
    assert len(query("STUDY", "study", adjusting, **keys).criteria) == 2
    (key,) = query("STUDY", "study", adjusting, TimezoneOffsetFromUTC="-0500", **keys).criteria
    assert isinstance(key.criterion, DateTimePairMatch)
    assert (key.criterion.combined, key.criterion.zone_minutes) == (None, -300)
    several = {"StudyDate": "20240101\\20240103"}
    (key,) = query("STUDY", "study", adjusting, TimezoneOffsetFromUTC="-0500", **several).criteria
    assert isinstance(key.criterion, DateTimePairMatch)
    assert isinstance(key.criterion.date_key, AnyOf)


def test_time_alone_is_moved_too() -> None:
    options = QueryOptions(timezone_adjustment=True)
    (key,) = query(
        "STUDY", "study", options, TimezoneOffsetFromUTC="-0500", StudyTime="10"
    ).criteria
    assert key.path[0].tag == 0x00080020
    assert isinstance(key.criterion, DateTimePairMatch)
    assert key.criterion.date_key is None


@pytest.mark.requirement("QR-145")
@given(queries())
def test_any_identifier_is_query_or_error(asked: Asked) -> None:
    """Any identifier is a query or an IdentifierError."""
    found = outcome(asked)
    if isinstance(found, IdentifierError):
        assert status_class(found.status) is StatusClass.FAILURE
        assert found.element
        assert set(found.element) <= {
            *asked.identifier,
            *(tag for item in items(asked) for tag in item),
        }
        assert 0 < len(found.comment) <= 64
        return
    tags = returned(found)
    assert tags == sorted(set(tags))
    assert found.pending_status == (0xFF01 if found.ignored else 0xFF00)
    assert all(key.level <= found.level for key in found.return_keys)


@given(queries())
def test_universal_keys_parse_together_as_alone(asked: Asked) -> None:
    """Keys without a value are read together as they are one by one."""
    together = outcome(asked)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(parse._Reading, "add_universal_keys", lambda _, data_set: data_set)
        one_by_one = outcome(asked)
    if isinstance(one_by_one, IdentifierError):
        assert isinstance(together, IdentifierError)
        assert (together.status, together.element) == (one_by_one.status, one_by_one.element)
    else:
        assert in_one_order(together) == in_one_order(one_by_one)


def in_one_order(found: Query | IdentifierError) -> Query:
    assert isinstance(found, Query)
    return replace(found, ignored=tuple(sorted(found.ignored)), notes=tuple(sorted(found.notes)))


def outcome(asked: Asked) -> Query | IdentifierError:
    try:
        return parse_identifier(asked.identifier, asked.model.uid, asked.options)
    except IdentifierError as error:
        return error


def items(asked: Asked) -> list[Any]:
    outer = [
        item
        for element in asked.identifier.values()
        if element.vr == "SQ"
        for item in element.values
    ]
    return outer + [
        item
        for each in outer
        for element in each.values()
        if element.vr == "SQ"
        for item in element.values
    ]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (
            {"StudyDescription": "\\".join(["a"] * 600), "StudyID": "\\".join(["a"] * 401)},
            "1002 values in all keys",
        ),
        ({"StudyDescription": "?" * 101}, "at most 100 wild cards"),
    ],
)
def test_values_and_wild_cards_are_bounded(keys: dict[str, str], words: str) -> None:
    with pytest.raises(IdentifierError, match=words) as raised:
        query("STUDY", **keys)
    assert raised.value.status == 0xA900


def test_private_creator_is_bounded() -> None:
    identifier = data_set(QueryRetrieveLevel="STUDY") | {
        0x00090010: Element("LO", ("x" * 65,)),
        0x00091001: Element("LO", ("a",)),
    }
    with pytest.raises(IdentifierError, match="private creator of 65 characters"):
        parse_identifier(identifier, ROOTS["study"], QueryOptions())
