"""Ids of new rows where several write: each connection has blocks of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dicomquest.index.ingest.id_blocks import renew_blocks, take_from_block
from dicomquest.index.tables.dialects import execute
from dicomquest.index.tables.schema import ID_BLOCK
from dicomquest.standard.levels import Level
from fixtures.building import instance
from fixtures.postgresql_cluster import usual_layout

if TYPE_CHECKING:
    from dicomquest.index import Index

pytestmark = pytest.mark.peer("postgres")

OLDER_PROGRAM = "INSERT INTO patient (id, identity) SELECT max(id) + 1, 'older' FROM patient"


@pytest.fixture
def backend() -> str:
    return "postgresql"


def test_a_connection_keeps_its_block(index: Index) -> None:
    database = index._database
    with database.begin([1]) as one, database.begin([2]) as other:
        taken = [take_from_block(one, Level.STUDY) for _ in range(ID_BLOCK)]
        beside = take_from_block(other, Level.STUDY)
        assert taken == list(range(1, ID_BLOCK + 1))
        assert beside == ID_BLOCK + 1
        assert take_from_block(one, Level.STUDY) == 2 * ID_BLOCK + 1
        assert take_from_block(other, Level.STUDY) == beside + 1


@usual_layout
def test_rows_of_an_older_program_are_met(index: Index) -> None:
    """An older program takes ids out of a block that a connection keeps, and no store fails."""
    index.ingest_data_sets([instance(1)])
    with index._database.begin() as connection:
        execute(connection, OLDER_PROGRAM)
    index.ingest_data_sets([instance(2, study=2, PatientID="P2")])
    assert index.counts()[Level.PATIENT] == 3


@usual_layout
def test_renewed_blocks_begin_after_all_rows(index: Index) -> None:
    with index._database.begin() as connection:
        execute(connection, "INSERT INTO patient (id, identity) VALUES (?, ?)", (1000, "copied"))
        renew_blocks(connection)
        assert take_from_block(connection, Level.PATIENT) > 1000
