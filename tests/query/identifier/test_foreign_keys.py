"""Keys that people type of habit in a model that has others."""

from __future__ import annotations

import pytest
from pydicom.datadict import tag_for_keyword

from dicomquest.query.identifier import foreign_keys
from dicomquest.query.identifier.entry_keys import in_items
from dicomquest.query.identifier.entry_models import ENTRY_MODELS
from dicomquest.query.identifier.foreign_keys import foreign_key_note, foreign_to_archives
from dicomquest.query.identifier.key_arguments import parse_key


def note(word: str, text: str) -> str:
    row = ENTRY_MODELS[word]
    (key,) = in_items([parse_key(text)], row.places)
    return foreign_key_note(key, row)


@pytest.mark.parametrize(
    ("word", "text", "words"),
    [
        ("worklist", "StudyDate=20260105", "the key there is ScheduledProcedureStepStartDate=2026"),
        ("worklist", "StudyDate", "may come back empty; the key there is Scheduled"),
        ("worklist", "ScheduledProcedureStepSequence.StudyTime=10", "ProcedureStepStartTime=10"),
        ("worklist", "ModalitiesInStudy=CT", "the key there is Modality=CT"),
        ("worklist", "SeriesInstanceUID=1.2", "keys there are ScheduledStationAETitle"),
        ("ups", "Modality=CT", "the key there is ScheduledStationClassCodeSequence.CodeValue=CT"),
        ("ups-watch", "ScheduledProcedureStepStatus=DONE", "the key there is ProcedureStepState"),
        ("ups", "SeriesNumber=1", "is hardly ever in model ups, so it may find nothing"),
        ("hanging-protocol", "PatientName=X", "keys there are HangingProtocolName"),
        ("procedure-protocol", "Modality=CT", "the key there is EquipmentModality=CT"),
        ("color-palette", "StudyDate=2024", "keys there are ContentLabel"),
    ],
)
def test_the_key_that_is_meant_is_named(word: str, text: str, words: str) -> None:
    assert words in note(word, text)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("worklist", "Modality=CT"),
        ("worklist", "PatientComments=x"),
        ("worklist", "PatientAge=030Y"),
        ("worklist", "ScheduledProtocolCodeSequence.CodeValue=A"),
        ("worklist", "ScheduledProcedureStepSequence"),
        ("ups", "ReferencedRequestSequence.AccessionNumber=A"),
        ("ups", "PatientWeight=1"),
        ("hanging-protocol", "Modality=CT"),
        ("hanging-protocol", "HangingProtocolDefinitionSequence.Laterality=L"),
        ("color-palette", "0009,xx01:Acme=1"),
    ],
)
def test_own_keys_get_no_remark(word: str, text: str) -> None:
    assert not note(word, text)


def test_each_key_of_a_model_is_its_own() -> None:
    """Only keys that hardly any entry has are remarked on, though the Standard allows them."""
    allowed = {0x00080020, 0x00080030}
    for word, row in ENTRY_MODELS.items():
        for path in row.rows:
            if not allowed & set(path) or word != "worklist":
                text = ".".join(f"{tag >> 16:04x},{tag & 0xFFFF:04x}" for tag in path)
                assert not foreign_key_note(parse_key(text), row), (word, text)


def test_the_meant_keys_are_keys_of_their_model() -> None:
    tables = {"worklist": foreign_keys._OF_A_WORKLIST, **foreign_keys._OF_OBJECTS}
    for word, table in tables.items():
        row = ENTRY_MODELS[word]
        own = {tag for path in row.rows for tag in path}
        assert all(tag_for_keyword(name.split(".")[0]) in own for name in table.values())
    own = {tag for path in ENTRY_MODELS["ups"].rows for tag in path}
    assert all(tag_for_keyword(name.split(".")[0]) in own for name in foreign_keys._OF_UPS.values())


@pytest.mark.parametrize(
    ("keyword", "word"),
    [
        ("ScheduledStationAETitle", "worklist"),
        ("HangingProtocolName", "hanging-protocol"),
        ("WorklistLabel", "ups"),
        ("Modality", ""),
        ("StudyDate", ""),
        ("Rows", ""),
    ],
)
def test_keys_of_no_archive(keyword: str, word: str) -> None:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    assert foreign_to_archives(tag) == word
