"""Removed entities leave no trace, but for the attributes of parents that stay."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from dicomquest.dataset.elements import DataSet
from dicomquest.index.tables.dialects import words_of
from dicomquest.index.tables.schema import METADATA, SETTING
from dicomquest.index.upkeep import removal
from dicomquest.query.options import QueryOptions
from dicomquest.standard.levels import Level
from fixtures.building import instance, query, text_of
from peers import corpus
from strategies.query import corpora

if TYPE_CHECKING:
    from pathlib import Path

    from dicomquest.index import Index

RELATIONAL = QueryOptions(relational=True)
COUNTED = {
    "PATIENT": (
        "PatientID",
        "IssuerOfPatientID",
        "NumberOfPatientRelatedStudies",
        "NumberOfPatientRelatedSeries",
        "NumberOfPatientRelatedInstances",
    ),
    "STUDY": (
        "StudyInstanceUID",
        "SOPClassesInStudy",
        "NumberOfStudyRelatedSeries",
        "NumberOfStudyRelatedInstances",
    ),
    "SERIES": ("SeriesInstanceUID", "StudyInstanceUID", "NumberOfSeriesRelatedInstances"),
    "IMAGE": ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"),
}


def state(index: Index) -> list[list[tuple[str | None, ...]]]:
    """All entities, with the computed columns of each."""
    found = []
    for level, keywords in COUNTED.items():
        asked = query(level, "patient", RELATIONAL, **dict.fromkeys(keywords, ""))
        rows = [
            tuple(text_of(answer, keyword) for keyword in keywords)
            for answer in index.find_data_sets(asked)
        ]
        found.append(sorted(rows, key=str))
    return found


def empty(index: Index) -> None:
    with index._database.begin() as connection:
        connection.exec_driver_sql(words_of(connection).defer_constraints)
        for table in reversed(METADATA.sorted_tables):
            if table is not SETTING:
                connection.execute(table.delete())


@pytest.mark.requirement("QR-130", "QR-131", "QR-133")
@settings(
    max_examples=settings().max_examples // 4,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(instances=corpora().filter(bool), drawn=st.data())
def test_index_is_one_that_never_had_them(
    index: Index, instances: list[DataSet], drawn: st.DataObject
) -> None:
    uids = sorted({text_of(each, "SOPInstanceUID") or "" for each in instances})
    gone = drawn.draw(st.lists(st.sampled_from(uids), min_size=1, unique=True))
    event(f"{len(gone)} of {len(uids)}")
    empty(index)
    index.ingest_data_sets(
        each for each in instances if text_of(each, "SOPInstanceUID") not in gone
    )
    expected = index.counts(), state(index)
    empty(index)
    index.ingest_data_sets(instances)
    removed = index.remove(query("IMAGE", "study", RELATIONAL, SOPInstanceUID="\\".join(gone)))
    assert removed.entities[Level.IMAGE] == len(gone)
    assert (index.counts(), state(index)) == expected
    assert index.check().examples == []


def fill(index: Index) -> None:
    """Two patients, three studies, four series, seven instances."""
    index.ingest_data_sets(
        [
            *(
                instance(number, study=1, PatientName="Citizen^Jan", StudyDate="20010101")
                for number in range(3)
            ),
            instance(1, study=2, PatientName="Citizen^Jan", StudyDate="20200101"),
            instance(1, study=2, series=2, Modality="MR"),
            *(
                instance(number, study=3, PatientID="P2", PatientName="Doe^Jane")
                for number in range(2)
            ),
        ]
    )


@pytest.mark.parametrize(
    ("level", "keys", "left"),
    [
        ("PATIENT", {"PatientID": "P1"}, (1, 1, 1, 2)),
        ("STUDY", {"StudyInstanceUID": "1.2.1"}, (2, 2, 3, 4)),
        ("STUDY", {"StudyDate": "-20101231"}, (2, 2, 3, 4)),
        ("STUDY", {"PatientName": "*itiz*"}, (1, 1, 1, 2)),
        ("STUDY", {"Modality": "MR"}, (2, 2, 2, 5)),
        ("SERIES", {"SeriesInstanceUID": "1.2.2.2"}, (2, 3, 3, 6)),
        ("SERIES", {"StudyInstanceUID": "1.2.3"}, (1, 2, 3, 5)),
        ("IMAGE", {"SOPInstanceUID": "1.2.3.1.0\\1.2.3.1.1"}, (1, 2, 3, 5)),
        ("IMAGE", {"SOPInstanceUID": "1.2.9"}, (2, 3, 4, 7)),
    ],
)
def test_removal_takes_matches_and_nothing_else(
    index: Index, level: str, keys: dict[str, str], left: tuple[int, ...]
) -> None:
    fill(index)
    index.remove(query(level, "patient", RELATIONAL, **keys))
    assert tuple(index.counts().values()) == left
    assert index.check().examples == []
    assert index.find_data_sets(query(level, "patient", RELATIONAL, **keys)) == []


def test_removal_tells_size_first_and_result_after(index: Index) -> None:
    """A removal tells beforehand how much it removes and afterwards what went."""
    fill(index)
    with index.removal(query("STUDY", PatientID="P1")) as found:
        assert (found.level, found.entities, found.instances) == (Level.STUDY, 2, 5)
        assert index.counts()[Level.STUDY] == 3
        assert found.run().entities == {
            Level.PATIENT: 1,
            Level.STUDY: 2,
            Level.SERIES: 3,
            Level.IMAGE: 5,
        }


def test_successor_of_found_study_is_not_removed(index: Index) -> None:
    """Only the study that was found is removed, not another that has its row by then."""
    index.ingest_data_sets([instance(1, study=1)])
    with index.removal(query("STUDY", StudyInstanceUID="1.2.1")) as found:
        index.remove(query("STUDY", StudyInstanceUID="1.2.1"))
        index.ingest_data_sets([instance(1, study=2)])
        assert found.run().entities[Level.IMAGE] == 0
    assert index.counts()[Level.STUDY] == 1


def test_many_instances_go_in_several_transactions(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "BATCH", 7)
    index.ingest_data_sets(instance(number, study=number // 20) for number in range(60))
    seen = []
    with index.removal(query("STUDY", StudyInstanceUID="1.2.0\\1.2.1")) as found:
        found.run(progress=lambda removed: seen.append(index.counts()[Level.IMAGE]))
    assert seen == [53, 46, 40, 33, 26, 20]
    assert index.check().examples == []


def test_query_that_restricts_nothing_is_refused(index: Index) -> None:
    fill(index)
    for asked in (query("STUDY"), query("PATIENT", "patient")):
        with pytest.raises(ValueError, match="finds everything"):
            index.remove(asked)
    assert index.counts()[Level.IMAGE] == 7


def test_attributes_of_what_stays_stay(index: Index) -> None:
    index.ingest_data_sets([instance(1, PatientName="First"), instance(2, PatientName="Second")])
    index.remove(query("IMAGE", "study", RELATIONAL, SOPInstanceUID="1.2.1.1.2"))
    (answer,) = index.find_data_sets(query("STUDY", PatientName=""))
    assert text_of(answer, "PatientName") == "Second"


def test_only_indexed_files_below_folder_are_deleted(index: Index, tmp_path: Path) -> None:
    """Files below the folder are deleted if they are what was indexed."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    paths = corpus.write(inside)
    (outside / "copy").write_bytes(paths[0].read_bytes())
    index.ingest([inside, outside])
    os.utime(paths[1], ns=(0, 0))
    paths[2].unlink()
    with index.removal(query("STUDY", StudyInstanceUID=corpus.uid(1))) as found:
        removed = found.run(delete_below=str(inside))
    assert [path.name for path in sorted(inside.iterdir())][:2] == ["instance001", "instance009"]
    assert (outside / "copy").exists()
    assert (removed.files_deleted, removed.files_kept, removed.entities[Level.IMAGE]) == (7, 1, 8)
    assert removed.examples == [(str(paths[1]), "changed since it was indexed")]
    assert len(index.find_data_sets(query("STUDY", StudyInstanceUID=corpus.uid(1)))) == 1
    assert index.check().examples == []
