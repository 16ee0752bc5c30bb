"""Search, computed attributes and response identifiers, on corpora of a few lines."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.errors import IdentifierError
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.model import Query, ReturnKey
from dicomquest.query.options import QueryOptions
from dicomquest.query.reference import find
from dicomquest.standard.keys import KEYS_BY_KEYWORD
from dicomquest.standard.levels import Level
from fixtures.building import data_set, instance, matched, query, tag_of, text_of
from strategies.query import Asked, corpora, queries

RELATIONAL = QueryOptions(relational=True)
CT, SR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.88.11"

# Two patients; Ada has two studies, the first with a CT and an SR series.
CORPUS = [
    instance(
        1,
        study=1,
        series=1,
        PatientName="Lovelace^Ada",
        StudyDate="20240101",
        Modality="CT",
        SOPClassUID=CT,
    ),
    instance(
        2,
        study=1,
        series=1,
        PatientName="Lovelace^Ada",
        StudyDate="20240101",
        Modality="CT",
        SOPClassUID=CT,
    ),
    instance(
        3,
        study=1,
        series=2,
        PatientName="Lovelace^Ada",
        StudyDate="20240101",
        Modality="SR",
        SOPClassUID=SR,
    ),
    instance(4, study=2, series=1, PatientName="Lovelace^Ada", StudyDate="20240301", Modality="MR"),
    instance(
        5,
        study=3,
        series=1,
        PatientID="P2",
        PatientName="Babbage^Charles",
        StudyDate="20240301",
        Modality="CT",
    ),
]


def ask(
    level: str, root: str = "study", options: Any = None, corpus: Any = None, **keys: Any
) -> list[DataSet]:
    return find(CORPUS if corpus is None else corpus, query(level, root, options, **keys))


def column(answers: list[DataSet], keyword: str) -> list[str | None]:
    return sorted((text_of(answer, keyword) for answer in answers), key=str)


# One response an entity.


@pytest.mark.requirement("QR-002", "QR-005", "QR-007")
@pytest.mark.parametrize(
    ("level", "keyword", "expected"),
    [
        ("PATIENT", "PatientID", ["P1", "P2"]),
        ("STUDY", "StudyInstanceUID", ["1.2.1", "1.2.2", "1.2.3"]),
        ("SERIES", "SeriesInstanceUID", ["1.2.1.1", "1.2.1.2", "1.2.2.1", "1.2.3.1"]),
        (
            "IMAGE",
            "SOPInstanceUID",
            ["1.2.1.1.1", "1.2.1.1.2", "1.2.1.2.3", "1.2.2.1.4", "1.2.3.1.5"],
        ),
    ],
)
def test_each_entity_of_level_is_returned_once(
    level: str, keyword: str, expected: list[str]
) -> None:
    assert column(ask(level, "patient"), keyword) == expected


@pytest.mark.requirement("QR-006")
def test_patients_without_id_are_not_returned() -> None:
    """Patients without an ID are not returned, but their studies are."""
    corpus = [instance(PatientID="", PatientName="Doe"), instance(study=2)]
    assert column(ask("PATIENT", "patient", corpus=corpus), "PatientID") == ["P1"]
    assert column(ask("STUDY", corpus=corpus, PatientName="Doe"), "StudyInstanceUID") == ["1.2.1"]
    assert column(ask("STUDY", "patient", corpus=corpus), "PatientID") == ["", "P1"]


def test_patient_is_its_id_and_ids_issuer() -> None:
    corpus = [
        instance(study=1, IssuerOfPatientID="A"),
        instance(study=2, IssuerOfPatientID="B"),
        instance(study=3),
    ]
    counts = ask(
        "PATIENT", "patient", corpus=corpus, NumberOfPatientRelatedStudies="", IssuerOfPatientID=""
    )
    assert column(counts, "IssuerOfPatientID") == ["", "A", "B"]
    assert column(counts, "NumberOfPatientRelatedStudies") == ["1", "1", "1"]


@pytest.mark.requirement("QR-006")
@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
def test_entity_without_uid_is_no_instance(keyword: str) -> None:
    corpus = [instance(**{keyword: ""}), instance(**{keyword: "1.2\\1.3"})]
    assert ask("STUDY", corpus=corpus) == []


# Search.


@pytest.mark.requirement("QR-060", "QR-061")
def test_hierarchical_query_stays_below_selection() -> None:
    """A hierarchical query finds only descendants of the selected entities."""
    upper = {"PatientID": "P1", "StudyInstanceUID": "1.2.1"}
    assert column(ask("SERIES", "patient", **upper), "SeriesInstanceUID") == ["1.2.1.1", "1.2.1.2"]
    assert ask("SERIES", "patient", PatientID="P2", StudyInstanceUID="1.2.1") == []
    assert ask("SERIES", "patient", PatientID="P9", StudyInstanceUID="1.2.1") == []
    assert column(
        ask("IMAGE", StudyInstanceUID="1.2.1", SeriesInstanceUID="1.2.1.2"), "SOPInstanceUID"
    ) == ["1.2.1.2.3"]


@pytest.mark.requirement("QR-062", "QR-063", "QR-064")
def test_relational_query_uses_keys_of_all_levels() -> None:
    """A relational query matches and returns keys of all levels above."""
    answers = ask(
        "SERIES", "patient", RELATIONAL, PatientName="love*", StudyDate="-20240201", Modality=""
    )
    assert column(answers, "SeriesInstanceUID") == ["1.2.1.1", "1.2.1.2"]
    assert column(answers, "Modality") == ["CT", "SR"]
    assert {text_of(answer, "PatientName") for answer in answers} == {"Lovelace^Ada"}
    assert {text_of(answer, "StudyDate") for answer in answers} == {"20240101"}


@pytest.mark.requirement("QR-132")
def test_keys_below_hold_for_one_chain() -> None:
    """Keys below the level hold for one chain of descendants."""
    assert column(ask("STUDY", Modality="CT"), "StudyInstanceUID") == ["1.2.1", "1.2.3"]
    assert column(ask("STUDY", Modality="CT", SOPClassUID=SR), "StudyInstanceUID") == []
    assert column(ask("STUDY", Modality="SR", SOPClassUID=SR), "StudyInstanceUID") == ["1.2.1"]
    assert column(ask("PATIENT", "patient", StudyDate="20240301", Modality="CT"), "PatientID") == [
        "P2"
    ]
    assert all(text_of(answer, "Modality") is None for answer in ask("STUDY", Modality="CT"))


@pytest.mark.requirement("QR-103", "QR-104")
def test_list_of_uids_finds_each_once() -> None:
    uids = "\\".join(["1.2.1", "1.2.3", "1.2.1", *(f"9.{number}" for number in range(1500))])
    assert column(ask("STUDY", StudyInstanceUID=uids), "StudyInstanceUID") == ["1.2.1", "1.2.3"]


def test_last_received_wins_and_empty_erases_nothing() -> None:
    """Of conflicting attributes the last received wins, and empty ones erase nothing."""
    corpus = [
        instance(1, PatientName="Old", StudyDescription="First", Modality="CT"),
        instance(2, PatientName="New", StudyDescription="", Modality="CT"),
    ]
    (answer,) = ask("STUDY", corpus=corpus, PatientName="", StudyDescription="")
    assert (text_of(answer, "PatientName"), text_of(answer, "StudyDescription")) == ("New", "First")
    assert ask("STUDY", corpus=corpus, PatientName="Old") == []


@pytest.mark.requirement("QR-130")
def test_instance_received_again_replaces_itself() -> None:
    """An instance received again replaces itself, and may move."""
    twice = [instance(1, ImageComments="old", Rows=7), instance(1, ImageComments="new")]
    assert matched(twice, ImageComments="new") == [1]
    assert matched(twice, ImageComments="old") == []
    assert matched(twice, Rows=7) == []
    moved = [
        instance(1),
        instance(1, series=2, study=2, PatientID="P2", SOPInstanceUID="1.2.1.1.1"),
        instance(3, series=2, study=2, PatientID="P2"),
    ]
    assert column(
        ask("STUDY", corpus=moved, NumberOfStudyRelatedInstances=""),
        "NumberOfStudyRelatedInstances",
    ) == ["2"]
    assert column(ask("PATIENT", "patient", corpus=moved), "PatientID") == ["P2"]


def test_study_is_of_last_received_patient() -> None:
    """A study is of the patient received last, if that one has an ID."""
    corpus = [
        instance(1, IssuerOfPatientID="A", PatientName="First"),
        instance(2, PatientName="Same"),
        instance(3, PatientID="", PatientName="Nobody"),
    ]
    (patient,) = ask(
        "PATIENT",
        "patient",
        corpus=corpus,
        IssuerOfPatientID="",
        NumberOfPatientRelatedInstances="",
    )
    assert [
        text_of(patient, each)
        for each in ("PatientID", "IssuerOfPatientID", "NumberOfPatientRelatedInstances")
    ] == [
        "P1",
        "A",
        "3",
    ]
    (moved,) = ask(
        "PATIENT", "patient", corpus=[*corpus, instance(4, PatientID="P2")], PatientName=""
    )
    assert (text_of(moved, "PatientID"), text_of(moved, "PatientName")) == ("P2", "")


# Computed attributes.


@pytest.mark.requirement("QR-011", "QR-130")
def test_counts() -> None:
    keywords = {
        "PATIENT": (
            "NumberOfPatientRelatedStudies",
            "NumberOfPatientRelatedSeries",
            "NumberOfPatientRelatedInstances",
        ),
        "STUDY": ("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"),
        "SERIES": ("NumberOfSeriesRelatedInstances",),
    }
    (ada,) = ask("PATIENT", "patient", PatientID="P1", **dict.fromkeys(keywords["PATIENT"], ""))
    assert [text_of(ada, keyword) for keyword in keywords["PATIENT"]] == ["2", "3", "4"]
    (study,) = ask("STUDY", StudyInstanceUID="1.2.1", **dict.fromkeys(keywords["STUDY"], ""))
    assert [text_of(study, keyword) for keyword in keywords["STUDY"]] == ["2", "3"]
    (series,) = ask("SERIES", SeriesInstanceUID="1.2.1.1", **dict.fromkeys(keywords["SERIES"], ""))
    assert text_of(series, "NumberOfSeriesRelatedInstances") == "2"
    (root,) = ask("STUDY", StudyInstanceUID="1.2.1", NumberOfPatientRelatedStudies="", PatientID="")
    assert text_of(root, "NumberOfPatientRelatedStudies") == "2"


@pytest.mark.requirement("QR-111", "QR-130")
def test_count_restricts_nothing_stored_one_is_ignored() -> None:
    """A count key restricts nothing, and a file's own count is ignored."""
    corpus = [
        instance(1, NumberOfStudyRelatedInstances="99", ModalitiesInStudy="XX", Modality="CT"),
        instance(2),
    ]
    (answer,) = ask("STUDY", corpus=corpus, NumberOfStudyRelatedInstances="7", ModalitiesInStudy="")
    assert text_of(answer, "NumberOfStudyRelatedInstances") == "2"
    assert text_of(answer, "ModalitiesInStudy") == "CT"


@pytest.mark.requirement("QR-109", "QR-131", "QR-132", "QR-133", "QR-054")
def test_modalities_in_study_are_matched_and_whole() -> None:
    """Modalities and SOP classes in study are matched, and returned whole."""
    (answer,) = ask("STUDY", ModalitiesInStudy="SR", SOPClassesInStudy="")
    assert text_of(answer, "ModalitiesInStudy") == "CT\\SR"
    assert text_of(answer, "SOPClassesInStudy") == f"{CT}\\{SR}"
    assert column(ask("STUDY", ModalitiesInStudy="CT\\MR"), "StudyInstanceUID") == [
        "1.2.1",
        "1.2.2",
        "1.2.3",
    ]
    assert column(ask("STUDY", SOPClassesInStudy=f"1.9\\{CT}"), "StudyInstanceUID") == ["1.2.1"]
    assert ask("STUDY", ModalitiesInStudy="C") == []
    assert column(ask("STUDY", ModalitiesInStudy="?R"), "StudyInstanceUID") == ["1.2.1", "1.2.2"]


@pytest.mark.requirement("QR-119")
def test_multiple_value_wants_all_in_any_order() -> None:
    """Multiple Value matching wants all values, in any order."""
    options = QueryOptions(multiple_value=True)
    assert column(
        ask("STUDY", options=options, ModalitiesInStudy="SR\\CT"), "StudyInstanceUID"
    ) == ["1.2.1"]
    assert ask("STUDY", options=options, ModalitiesInStudy="SR\\MR") == []
    corpus = [instance(1, ImageType="ORIGINAL\\PRIMARY\\AXIAL")]
    assert matched(corpus, options, ImageType="AXIAL\\ORIGINAL") == [1]
    assert matched(corpus, options, ImageType="AXIAL\\DERIVED") == []
    assert matched(corpus, ImageType="AXIAL\\DERIVED") == [1]


def test_transfer_syntax_is_the_files_own() -> None:
    """The transfer syntax is the file's, whatever the header says."""
    syntax = {0x00020010: Element("UI", ("1.2.840.10008.1.2.1",))}
    corpus = [
        instance(1) | syntax,
        instance(2, AvailableTransferSyntaxUID="1.2.840.10008.1.2.4.50"),
    ]
    answers = ask("IMAGE", corpus=corpus, AvailableTransferSyntaxUID="")
    assert column(answers, "AvailableTransferSyntaxUID") == ["", "1.2.840.10008.1.2.1"]
    assert matched(corpus, AvailableTransferSyntaxUID="1.2.840.10008.1.2\\1.2.840.10008.1.2.1") == [
        1
    ]


def test_anatomic_regions_are_distinct_codes() -> None:
    """Anatomic regions are the distinct codes of the instances."""
    head = data_set(
        CodeValue="T-D1100",
        CodingSchemeDesignator="SRT",
        CodeMeaning="Head",
        MappingResource="DCMR",
    )
    chest = data_set(CodeValue="T-D3000", CodingSchemeDesignator="SRT", CodeMeaning="Chest")
    corpus = [
        instance(1, AnatomicRegionSequence=[chest]),
        instance(2, AnatomicRegionSequence=[head]),
        instance(3, series=2, AnatomicRegionSequence=[chest, {}]),
    ]
    (answer,) = ask("STUDY", corpus=corpus, AnatomicRegionsInStudyCodeSequence=[])
    regions = answer[tag_of("AnatomicRegionsInStudyCodeSequence")].values
    assert [text_of(region, "CodeMeaning") for region in regions] == ["Head", "Chest"]
    assert text_of(regions[0], "MappingResource") is None
    key = [data_set(CodeValue="T-D3000")]
    assert len(ask("STUDY", corpus=corpus, AnatomicRegionsInStudyCodeSequence=key)) == 1
    assert (
        ask("STUDY", corpus=corpus, AnatomicRegionsInStudyCodeSequence=[data_set(CodeValue="X")])
        == []
    )


# Response identifiers.


@pytest.mark.requirement("QR-041", "QR-042", "QR-043", "QR-045", "QR-046", "QR-055")
def test_response_has_requested_and_unique_keys() -> None:
    """A response has the requested attributes, the level and the upper unique keys."""
    (answer,) = ask(
        "SERIES",
        "patient",
        PatientID="P1",
        StudyInstanceUID="1.2.2",
        Modality="",
        SeriesNumber="",
        BodyPartExamined="",
    )
    keywords = (
        "QueryRetrieveLevel",
        "Modality",
        "BodyPartExamined",
        "PatientID",
        "StudyInstanceUID",
    )
    expected = {tag_of(each) for each in (*keywords, "SeriesInstanceUID", "SeriesNumber")}
    assert list(answer) == sorted(expected)
    assert text_of(answer, "QueryRetrieveLevel") == "SERIES"
    assert (text_of(answer, "Modality"), text_of(answer, "SeriesNumber")) == ("MR", "")
    assert answer[tag_of("SeriesNumber")].vr == "IS"


@pytest.mark.requirement("QR-010", "QR-012")
def test_sop_class_and_sr_titles_are_matched() -> None:
    """SOP class and SR titles are returned and matched."""
    title = data_set(
        CodeValue="121181", CodingSchemeDesignator="DCM", CodeMeaning="DICOM Object Catalog"
    )
    corpus = [
        instance(
            1,
            SOPClassUID=SR,
            ConceptNameCodeSequence=[title],
            ContentTemplateSequence=[data_set(TemplateIdentifier="2010")],
        ),
        instance(2, SOPClassUID=CT),
    ]
    asked: dict[str, Any] = {
        "ConceptNameCodeSequence": [data_set(CodeValue="121181", CodeMeaning="")]
    }
    (answer,) = ask("IMAGE", corpus=corpus, SOPClassUID="", ContentTemplateSequence=[], **asked)
    assert text_of(answer, "SOPClassUID") == SR
    (item,) = answer[tag_of("ConceptNameCodeSequence")].values
    assert item == data_set(CodeValue="121181", CodeMeaning="DICOM Object Catalog")
    (template,) = answer[tag_of("ContentTemplateSequence")].values
    assert text_of(template, "TemplateIdentifier") == "2010"


@pytest.mark.requirement("QR-054", "QR-109")
def test_matched_attribute_returns_all_its_values() -> None:
    """All values of a matched attribute are returned."""
    corpus = [
        instance(1, OperatorsName="Smith^A\\Jones^B"),
        instance(2, series=2, OperatorsName="Brown^C"),
    ]
    (answer,) = ask("SERIES", corpus=corpus, OperatorsName="JONES*")
    assert text_of(answer, "OperatorsName") == "Smith^A\\Jones^B"
    assert ask("SERIES", corpus=corpus, OperatorsName="*A?Jones*") == []


@pytest.mark.requirement("QR-066")
def test_unnegotiated_view_changes_nothing() -> None:
    """A view that was not negotiated changes nothing."""
    assert ask("STUDY", QueryRetrieveView="CLASSIC") == ask("STUDY")


# Empty values.


@pytest.mark.requirement("QR-110")
@pytest.mark.parametrize("stored", [{}, {"AccessionNumber": ""}], ids=["absent", "empty"])
def test_empty_stored_value_matches_by_switch(stored: dict[str, str]) -> None:
    corpus = [
        instance(1, **stored),
        instance(2, study=2, AccessionNumber="B"),
        instance(3, study=3, AccessionNumber="A"),
    ]
    for key in ("A", "A*", "A\\C"):
        assert column(ask("STUDY", corpus=corpus, AccessionNumber=key), "StudyInstanceUID") == [
            "1.2.3"
        ]
        unknown = ask(
            "STUDY", options=QueryOptions(unknown_matches=True), corpus=corpus, AccessionNumber=key
        )
        assert column(unknown, "StudyInstanceUID") == ["1.2.1", "1.2.3"]


@pytest.mark.requirement("QR-117", "QR-118")
def test_empty_value_finds_entities_without_value() -> None:
    """Empty Value matching finds exactly the entities without a value."""
    corpus = [
        instance(1),
        instance(2, AcquisitionDate="", ImageComments=""),
        instance(3, AcquisitionDate="20240101", ImageComments='""'),
    ]
    for unknown_matches in (False, True):
        options = QueryOptions(empty_value=True, unknown_matches=unknown_matches)
        assert matched(corpus, options, AcquisitionDate='""') == [1, 2]
        assert matched(corpus, options, ImageComments='""') == [1, 2]
    assert matched(corpus, ImageComments='""') == [3]
    with pytest.raises(IdentifierError):
        matched(corpus, AcquisitionDate='""')


@pytest.mark.requirement("QR-090", "QR-091")
def test_universal_keys_match_what_has_no_value() -> None:
    corpus = [instance(1), instance(2, study=2, StudyDescription="X")]
    for key in ("", "*"):
        answers = ask("STUDY", corpus=corpus, StudyDescription=key)
        assert column(answers, "StudyDescription") == ["", "X"]


# Dates with times.


@pytest.mark.requirement("QR-077")
def test_date_and_time_ranges_combine_if_negotiated() -> None:
    """Ranges of a date and its time are one where negotiated."""
    stored = {
        1: ("20060705", "0959"),
        2: ("20060705", "1000"),
        3: ("20060706", "0300"),
        4: ("20060707", "1830"),
        5: ("20060706", "1200"),
        6: ("20060706", ""),
        7: ("", "1200"),
    }
    corpus = [
        instance(number, AcquisitionDate=date, AcquisitionTime=time)
        for number, (date, time) in stored.items()
    ]
    keys = {"AcquisitionDate": "20060705-20060707", "AcquisitionTime": "1000-1800"}
    assert matched(corpus, **keys) == [2, 5]
    options = QueryOptions(combined_datetime=True)
    assert matched(corpus, options, **keys) == [2, 3, 5, 6]
    assert matched(corpus, options, AcquisitionDate="20060705-", AcquisitionTime="-1000") == [
        1,
        2,
        3,
    ]
    night = {"AcquisitionDate": "20060705-20060706", "AcquisitionTime": "2200-0400"}
    assert matched(corpus, options, **night) == [3, 6]
    with pytest.raises(IdentifierError):
        matched(corpus, **night)


@pytest.mark.requirement("QR-079")
def test_time_zone_adjustment_crosses_midnight() -> None:
    """Time zone adjustment moves dates and times across midnight."""
    corpus = [
        instance(
            1, AcquisitionDate="20240102", AcquisitionTime="0400", TimezoneOffsetFromUTC="+0000"
        ),
        instance(
            2, AcquisitionDate="20240101", AcquisitionTime="2330", TimezoneOffsetFromUTC="-0500"
        ),
        instance(
            3, AcquisitionDate="20240101", AcquisitionTime="2330", TimezoneOffsetFromUTC="+0000"
        ),
        instance(4, AcquisitionDate="20240101", AcquisitionTime="2330"),
        instance(5, AcquisitionDate="20240101", AcquisitionTime=""),
    ]
    keys = {
        "AcquisitionDate": "20240101",
        "AcquisitionTime": "2300-2359",
        "TimezoneOffsetFromUTC": "-0500",
    }
    assert matched(corpus, **keys) == [2, 3, 4]
    options = QueryOptions(timezone_adjustment=True)
    assert matched(corpus, options, **keys) == [1, 2]
    here = QueryOptions(timezone_adjustment=True, timezone_offset_minutes=-300)
    assert matched(corpus, here, **keys) == [1, 2, 4]
    only_date = {"AcquisitionDate": "20240101", "TimezoneOffsetFromUTC": "-0500"}
    assert matched(corpus, options, **only_date) == [1, 2, 3, 4, 5]
    only_time = {"AcquisitionTime": "23", "TimezoneOffsetFromUTC": "-0500"}
    assert matched(corpus, options, **only_time) == [1, 2]
    combined = QueryOptions(timezone_adjustment=True, combined_datetime=True)
    both = {
        "AcquisitionDate": "20240101-20240102",
        "AcquisitionTime": "2300-0200",
        "TimezoneOffsetFromUTC": "-0500",
    }
    assert matched(corpus, combined, **both) == [1, 2, 5]


@pytest.mark.requirement("QR-079", "QR-101")
def test_date_time_without_offset_has_a_zone() -> None:
    """A date-time without an offset is in the data set's zone, or else the server's."""
    corpus = [
        instance(1, AcquisitionDateTime="202401011200", TimezoneOffsetFromUTC="+0200"),
        instance(2, AcquisitionDateTime="202401011200"),
        instance(3, AcquisitionDateTime="202401011000+0000"),
    ]
    assert matched(corpus, AcquisitionDateTime="202401011000") == [1, 3]
    assert matched(corpus, AcquisitionDateTime="202401011100", TimezoneOffsetFromUTC="+0100") == [
        1,
        3,
    ]
    assert matched(
        corpus, QueryOptions(timezone_offset_minutes=120), AcquisitionDateTime="202401011200"
    ) == [1, 2, 3]


# Everything else of an instance.


@pytest.mark.requirement("QR-043")
def test_private_attributes_are_found_by_creator() -> None:
    """Private attributes are found by their creator in any block."""
    stored = {0x00090010: Element("LO", ("OTHER",)), 0x00090020: Element("LO", ("ACME",))}
    private = {0x00091001: Element("LO", ("no",)), 0x00092001: Element("LO", ("yes",))}
    corpus = [instance(1) | stored | private, instance(2)]
    key = {0x00090011: Element("LO", ("ACME",)), 0x00091101: Element("LO", ("y*",))}
    identifier = data_set(QueryRetrieveLevel="IMAGE", SOPInstanceUID="") | key
    found = parse_identifier(
        dict(sorted(identifier.items())), "1.2.840.10008.5.1.4.1.2.2.1", QueryOptions()
    )
    (answer,) = find(corpus, found)
    assert answer[0x00090011].values == ("ACME",)
    assert answer[0x00091101].values == ("yes",)
    assert 0x00092001 not in answer


@pytest.mark.parametrize(
    ("stored", "key", "expected"),
    [
        (Element("LO", ("ABC", "DEF")), b"DEF ", True),
        (Element("LO", ("ABC",)), b"A* ", True),
        (Element("LO", ("ABC",)), b"XYZ\\ABC ", True),
        (Element("LT", ("XYZ\\ABC",)), b"XYZ\\ABC ", True),
        (Element("DS", ("1.50",)), b"1.5 ", True),
        (Element("DS", ("1.50",)), b"abc ", False),
        (Element("US", (7, 8)), b"\x08\x00", True),
        (Element("US", (7,)), b"\x00\x07", False),
        (Element("US", (7,)), b"7", False),
        (Element("AT", (0x00181063,)), b"\x18\x00\x63\x10", True),
        (Element("FD", (0.5,)), b"\0\0\0\0\0\0\xe0\x3f", True),
        (Element("UN", (b"ABC ",)), b"ABC", True),
        (Element("UN", (b"ABC ",)), b"AB*", False),
        (Element("SQ", ({},)), b"ABC", False),
    ],
)
def test_key_of_unknown_vr_uses_stored_vr(stored: Element, key: bytes, expected: bool) -> None:
    """A key of unknown VR is read with the stored VR."""
    creator = {0x00090010: Element("LO", ("ACME",))}
    identifier = (
        creator | data_set(QueryRetrieveLevel="IMAGE") | {0x00091001: Element("UN", (key,))}
    )
    found = parse_identifier(
        dict(sorted(identifier.items())), "1.2.840.10008.5.1.4.1.2.2.1", QueryOptions()
    )
    assert bool(find([instance() | creator | {0x00091001: stored}], found)) is expected


@pytest.mark.parametrize(
    ("stored", "key", "expected"),
    [
        (Element("DS", ("1.50",)), ("1.5",), True),
        (Element("DS", ("1.50",)), ("1.5*",), False),
        (Element("DS", ("1.50", "2")), ("7", "2.0"), True),
        (Element("US", (7,)), ("7",), True),
        (Element("US", (7,)), ("8",), False),
        (Element("FD", (0.5,)), ("5E-1",), True),
        (Element("AT", (0x00181063,)), ("00181063",), True),
        (Element("DA", ("20240131",)), ("20240101-20240201",), True),
        (Element("PN", ("Doe^John",)), ("DOE^*",), True),
        (Element("UI", ("1.2.30",)), ("1.2.3",), False),
        (Element("LO", ("1.50",)), ("1.5",), False),
        (Element("LO", ("1.50",)), ("1.5*",), True),
        (Element("LT", ("A\\B",)), ("A", "B"), True),
        (Element("UN", (b"1.50",)), ("1.5*",), True),
        (Element("UN", (b"1.50",)), ("1.5",), False),
        (Element("SQ", ({},)), ("1.5",), False),
        (Element("DS", ()), ("1.5",), False),
        (Element("DS", ("1.50",)), ("*",), True),
    ],
)
def test_text_of_unknown_private_key_uses_stored_vr(
    stored: Element, key: tuple[str, ...], expected: bool
) -> None:
    """Text of a private key that nobody knows is read with the stored VR."""
    creator = {0x00090010: Element("LO", ("ACME",))}
    identifier = creator | data_set(QueryRetrieveLevel="IMAGE") | {0x00091001: Element("LO", key)}
    found = parse_identifier(
        dict(sorted(identifier.items())), "1.2.840.10008.5.1.4.1.2.2.1", QueryOptions()
    )
    assert bool(find([instance() | creator | {0x00091001: stored}], found)) is expected


@pytest.mark.requirement("QR-007")
@settings(max_examples=40)
@given(corpora(again=True), queries())
def test_keys_never_add_entities(corpus: list[DataSet], asked: Asked) -> None:
    """No key ever adds an entity, and none is returned twice."""
    try:
        found = parse_identifier(asked.identifier, asked.model.uid, asked.options)
    except IdentifierError:
        return
    root = {"Patient Root": "patient", "Study Root": "study", "Patient/Study Only": "psonly"}[
        asked.model.words
    ]
    everything = Counter(path(answer) for answer in find(corpus, query(found.level.name, root)))
    if found.level is not Level.PATIENT:
        # One PatientID may be that of several patients, by its issuers; UIDs are unique.
        assert set(everything.values()) <= {1}
    assert Counter(path(answer) for answer in find(corpus, found)) <= everything


PATH = ("PatientID", "IssuerOfPatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


def paths(
    corpus: list[DataSet], found: Query, level: Level, levels: set[Level]
) -> set[tuple[str | None, ...]]:
    """The entities of a level that the query's keys of these levels select."""
    keywords = PATH[: level + 1]
    returned = tuple(KEYS_BY_KEYWORD[keyword] for keyword in keywords)
    alone = replace(
        found,
        level=level,
        criteria=tuple(key for key in found.criteria if key.level in levels),
        return_keys=tuple(ReturnKey(key.tag, key.vr, key.level) for key in returned),
    )
    return {
        tuple(text_of(answer, keyword) for keyword in keywords) for answer in find(corpus, alone)
    }


@pytest.mark.requirement("QR-062", "QR-065")
@settings(max_examples=40)
@given(corpora(), queries())
def test_relational_is_each_level_in_turn(corpus: list[DataSet], asked: Asked) -> None:
    """Match the entities of a level on its keys, then go on below them (C.4.1.3.2.2).

    Below the patients, keys of the patient are matched with those of the study, which has
    demographics of its own.
    """
    try:
        found = parse_identifier(asked.identifier, asked.model.uid, asked.options)
    except IdentifierError:
        return
    # Patients without an ID are told apart by more than this test knows.
    corpus = [
        data_set(PatientID="P0") | {t: e for t, e in each.items() if e.values} for each in corpus
    ]
    expected = paths(corpus, found, found.level, set())
    for level in Level:
        if level <= found.level and (level > Level.PATIENT or found.level is Level.PATIENT):
            keys: set[Level] = {Level.PATIENT, level} if level is Level.STUDY else {level}
            selected = paths(corpus, found, level, keys)
            expected = {each for each in expected if each[: level + 1] in selected}
    above = {level for level in Level if level <= found.level}
    assert paths(corpus, found, found.level, above) == expected


def path(answer: DataSet) -> tuple[str | None, ...]:
    uids = tuple(
        text_of(answer, keyword)
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    )
    return uids if any(uids) else (text_of(answer, "PatientID"),)
