"""The table from places in HL7 messages to attributes of an entry (IHE RAD TF-2 Appendix B)."""

from __future__ import annotations

import pytest

from dicomquest.dataset.elements import DataSet, to_pydicom
from dicomquest.worklist.entry import entries_of
from dicomquest.worklist.hl7_mapping import default_mapping, mapping_text, read_mapping
from dicomquest.worklist.hl7_message import Hl7Error, read_message
from fixtures.orders import CLINIC_ORDER, IHE_ORDER, IMAGING_ORDER


def entry_of(data: bytes, mapping: str = "", step: int = 0) -> DataSet:
    return read_mapping(mapping).data_set(read_message(data).steps[step])


def test_ihe_order_is_an_entry() -> None:
    entry = to_pydicom(entry_of(IHE_ORDER))
    (item,) = entry.ScheduledProcedureStepSequence
    (code,) = entry.RequestedProcedureCodeSequence
    assert (entry.PatientName, entry.PatientID) == ("Doe^Jane^Ann^Dr^Jr", "P1")
    assert (entry.PatientBirthDate, entry.PatientSex) == ("19700102", "F")
    assert (entry.AccessionNumber, entry.RequestedProcedureID) == ("A1", "R1")
    assert (entry.StudyInstanceUID, entry.AdmissionID) == ("1.2.840.1", "V4711")
    assert entry.ReferringPhysicianName == "Referrer^Rolf^^Dr"
    assert entry.RequestingPhysician == "Orderer^Olga"
    assert entry.RequestedProcedurePriority == "STAT"
    assert entry.PatientTransportArrangements == "WHEELCHAIR"
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("CTCH", "EAST")
    assert (item.Modality, item.ScheduledStationAETitle) == ("CT", "CT1")
    assert item.ScheduledProcedureStepStartDate == "20260105"
    assert item.ScheduledProcedureStepStartTime == "1430"
    assert item.ScheduledPerformingPhysicianName == "Tech^Tina"
    assert item.ScheduledProcedureStepDescription == "Chest, plain"
    assert item.ScheduledProcedureStepID == "S1"


def test_imaging_order_has_steps() -> None:
    entries = [to_pydicom(entry_of(IMAGING_ORDER, step=step)) for step in (0, 1)]
    items = [entry.ScheduledProcedureStepSequence[0] for entry in entries]
    assert entries[0].PatientName == "Yamada^Tarou=山田^太郎=やまだ^たろう"
    assert entries[0].IssuerOfPatientID == "EAST"
    assert [item.ScheduledProcedureStepID for item in items] == ["S2A", "S2B"]
    assert [item.ScheduledStationAETitle for item in items] == ["MR1", "MR1"]
    assert [item.ScheduledProtocolCodeSequence[0].CodeValue for item in items] == ["KN1", "KN2"]


def test_mapping_fills_what_a_site_sends() -> None:
    changed = """
        [places]
        ScheduledStationAETitle = ["ZST-1", "=US9"]
        PatientComments = ["PID-2"]
        RequestedProcedureCodeSequence = []
    """
    entry = to_pydicom(entry_of(CLINIC_ORDER, changed))
    assert entry.ScheduledProcedureStepSequence[0].ScheduledStationAETitle == "US1"
    assert (entry.PatientComments, entry.RequestedProcedureID) == ("OLD3", "4713")
    assert "RequestedProcedureCodeSequence" not in entry
    without = to_pydicom(entry_of(CLINIC_ORDER.replace(b"ZST|US1", b""), changed))
    assert without.ScheduledProcedureStepSequence[0].ScheduledStationAETitle == "US9"
    assert entries_of(entry_of(CLINIC_ORDER, changed))


def test_made_study_uid_stays() -> None:
    first, again = (entry_of(CLINIC_ORDER)[0x0020000D].values[0] for _ in range(2))
    other = entry_of(CLINIC_ORDER.replace(b"4713", b"4714"))[0x0020000D].values[0]
    assert first == again != other
    assert first.startswith("2.25.")
    assert len(first) <= 64


def test_time_with_zone_is_local(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        item = to_pydicom(entry_of(IMAGING_ORDER)).ScheduledProcedureStepSequence[0]
    finally:
        monkeypatch.undo()
        time.tzset()
    assert item.ScheduledProcedureStepStartDate == "20260106"
    assert item.ScheduledProcedureStepStartTime == "000000"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"202601051430", b"tomorrow", "'tomorrow' is no Scheduled Procedure Step Start Date"),
        (b"202601051430", b"202602301430", "no time that a calendar has"),
        (b"19700102", b"1970", "PID-7.1 '1970' is no Patient's Birth Date"),
        (b"1.2.840.1^", b"study^", "ZDS-1.1 'study' is no UID"),
        (
            b"|A1|",
            b"|" + b"A" * 40 + b"|",
            r"OBR-18.1 'A{40}' has 40 characters: Accession Number \(SH\) has at most 16",
        ),
        (b"|CT1|", b"|" + b"C" * 30 + b"|", r"OBR-21.1 .* Scheduled Station AE Title \(AE\) has"),
        (b"|CT1|", rb"|CT1\E\CT2|", "OBR-21.1 .* has a backslash"),
        (b"|||CT|||", b"|||C,T|||", "OBR-24.1 'C,T' is no Modality"),
        (b"|||CT|||", b"|||" + b"C" * 17 + b"|||", "OBR-24.1 'C{17}' is no Modality"),
    ],
)
def test_wrong_values_are_named(old: bytes, new: bytes, words: str) -> None:
    with pytest.raises(Hl7Error, match=words):
        entry_of(IHE_ORDER.replace(old, new))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("places = 1", "no table"),
        ("[places]\nPatientNaem = 'PID-5'", "PatientNaem"),
        ("[places]\nPatientName = ['name']", "'name' is no place"),
        ("[places]\nPatientName = [1]", "needs places"),
        ("[places]\nPixelData = 'PID-5'", "PixelData"),
        ("[place]", "'place'"),
        ("charset = 'klingon'", "klingon"),
        ("[", "no TOML"),
        ("values = {PatientSex = 1}", "no table"),
    ],
)
def test_wrong_mappings_are_told(text: str, words: str) -> None:
    with pytest.raises(Hl7Error, match=words):
        read_mapping(text)


def test_printed_mapping_is_read_again() -> None:
    changed = "charset = 'utf-8'\n[places]\n'ScheduledProcedureStepSequence.PatientComments' = '=x'"
    for mapping in (default_mapping(), read_mapping(changed)):
        assert read_mapping(mapping_text(mapping)) == mapping


def test_values_become_what_dicom_carries() -> None:
    data = IHE_ORDER.replace(b"|||CT|||", b"|||ct|||").replace(b"|A1|", rb"|A\E\1|")
    data = data.replace(b"Chest, plain", rb"Chest\E\plain").replace(b"Doe^", rb"Do\E\e^")
    entry = to_pydicom(entry_of(data.replace(b"CTCHP", rb"CT\E\P")))
    (item,) = entry.ScheduledProcedureStepSequence
    (code,) = item.ScheduledProtocolCodeSequence
    assert "PatientSex" not in to_pydicom(entry_of(IHE_ORDER.replace(b"|F|", b"|U|")))
    assert (item.Modality, entry.AccessionNumber, code.CodeValue) == ("CT", "A/1", "CT/P")
    assert item.ScheduledProcedureStepDescription == "Chest/plain"
    assert str(entry.PatientName).startswith("Do/e^")
