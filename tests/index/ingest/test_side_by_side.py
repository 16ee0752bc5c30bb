"""Several processes that write give the index that one process gives."""

from __future__ import annotations

import os
import random
from functools import partial
from typing import TYPE_CHECKING

import pytest

from dicomquest.dataset.codec import encode
from dicomquest.index import Index
from dicomquest.index.ingest import files, side_by_side
from dicomquest.index.ingest.file_reader import FileState
from dicomquest.index.ingest.side_by_side import many_files
from dicomquest.standard.levels import Level
from dicomquest.standard.transfer_syntaxes import IMPLICIT_VR_LITTLE_ENDIAN
from fixtures.building import instance
from fixtures.postgresql_cluster import children, runs

if TYPE_CHECKING:
    from pathlib import Path

    from dicomquest.index.ingest.file_batch import Summary
    from fixtures.postgresql_cluster import Cluster

pytestmark = pytest.mark.peer("postgres")

# All of each row but its ids, with the rows above it.
CONTENT = (
    """
    SELECT (to_jsonb(instance.*) - '{id,parent}'::text[])::text,
        (to_jsonb(series.*) - '{id,parent}'::text[])::text,
        (to_jsonb(study.*) - '{id,parent}'::text[])::text,
        (to_jsonb(patient.*) - '{id,variant_of}'::text[])::text, file.path
    FROM instance JOIN series ON series.id = instance.parent
        JOIN study ON study.id = series.parent JOIN patient ON patient.id = study.parent
        LEFT JOIN file ON file.instance = instance.id""",
    "SELECT (to_jsonb(patient.*) - '{id,variant_of}'::text[])::text FROM patient",
    *(
        f"SELECT path, part, search, count(*) FROM {table}_value GROUP BY path, part, search"
        for table in ("patient", "study", "series", "instance")
    ),
    "SELECT * FROM occurrence",
)


def content(index: Index) -> list[list[str]]:
    with index.database.connect() as connection:
        return [
            sorted(str(tuple(row)) for row in connection.exec_driver_sql(statement))
            for statement in CONTENT
        ]


def fill(folder: Path, count: int) -> None:
    """Write files of few patients, with studies that move and instances that come again."""
    chance = random.Random(7)
    for number in range(count):
        attributes = {
            "PatientName": chance.choice(("One", "One", "Two")),
            "Modality": chance.choice(("CT", "MR")),
            "StudyDescription": chance.choice(("A", "B")),
            "OtherPatientNames": chance.choice(("X", "Y")),
            "SeriesInstanceUID": f"1.9.{chance.randint(1, 4)}",
        }
        found = instance(
            chance.randint(0, count // 2), study=chance.randint(1, 12),
            PatientID=f"P{chance.randint(1, 9)}", **attributes,
        )  # fmt: skip
        path = folder / f"{number:04}"
        path.write_bytes(encode(found, IMPLICIT_VR_LITTLE_ENDIAN))
    (folder / "0007.txt").write_text("no image")


@pytest.mark.requirement("QR-130", "QR-131", "QR-133")
def test_index_is_that_of_one_process(
    postgresql: Cluster, postgresql_template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same files in transactions of the same size are the same rows, but for ids."""
    monkeypatch.setattr(side_by_side, "SPAN", 8)
    monkeypatch.setattr(files, "BATCH", 8)
    monkeypatch.setattr(files, "_CHUNK", 8)
    fill(tmp_path, 80)
    outcomes: list[tuple[int, ...]] = []
    contents: list[list[list[str]]] = []
    for jobs in (1, 2):
        with postgresql.database(postgresql_template) as url, Index(url) as index:
            seen: list[int] = []
            summary = index.ingest([tmp_path], jobs=jobs, progress=partial(note, seen))
            assert seen == sorted(seen)
            outcomes.append(counted(summary))
            contents.append(content(index))
            assert index.check().examples == []
            again = index.ingest([tmp_path], jobs=jobs)
            assert counted(again) == (80, 0, 0, 1)
    assert outcomes[0] == outcomes[1]
    for one, two in zip(*contents, strict=True):
        assert two == one


def note(seen: list[int], summary: Summary) -> None:
    seen.append(summary.files)


def counted(summary: Summary) -> tuple[int, int, int, int]:
    return summary.unchanged, summary.indexed, summary.replaced, summary.skipped.total()


def test_few_files_start_no_process() -> None:
    few = [FileState(str(number), 1, 1) for number in range(side_by_side.SPAN)]
    are_many, chunks = many_files(iter([few]))
    assert not are_many
    assert list(chunks) == [few]
    are_many, chunks = many_files(iter([few, few[:1], few[:2]]))
    assert are_many
    assert list(chunks) == [few, few[:1], few[:2]]


def test_an_interruption_ends_all_processes(
    postgresql: Cluster, postgresql_template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No process outlives the call, and another call goes on."""
    monkeypatch.setattr(side_by_side, "SPAN", 8)
    fill(tmp_path, 60)
    before = set(children_now())

    def interrupt(summary: Summary) -> None:
        if summary.indexed:
            raise KeyboardInterrupt

    with postgresql.database(postgresql_template) as url, Index(url) as index:
        with pytest.raises(KeyboardInterrupt):
            index.ingest([tmp_path], jobs=2, progress=interrupt)
        assert not [pid for pid in set(children_now()) - before if runs(pid)]
        assert index.check().examples == []
        index.ingest([tmp_path])
        assert index.check().examples == []
        assert index.counts()[Level.IMAGE] > 10


def children_now() -> list[int]:
    return children(os.getpid())
