"""A copy has the same rows and answers in the other database, and goes on where it was ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pydicom.data
import pytest

from dicomquest.errors import IndexDatabaseError
from dicomquest.index import Index
from dicomquest.index.database.pool import Database
from dicomquest.index.upkeep import copying
from dicomquest.index.upkeep.copying import CopyReport, copy_index
from fixtures.building import instance

FILES = Path(str(pydicom.data.__path__[0]), "test_files")
KEYS = ("PatientID", "StudyInstanceUID", "ModalitiesInStudy", "NumberOfStudyRelatedInstances")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An index of real files and of what they lack: variants, long texts, a promoted attribute."""
    path = str(tmp_path_factory.mktemp("source") / "index.sqlite")
    with Index(path) as index:
        index.ingest([FILES])
        index.ingest_data_sets(
            instance(
                SOPInstanceUID=f"1.2.3.{number}",
                StudyInstanceUID=f"1.2.{number}",
                SeriesInstanceUID=f"1.2.{number}.1",
                PatientID="4711",
                PatientName=f"山田^{number}=",
                StudyDescription="left knee",
                SeriesDescription="knee" * 1_000,
            )
            for number in range(5)
        )
        assert index.identity
    return path


@pytest.fixture
def target(location: str) -> Iterator[Database]:
    database = Database(location, may_be_unfinished=True)
    yield database
    database.close()


def copied(
    source: str, target: Database, progress: Callable[[str, int], None] | None = None
) -> CopyReport:
    with closing(Database(source, create=False)) as reading:
        return copy_index(reading, target, progress)


def answers(location: str, **keys: str) -> list[str]:
    with Index(location, create=False) as index:
        asked = dict.fromkeys(KEYS, "") | keys
        return sorted(str(match) for match in index.find(level="STUDY", keys=asked))


def test_copy_answers_like_its_source(source: str, target: Database, location: str) -> None:
    report = copied(source, target)
    assert report.is_equal
    assert not report.was_resumed
    for keys in ({}, {"PatientName": "*山*"}, {"StudyDescription": "*nee*"}, {"Modality": "CT"}):
        found = answers(source, **keys)
        assert found
        assert answers(location, **keys) == found
    with Index(location, create=False) as copy, Index(source, create=False) as index:
        assert copy.counts() == index.counts()
        assert copy.identity == index.identity
        assert copy.check().examples == []
        copy.ingest([FILES / "CT_small.dcm"], reread=True)


def test_copy_goes_on_where_it_was_ended(
    source: str, target: Database, location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "PART", 16)

    def end(table: str, count: int) -> None:
        if table == "instance" and count >= 48:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copied(source, target, end)
    with pytest.raises(IndexDatabaseError, match="run dicomquest copy-index again"):
        Index(location, create=False)
    parts: list[tuple[str, int]] = []
    report = copied(source, target, lambda *done: parts.append(done))
    assert report.was_resumed
    assert report.is_equal
    assert "patient" not in dict(parts)
    assert answers(location) == answers(source)


def test_target_with_an_index_is_refused(source: str, target: Database, location: str) -> None:
    with Index(location) as index:
        index.ingest_data_sets([instance()])
    with pytest.raises(IndexDatabaseError, match="has an index already: name an empty database"):
        copied(source, target)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_source_written_to_between_is_told(
    source: str, target: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changing = str(tmp_path / "changing.sqlite")
    with Index(changing) as index:
        index.ingest_data_sets([instance(PatientName="A^B")])
        assert index.identity

    def end(table: str, count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copied(changing, target, end)
    with Index(changing) as index:
        index.ingest_data_sets([instance(PatientName="C^D")])
    with pytest.raises(IndexDatabaseError, match=r"differs from .* in patient"):
        copied(changing, target)
    with pytest.raises(IndexDatabaseError, match="unfinished copy of another index"):
        copied(source, target)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_copy_of_a_server_goes_into_a_file(
    source: str, target: Database, location: str, postgresql_database: str
) -> None:
    with closing(Database(postgresql_database, may_be_unfinished=True)) as server:
        copied(source, server)
    assert copied(postgresql_database, target).is_equal
    assert answers(location) == answers(source)
