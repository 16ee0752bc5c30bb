"""An index and its replica: queries go to the right one of two files that differ."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomquest.dataset.elements import from_pydicom
from dicomquest.errors import IndexDatabaseError
from dicomquest.index import Index
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.options import QueryOptions
from dicomquest.standard.models import STUDY_ROOT
from fixtures.faces import data_set
from peers import corpus


@pytest.fixture
def locations(tmp_path: Path) -> tuple[Path, Path]:
    """A primary, and a replica that lags behind: it has nothing yet."""
    primary, replica = tmp_path / "primary.sqlite", tmp_path / "replica.sqlite"
    Index(primary).close()
    shutil.copyfile(primary, replica)
    with Index(primary) as index:
        index.ingest_data_sets(map(from_pydicom, corpus.instances()))
    return primary, replica


@pytest.fixture
def index(locations: tuple[Path, Path]) -> Iterator[Index]:
    with Index(locations[0], create=False, read_location=locations[1]) as opened:
        yield opened


@pytest.mark.parametrize(("is_latest", "expected"), [(False, 0), (True, len(corpus.STUDIES))])
def test_replica_answers_unless_latest_is_needed(
    index: Index, is_latest: bool, expected: int
) -> None:
    """The replica answers unless the answer must be the latest."""
    identifier = from_pydicom(data_set(QueryRetrieveLevel="STUDY", StudyInstanceUID=""))
    query = parse_identifier(identifier, STUDY_ROOT.uid, QueryOptions())
    with index.search(query, is_latest=is_latest) as cursor:
        assert len(cursor.fetch(100)) == expected


def test_writes_go_to_the_primary(index: Index, locations: tuple[Path, Path]) -> None:
    assert index.ingest_data_sets(map(from_pydicom, corpus.instances())).replaced == len(
        corpus.instances()
    )
    with Index(locations[1]) as replica:
        assert set(replica.counts().values()) == {0}


def test_replica_of_another_schema_is_refused(locations: tuple[Path, Path]) -> None:
    connection = sqlite3.connect(locations[1])
    connection.execute("UPDATE alembic_version SET version_num = '0000'")
    connection.commit()
    connection.close()
    with pytest.raises(IndexDatabaseError, match=r"the replica .* has schema '0000', expected"):
        Index(locations[0], read_location=locations[1])


def test_replica_that_is_not_there_is_said_so(locations: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(IndexDatabaseError, match=r"there is no index at .*none\.sqlite"):
        Index(locations[0], read_location=tmp_path / "none.sqlite")
