"""An index of an older program goes on, and reading its files again gives each study its own name.

An older program knew no variants: all studies of a patient showed the latest demographics.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from alembic import command
from sqlalchemy import Connection

from dicomquest.errors import IndexDatabaseError
from dicomquest.index import Index
from dicomquest.index.database import pool
from dicomquest.index.database.pool import Database
from dicomquest.index.tables.migrations import run
from fixtures.building import instance, query, text_of
from fixtures.indexes import own_location
from fixtures.postgresql_cluster import usual_layout
from fixtures.reference_indexes import rows_of_patients, see_that_patients_hang_together

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dicomquest.dataset.elements import DataSet

__all__ = ["own_location"]

pytestmark = usual_layout

HELLO = {"PatientID": "P1", "PatientName": "HELLO", "PatientSex": "F"}
FOO = {"PatientID": "P1", "PatientName": "FOO", "PatientBirthDate": "19500101"}
ALONE = {"PatientID": "P2", "PatientName": "ALONE", "PatientSex": "M"}
INSTANCES = [instance(study=1, **HELLO), instance(study=2, **FOO), instance(study=3, **ALONE)]
OWN = {"1": ("HELLO", "", "F"), "2": ("FOO", "19500101", ""), "3": ("ALONE", "", "M")}
LATEST = dict.fromkeys("12", ("FOO", "19500101", "F")) | {"3": OWN["3"]}


def downgrade(connection: Connection) -> None:
    config = run._config()
    config.attributes["connection"] = connection
    command.downgrade(config, "0003")


@pytest.fixture
def old_location(own_location: str) -> str:
    """An index with three studies of two patients, as a program of revision 0003 left it."""
    with Index(own_location) as index:
        index.ingest_data_sets(INSTANCES)
        with index._database.begin() as connection:
            downgrade(connection)
    return own_location


@pytest.fixture
def index(old_location: str) -> Iterator[Index]:
    with Index(old_location) as opened:
        yield opened


def shown(index: Index) -> dict[str, tuple[str | None, ...]]:
    """Return the demographics that each study shows, by its number."""
    keywords = ("PatientName", "PatientBirthDate", "PatientSex")
    asked = query("STUDY", **dict.fromkeys(keywords, ""))
    return {
        str(text_of(found, "StudyInstanceUID")).removeprefix("1.2."): tuple(
            text_of(found, keyword) for keyword in keywords
        )
        for found in index.find_data_sets(asked)
    }


def patients(index: Index) -> list[str | None]:
    asked = query("PATIENT", "patient", PatientName="")
    return sorted((text_of(found, "PatientName") for found in index.find_data_sets(asked)), key=str)


def test_older_index_answers_as_before(old_location: str, caplog: pytest.LogCaptureFixture) -> None:
    """It answers as before, and the log says what only its files can tell."""
    with Index(old_location) as index:
        assert shown(index) == LATEST
        assert patients(index) == ["ALONE", "FOO"]
        assert index.check().examples == []
    (told,) = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert told.getMessage().startswith("the studies of 1 patient(s) show")
    assert "dicomquest index --reread" in told.getMessage()


def test_older_program_opens_it_no_more(old_location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Database(old_location).close()
    monkeypatch.setattr(pool, "NEWEST_REVISION", "0003")
    with pytest.raises(IndexDatabaseError, match="knows '0003' and may not use it"):
        Database(old_location)


@pytest.mark.parametrize("batches", [True, False], ids=["one by one", "in one batch"])
def test_reading_again_gives_each_study_its_own(index: Index, batches: bool) -> None:
    for each in [[one] for one in INSTANCES] if batches else [INSTANCES]:
        index.ingest_data_sets(each)
    assert shown(index) == OWN
    assert patients(index) == ["ALONE", "FOO"]
    see_that_patients_hang_together(index)
    assert index.check().examples == []
    # What came of files stays, and further instances add to it.
    index.ingest_data_sets([instance(2, study=1, PatientBirthDate="19600101")])
    assert shown(index) == OWN | {"1": ("HELLO", "19600101", "F")}


def test_instance_of_older_study_leaves_others_alone(index: Index) -> None:
    """A study that receives something shows that; the others show what they showed."""
    index.ingest_data_sets([instance(2, study=1, **HELLO)])
    assert shown(index) == LATEST | {"1": OWN["1"]}
    assert patients(index) == ["ALONE", "HELLO"]
    index.ingest_data_sets([instance(study=4, PatientID="P1", PatientName="NEW")])
    assert shown(index) == LATEST | {"1": OWN["1"], "4": ("NEW", "", "")}
    # Nobody knows yet that study 2 received no sex of its own.
    index.ingest_data_sets([INSTANCES[1]])
    assert shown(index) == OWN | {"4": ("NEW", "", "")}
    see_that_patients_hang_together(index)
    assert index.check().examples == []


def test_only_study_of_its_patient_keeps_what_it_had(index: Index) -> None:
    """The only study of a patient shows its own, so an instance adds to it."""
    index.ingest_data_sets([instance(2, study=3, PatientID="P2", PatientBirthDate="19700101")])
    assert shown(index)["3"] == ("ALONE", "19700101", "M")
    assert rows_of_patients(index) == 2


def store_as_older_program(index: Index, data_set: DataSet) -> None:
    """Store a study of a known patient as a program does that knows main rows only."""
    index.ingest_data_sets([data_set])
    with index._database.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE study SET parent = "
            "(SELECT coalesce(variant_of, id) FROM patient WHERE id = study.parent) "
            "WHERE id = (SELECT max(id) FROM study)"
        )


def test_older_program_that_goes_on_does_no_harm(index: Index) -> None:
    """A study that an older program stores shows the latest, until it is received again."""
    index.ingest_data_sets(INSTANCES)
    late = instance(study=5, PatientID="P1", PatientName="LATE")
    store_as_older_program(index, late)
    assert shown(index) == OWN | {"5": ("LATE", "19500101", "F")}
    index.ingest_data_sets([late])
    assert shown(index) == OWN | {"5": ("LATE", "", "")}
    assert patients(index) == ["ALONE", "LATE"]
    assert index.counts()[query("PATIENT", "patient").level] == 2
