"""The rows of an instance: the level, the text and the search forms of each attribute."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from dicomquest.dataset.elements import DataSet, Element, element_to_json, from_json
from dicomquest.index.ingest.instance import Received, receive
from dicomquest.index.tables.rows import (
    LARGEST_BINARY,
    Record,
    ValueRow,
    element_json,
    forms,
    record_from_row,
    records,
    value_path,
)
from dicomquest.index.tables.schema import COLUMN_KEYS
from dicomquest.standard.keys import KEYS_BY_KEYWORD
from dicomquest.standard.levels import Level
from fixtures.building import data_set, instance, tag_of
from strategies.dataset import data_sets
from strategies.query import corpora


def attributes(record: Record) -> DataSet:
    return from_json(json.loads(record.attributes() or "{}"))


def test_attributes_go_to_level_keys_to_columns() -> None:
    """Attributes go to the level of their module, and keys to columns."""
    found = records(
        data_set(
            PatientName="Doe^John=王", PatientAddress="Street 1", StudyDate="20240101",
            MedicalAlerts="A\\B",
            Modality="CT", GantryID="G", SOPInstanceUID="1.2", Rows=(512,),
            TimezoneOffsetFromUTC="+0100",
        )
    )  # fmt: skip
    texts = {level: found[level].texts for level in Level}
    assert texts == {
        Level.PATIENT: {"patient_name": "Doe^John=王"},
        Level.STUDY: {"study_date": "20240101"},
        Level.SERIES: {"modality": "CT"},
        Level.IMAGE: {"sop_instance_uid": "1.2"},
    }
    zone = {tag_of("TimezoneOffsetFromUTC"): Element("SH", ("+0100",))}
    assert attributes(found[Level.PATIENT]) == zone | {
        tag_of("PatientAddress"): Element("LO", ("Street 1",))
    }
    assert attributes(found[Level.STUDY]) == zone | {
        tag_of("MedicalAlerts"): Element("LO", ("A", "B"))
    }
    assert attributes(found[Level.SERIES]) == zone | {tag_of("GantryID"): Element("LO", ("G",))}
    assert attributes(found[Level.IMAGE]) == zone | {tag_of("Rows"): Element("US", (512,))}


def test_bulk_and_derived_values_are_not_kept() -> None:
    """Pixel data, large binaries, group lengths and stored counts are not kept."""
    large = Element("OB", (b"x" * (LARGEST_BINARY + 1),))
    small = Element("OB", (b"x" * LARGEST_BINARY,))
    found = records(
        {
            0x00080000: Element("UL", (8,)),
            0x00091001: large,
            0x00091002: small,
            0x00091003: Element("SQ", ({0x00091001: large, 0x00091002: small},)),
            tag_of("NumberOfStudyRelatedSeries"): Element("IS", ("99",)),
            tag_of("ModalitiesInStudy"): Element("CS", ("XX",)),
            0x7FE00010: Element("OW", (b"\0\0",)),
            0xFFFCFFFC: Element("OB", (b"\0\0",)),
        }
    )
    assert attributes(found[Level.IMAGE]) == {
        0x00091002: small,
        0x00091003: Element("SQ", ({0x00091002: small},)),
    }
    assert all(
        record == Record({}, {}) for level, record in found.items() if level is not Level.IMAGE
    )


def test_search_forms_are_folded_and_sortable() -> None:
    """Search forms are folded, sortable and canonical."""
    record = records(
        data_set(
            ReferringPhysicianName="Müller ^Änne^^=山田^太郎=やまだ^たろう", StudyDate="2024.01.31",
            StudyTime="12:30:00", PatientWeight="070.50", AccessionNumber="Ä 1",
        )
    )[Level.STUDY]  # fmt: skip
    found = forms(Level.STUDY, record, 0)
    assert found.columns == {
        "study_date_sort": "20240131",
        "study_time_sort": "123000.000000",
        "referring_physician_name_alphabetic": "muller^anne",
        "referring_physician_name_ideographic": "山田^太郎",
        "referring_physician_name_phonetic": "やまだ^たろう",
        "patient_weight_number": "70.5",
    }
    assert found.occurrences == {("00080090", 2), ("00080090", 3)}
    assert ValueRow("00080090", 8, "muller") in found.values
    assert {row.part for row in found.values} == {8, 9}


@pytest.mark.requirement("QR-101")
def test_date_time_is_an_instant_of_its_zone() -> None:
    """A date-time is searched as an instant of its own zone, or else of the index's."""
    for zone, stored, expected in (
        ("", "20240101120000", "20240101130000.000000"),
        ("", "20240101120000+0200", "20240101100000.000000"),
        ("+0100", "20240101120000", "20240101110000.000000"),
    ):
        record = records(data_set(AcquisitionDateTime=stored, TimezoneOffsetFromUTC=zone))[
            Level.IMAGE
        ]
        assert forms(Level.IMAGE, record, -60).columns == {"acquisition_date_time_sort": expected}


@pytest.mark.requirement("QR-109")
def test_several_values_are_value_rows_only() -> None:
    """Several values are value rows, and no column has their forms."""
    record = records(data_set(StudyDate="20240101\\20240202", AccessionNumber="A\\B", StudyID="1"))[
        Level.STUDY
    ]
    assert record.texts["study_date"] == "20240101\\20240202"
    found = forms(Level.STUDY, record, 0)
    assert found.columns == {}
    assert found.values == {
        ValueRow("00080020", 0, "20240101"),
        ValueRow("00080020", 0, "20240202"),
        ValueRow("00080050", 0, "A"),
        ValueRow("00080050", 0, "B"),
    }
    assert found.occurrences == {("00080020", 0), ("00080050", 0)}


@pytest.mark.requirement("QR-108")
def test_sequence_items_are_value_rows_by_path() -> None:
    """The items of a sequence are value rows by path."""
    item = data_set(CodeValue="T1", EquivalentCodeSequence=[data_set(CodeValue="T2")])
    record = records(data_set(ProcedureCodeSequence=[item]))[Level.STUDY]
    assert forms(Level.STUDY, record, 0).values == {
        ValueRow("00081032.00080100", 0, "T1"),
        ValueRow("00081032.00080121.00080100", 0, "T2"),
    }


def test_characters_no_database_holds_are_replaced() -> None:
    found = records(
        {
            tag_of("PatientName"): Element("PN", ("A\ud800",)),
            tag_of("GantryID"): Element("LO", ("\udfff",)),
        }
    )
    assert found[Level.PATIENT].texts == {"patient_name": "A\ufffd"}
    assert attributes(found[Level.SERIES])[tag_of("GantryID")].values == ("\ufffd",)


@given(corpora(max_patients=1, max_children=1))
def test_record_comes_back_from_its_row(corpus: list[DataSet]) -> None:
    for each in corpus:
        received = receive(each, 0)
        assert isinstance(received, Received)
        for level in Level:
            record = received.records[level]
            record.texts.pop(KEYS_BY_KEYWORD["AvailableTransferSyntaxUID"].column, None)
            row = dict.fromkeys(key.column for key in COLUMN_KEYS[level]) | record.columns()
            assert record_from_row(level, row) == record
        # A decoded element and its stored JSON have the same forms.
        assert forms(Level.IMAGE, received.records[Level.IMAGE], 0) == received.forms


def test_bytes_of_unknown_vr_are_read_as_key() -> None:
    stored = instance() | {
        tag_of("InstanceNumber"): Element("UN", (b"007 ",)),
        tag_of("ContentLabel"): Element("UN", (b"A\\B",)),
        tag_of("CompletionFlag"): Element("UN", (b"  ",)),
    }
    received = receive(dict(sorted(stored.items())), 0)
    assert isinstance(received, Received)
    texts = received.records[Level.IMAGE].texts
    assert (texts["instance_number"], texts["content_label"], "completion_flag" in texts) == (
        "007",
        "A\\B",
        False,
    )
    assert received.forms.columns == {"instance_number_number": "7"}
    assert received.forms.values == {ValueRow("00700080", 0, "A"), ValueRow("00700080", 0, "B")}
    assert forms(Level.IMAGE, received.records[Level.IMAGE], 0) == received.forms


@given(data_sets)
def test_text_of_attribute_is_that_of_its_json(found: DataSet) -> None:
    for element in found.values():
        text = json.dumps(element_to_json(element), ensure_ascii=False, separators=(",", ":"))
        assert element_json(element) == text


def test_large_binaries_are_left_out_of_items_too() -> None:
    large = {
        0x00081140: Element("SQ", ({0x00091001: Element("OB", (bytes(LARGEST_BINARY + 1),))},))
    }
    assert element_json(large[0x00081140]) == '{"vr":"SQ","Value":[{}]}'
    assert element_json(Element("OB", (bytes(LARGEST_BINARY + 1),))) is None


def test_value_path() -> None:
    assert value_path([0x00100020]) == "00100020"
    assert value_path([0x00400275, 0x0040000A]) == "00400275.0040000A"
