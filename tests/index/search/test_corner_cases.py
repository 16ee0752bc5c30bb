"""Rare values that SQL gets wrong easily: the engine answers as the plain meaning does."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.index import Index
from dicomquest.query import reference
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.options import QueryOptions
from dicomquest.standard.models import STUDY_ROOT
from fixtures.building import data_set, instance, query, tag_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ZONE = 60

# A sequence of a private attribute inside a standard one, with a standard attribute in it.
PRIVATE_ITEM: DataSet = {
    0x00090010: Element("LO", ("ACME",)),
    0x00091004: Element("SQ", (data_set(CodeValue="P"),)),
}

STORED: list[DataSet] = [
    instance(1, study=1, PatientID="1", PatientName="Doe^John=山田^太郎",
             StudyDate="20240101", StudyTime="2330"),
    instance(1, study=2, PatientID="2", PatientName="Doe^John=王\\Roe^Jane=山田^太郎",
             StudyDate="20240102\\20230101"),
    instance(1, study=3, PatientID="3\\33", PatientName="Smith^Mary\\Jones^Adam",
             StudyDescription="A\\B", StudyTime="12"),
    instance(1, study=4, PatientID="4", PatientName="Smith^Adam", StudyDescription="AxB",
             TimezoneOffsetFromUTC="-0500", StudyDate="20240101", StudyTime="2330",
             AcquisitionDateTime="20240101233000"),
    instance(1, study=5, PatientID="", PatientName="",
             AcquisitionDateTime="20240102043000", StudyDate="20240131"),
    instance(1, study=6, PatientID="6", OtherPatientNames="A^B=王\\C^D=山",
             ImageType="ORIGINAL\\PRIMARY",
             ProcedureCodeSequence=[data_set(CodeValue="1", CodingSchemeDesignator="X"),
                                    data_set(CodeValue="2", CodingSchemeDesignator="Y")]),
    instance(1, study=7, PatientID="7", StudyDate="20240101", StudyTime="",
             Modality="CT\\PT", SOPClassUID="1.2.1",
             ProcedureCodeSequence=[data_set(CodeValue="1", CodingSchemeDesignator="Y",
                                             ContextGroupVersion="20240101000000")]),
    instance(2, study=7, series=2, PatientID="7", Modality="MR", SOPClassUID="1.2.2", Rows=(512,)),
    instance(1, study=8, PatientID="8", StudyDate="", StudyTime="10", AccessionNumber="\\A",
             StudyID="%_[a]*?", PatientMotherBirthName="=", ReferringPhysicianName="==",
             ProcedureCodeSequence=[PRIVATE_ITEM]),
]  # fmt: skip
PRIVATE = [
    {
        0x00090010 + block: Element("LO", (creator,)),
        0x00090001 | (0x10 + block) << 8: Element("LO", (value,)),
    }
    for block, creator, value in ((0, "ACME", "one"), (1, "ACME", "two"), (0, "OTHER", "one"))
]
STORED += [
    dict(sorted((instance(number, study=9, PatientID="9") | private).items()))
    for number, private in enumerate(PRIVATE)
]

FUZZY = QueryOptions(fuzzy=True)
RELATIONAL = QueryOptions(relational=True)
COMBINED = QueryOptions(combined_datetime=True)
UNKNOWN = QueryOptions(unknown_matches=True)
EMPTY = QueryOptions(empty_value=True)
MULTIPLE = QueryOptions(multiple_value=True)
ADJUSTED = QueryOptions(timezone_adjustment=True, timezone_offset_minutes=ZONE)

# Options, level, keys; the number of responses.
CASES: list[tuple[QueryOptions | None, str, dict[str, Any], int]] = [
    # Each component group of one and the same value.
    (None, "STUDY", {"PatientName": "Doe^John=山田^太郎"}, 1),
    (None, "STUDY", {"PatientName": "Doe^John=王"}, 1),
    (None, "STUDY", {"PatientName": "Roe^Jane"}, 1),
    (None, "STUDY", {"PatientName": "山田^太郎"}, 2),
    (None, "STUDY", {"OtherPatientNames": "A^B=山"}, 0),
    (None, "STUDY", {"OtherPatientNames": "C^D=山"}, 1),
    # The words of one and the same value.
    (FUZZY, "STUDY", {"PatientName": "Adam Smith"}, 1),
    (FUZZY, "STUDY", {"PatientName": "Adam Jones"}, 1),
    (FUZZY, "STUDY", {"PatientName": "Smyth"}, 2),
    (FUZZY, "STUDY", {"PatientName": "Adam Smyth\\Roe"}, 2),
    # A pattern spans no two values, and a value is no part of a pattern.
    (None, "STUDY", {"StudyDescription": "A*B"}, 1),
    (None, "STUDY", {"StudyDescription": "*B"}, 2),
    (None, "STUDY", {"StudyDescription": "A?B"}, 1),
    (None, "STUDY", {"PatientID": "33"}, 1),
    (None, "STUDY", {"PatientID": "3*"}, 1),
    (None, "STUDY", {"AccessionNumber": "A"}, 1),
    (None, "STUDY", {"StudyID": "%_[a]*"}, 1),
    (None, "STUDY", {"StudyID": "?_[a]??"}, 1),
    (None, "STUDY", {"StudyID": "[%]*"}, 0),
    # Literals between wild cards stand apart.
    (None, "STUDY", {"PatientName": "*oe*oh*"}, 2),
    (None, "STUDY", {"PatientName": "*mith*dam*"}, 1),
    (None, "STUDY", {"PatientName": "?oe^J*n"}, 2),
    # Dates with their times.
    (None, "STUDY", {"StudyDate": "20230101"}, 1),
    (COMBINED, "STUDY", {"StudyDate": "20240101-20240102", "StudyTime": "2300-2359"}, 4),
    (COMBINED, "STUDY", {"StudyDate": "20230101-20230101", "StudyTime": "00-23"}, 1),
    (COMBINED, "STUDY", {"StudyDate": "20240102-", "StudyTime": "00-"}, 2),
    (None, "STUDY", {"StudyDate": "20240101-20240102", "StudyTime": "2300-2359"}, 2),
    (ADJUSTED, "STUDY", {"StudyDate": "20240102", "TimezoneOffsetFromUTC": "+0100"}, 2),
    (ADJUSTED, "STUDY",
     {"StudyDate": "20240101", "StudyTime": "1730", "TimezoneOffsetFromUTC": "-0500"}, 1),
    # Date-times without a zone are in their data set's, or else the server's, not the index's.
    (QueryOptions(timezone_offset_minutes=ZONE), "IMAGE",
     {"AcquisitionDateTime": "20240102053000"}, 1),
    (QueryOptions(timezone_offset_minutes=ZONE), "IMAGE",
     {"AcquisitionDateTime": "20240102043000"}, 1),
    (QueryOptions(timezone_offset_minutes=0), "IMAGE",
     {"AcquisitionDateTime": "20240102043000"}, 2),
    (QueryOptions(timezone_offset_minutes=0), "IMAGE", {"AcquisitionDateTime": "202401020530"}, 0),
    # Entities without a value.
    (UNKNOWN, "STUDY", {"StudyDate": "20240131"}, 5),
    (UNKNOWN, "STUDY", {"PatientName": "Smith*"}, 7),
    (UNKNOWN, "STUDY", {"AccessionNumber": "zzz"}, 8),
    (UNKNOWN, "STUDY", {"OtherPatientNames": "A^B"}, 9),
    (UNKNOWN, "STUDY", {"ProcedureCodeSequence": [data_set(CodeValue="2")]}, 8),
    (UNKNOWN, "STUDY", {"ModalitiesInStudy": "XX"}, 8),
    (UNKNOWN, "STUDY", {"Modality": "XX"}, 8),
    (UNKNOWN, "STUDY", {"MedicalAlerts": "XX"}, 9),
    (QueryOptions(unknown_matches=True, combined_datetime=True), "STUDY",
     {"StudyDate": "20300101-", "StudyTime": "00-"}, 4),
    (QueryOptions(unknown_matches=True, timezone_adjustment=True), "STUDY",
     {"StudyDate": "20300101-", "TimezoneOffsetFromUTC": "+0100"}, 4),
    # A name of delimiters only is none.
    (UNKNOWN, "STUDY", {"PatientMotherBirthName": "X"}, 9),
    (UNKNOWN, "STUDY", {"ReferringPhysicianName": "X*"}, 9),
    (EMPTY, "STUDY", {"PatientMotherBirthName": '""'}, 9),
    (EMPTY, "STUDY", {"ReferringPhysicianName": '""'}, 9),
    (EMPTY, "STUDY", {"StudyDate": '""'}, 4),
    (EMPTY, "STUDY", {"OtherPatientNames": '""'}, 8),
    (EMPTY, "STUDY", {"PatientID": '""'}, 1),
    # Several values in the key.
    (None, "STUDY", {"ModalitiesInStudy": "MR\\XX"}, 1),
    (MULTIPLE, "STUDY", {"ModalitiesInStudy": "MR\\PT"}, 1),
    (MULTIPLE, "STUDY", {"ModalitiesInStudy": "MR\\XX"}, 0),
    (MULTIPLE, "IMAGE", {"ImageType": "PRIMARY\\ORIGINAL"}, 1),
    (None, "STUDY", {"SOPClassesInStudy": "1.2.9\\1.2.2"}, 1),
    # Item keys hold for one item, and only matching items come back.
    (None, "STUDY",
     {"ProcedureCodeSequence": [data_set(CodeValue="1", CodingSchemeDesignator="X")]}, 1),
    (None, "STUDY",
     {"ProcedureCodeSequence": [data_set(CodeValue="1", CodingSchemeDesignator="Y")]}, 1),
    (None, "STUDY", {"ProcedureCodeSequence": [PRIVATE_ITEM]}, 1),
    (None, "STUDY",
     {"ProcedureCodeSequence": [data_set(ContextGroupVersion="20231231230000+0000")]}, 0),
    (QueryOptions(timezone_offset_minutes=ZONE), "STUDY",
     {"ProcedureCodeSequence": [data_set(ContextGroupVersion="20231231230000+0000")]}, 1),
    # Keys below the query level hold for one chain of descendants.
    (RELATIONAL, "STUDY", {"Modality": "CT", "SOPClassUID": "1.2.1"}, 1),
    (RELATIONAL, "STUDY", {"Modality": "CT", "SOPClassUID": "1.2.2"}, 0),
    (RELATIONAL, "STUDY", {"Modality": "MR", "Rows": (512,)}, 1),
    (RELATIONAL, "STUDY", {"Modality": "CT", "Rows": (512,)}, 0),
    (RELATIONAL, "STUDY", {"SOPInstanceUID": "1.2.7.1.1\\1.2.7.2.2\\1.2.1.1.1"}, 2),
]  # fmt: skip


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def stored(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Index]:
    with ExitStack() as stack:
        if request.param == "sqlite":
            location = str(tmp_path_factory.mktemp("index") / "x.sqlite")
        else:
            template = request.getfixturevalue("postgresql_template")
            location = stack.enter_context(request.getfixturevalue("postgresql").database(template))
        index = stack.enter_context(Index(location, timezone_offset_minutes=ZONE))
        index.ingest_data_sets(STORED)
        yield index


def held_equal(stored: Index, asked: Any) -> list[DataSet]:
    expected = reference.find(STORED, asked)
    found = stored.find_data_sets(asked)
    assert sorted(map(repr, found)) == sorted(map(repr, expected))
    return found


@pytest.mark.requirement(
    "QR-077",
    "QR-079",
    "QR-095",
    "QR-101",
    "QR-105",
    "QR-107",
    "QR-109",
    "QR-110",
    "QR-116",
    "QR-117",
    "QR-119",
    "QR-132",
)
@pytest.mark.parametrize(("options", "level", "keys", "count"), CASES)
def test_engine_and_the_plain_meaning_agree(
    stored: Index, options: QueryOptions | None, level: str, keys: dict[str, Any], count: int
) -> None:
    assert len(held_equal(stored, query(level, options=options, **keys))) == count


@pytest.mark.parametrize(
    ("creator", "value", "count"),
    [("ACME", "", 3), ("ACME", "two", 1), ("ACME", "*o*", 2), ("NONE", "x", 0)],
)
def test_private_key_is_found_in_any_block(
    stored: Index, creator: str, value: str, count: int
) -> None:
    """A private key is found in whichever block its creator has."""
    identifier = data_set(QueryRetrieveLevel="IMAGE", StudyInstanceUID="1.2.9", SOPInstanceUID="")
    identifier[0x00090042] = Element("LO", (creator,))
    identifier[0x00094201] = Element("LO", (value,) if value else ())
    asked = parse_identifier(dict(sorted(identifier.items())), STUDY_ROOT.uid, RELATIONAL)
    assert len(held_equal(stored, asked)) == count


def test_reduced_and_private_values_are_row_json(stored: Index) -> None:
    """Reduced sequences and private elements are JSON in the row."""
    asked = query(
        "STUDY",
        ProcedureCodeSequence=[data_set(CodeValue="1", CodeMeaning="")],
        StudyInstanceUID="1.2.6",
    )
    (found,) = held_equal(stored, asked)
    items = found[tag_of("ProcedureCodeSequence")].values
    assert items == (data_set(CodeValue="1", CodeMeaning=""),)


@pytest.mark.requirement("QR-079")
@pytest.mark.parametrize(
    ("keys", "count"),
    [
        ({"StudyDate": "20240102", "TimezoneOffsetFromUTC": "+0100"}, 1),
        ({"StudyDate": "20240101", "TimezoneOffsetFromUTC": "+0100"}, 0),
        (
            {
                "StudyDate": "20240101-20240101",
                "StudyTime": "2330",
                "TimezoneOffsetFromUTC": "-0500",
            },
            1,
        ),
        (
            {
                "StudyDate": "20240102-20240103",
                "StudyTime": "18-19",
                "TimezoneOffsetFromUTC": "+1400",
            },
            1,
        ),
    ],
)
def test_days_are_searched_as_far_as_zone_shifts(
    index: Index, keys: dict[str, str], count: int
) -> None:
    """Days are searched as far as a time zone may shift them."""
    stored = instance(1, StudyDate="20240101", StudyTime="2330", TimezoneOffsetFromUTC="-0500")
    index.ingest_data_sets([stored])
    asked = query("STUDY", options=QueryOptions(timezone_adjustment=True), **keys)
    found = index.find_data_sets(asked)
    assert found == reference.find([stored], asked)
    assert len(found) == count
