"""Objects without a patient enter, change and leave the index with their files."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicomquest.index import Index
from dicomquest.index.database.pool import Database
from dicomquest.index.ingest.instance import Reason
from dicomquest.index.upkeep.copying import copy_index
from dicomquest.standard.models import COLOR_PALETTE, HANGING_PROTOCOL
from fixtures.building import data_set, instance
from fixtures.objects import made, object_query, write_object

NAMES = object_query(HANGING_PROTOCOL, HangingProtocolName="")


def _names(index: Index) -> list[str]:
    return sorted(str(each[0x00720002].values[0]) for each in index.find_data_sets(NAMES))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "files"
    found.mkdir()
    return found


@pytest.mark.requirement("NP-001")
def test_files_are_read_once_and_again_if_changed(location: str, folder: Path) -> None:
    write_object(folder / "a", made(HANGING_PROTOCOL, 1, HangingProtocolName="A"))
    write_object(folder / "b", made(HANGING_PROTOCOL, 2, HangingProtocolName="B"))
    with Index(location) as index:
        assert index.ingest([folder]).indexed == 2
        assert index.ingest([folder]).unchanged == 2
        write_object(folder / "a", made(HANGING_PROTOCOL, 1, HangingProtocolName="Longer"))
        summary = index.ingest([folder])
        assert (summary.replaced, summary.unchanged) == (1, 1)
        assert _names(index) == ["B", "Longer"]
        assert index.check_files().checked == 2
        assert set(index.counts().values()) == {0}


def test_object_goes_with_its_last_file(location: str, folder: Path) -> None:
    for name in ("a", "b"):
        write_object(folder / name, made(HANGING_PROTOCOL, 1, HangingProtocolName="A"))
    write_object(folder / "c", made(HANGING_PROTOCOL, 2, HangingProtocolName="C"))
    with Index(location) as index:
        index.ingest([folder])
        (folder / "a").unlink()
        assert index.check_files().differences == 1
        assert index.prune([folder]).objects == 0
        (folder / "b").unlink()
        assert index.prune([folder]).objects == 1
        assert _names(index) == ["C"]
        assert index.check_files().differences == 0


def test_path_changes_between_object_and_instance(location: str, folder: Path) -> None:
    """A file that holds another instance now leaves nothing of the earlier one."""
    protocol = made(HANGING_PROTOCOL, 1, HangingProtocolName="A")
    image = instance(1, SOPClassUID="1.2.840.10008.5.1.4.1.1.2", PatientID="P1")
    with Index(location) as index:
        write_object(folder / "a", protocol)
        index.ingest([folder])
        write_object(folder / "a", image)
        assert index.ingest([folder]).removed == 1
        assert _names(index) == []
        assert [each.PatientID for each in index.find(level="PATIENT", model="patient")] == ["P1"]
        write_object(folder / "a", protocol)
        assert index.ingest([folder]).removed == 1
        assert _names(index) == ["A"]
        assert set(index.counts().values()) == {0}
        # Another object in the same file.
        write_object(folder / "a", made(HANGING_PROTOCOL, 2, HangingProtocolName="Other"))
        index.ingest([folder])
        assert _names(index) == ["Other"]


def test_unfit_uid_is_refused(location: str) -> None:
    with Index(location) as index:
        two = made(COLOR_PALETTE, 1, SOPInstanceUID="1.2\\1.3")
        assert index.ingest_data_sets([two]).skipped == {Reason.UNFIT_UID: 1}
        none = data_set(SOPClassUID="1.2.840.10008.5.1.4.39.1")
        assert index.ingest_data_sets([none]).skipped == {Reason.NO_SOP_INSTANCE_UID: 1}


def test_check_repairs_columns(location: str) -> None:
    with Index(location) as index:
        index.ingest_data_sets([made(HANGING_PROTOCOL, 1, HangingProtocolName="A")])
        assert (index.check().objects, index.check().differences) == (1, 0)
        with index._database.begin() as connection:
            connection.exec_driver_sql("UPDATE non_patient_object SET sop_class_uid = '1.2'")
        assert _names(index) == []
        assert index.check().examples == ["non_patient_object 1: sop_class_uid"]
        assert index.check(repair=True).differences == 1
        assert index.check().differences == 0
        assert _names(index) == ["A"]


def test_copy_has_objects_and_their_files(location: str, folder: Path, tmp_path: Path) -> None:
    write_object(folder / "a", made(HANGING_PROTOCOL, 1, HangingProtocolName="A"))
    source = str(tmp_path / "source.sqlite")
    with Index(source) as index:
        index.ingest([folder])
    reading, target = Database(source), Database(location, may_be_unfinished=True)
    assert copy_index(reading, target).is_equal
    reading.close()
    target.close()
    with Index(location) as index:
        assert _names(index) == ["A"]
        assert index.ingest([folder]).unchanged == 1
