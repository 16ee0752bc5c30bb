"""`check` of a file that is damaged: it names the fault, and says what to do."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from dicomquest.index import Index
from dicomquest.index.database.sqlite import REPLACE_DAMAGED
from fixtures.building import instance
from peers.ours import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "index.sqlite"
    with Index(path) as index:
        index.ingest_data_sets([instance(number, study=number) for number in range(300)])
    return path


def overwrite_page(path: Path, name: str) -> None:
    """Overwrite the first page of a table or of one of its indexes."""
    connection = sqlite3.connect(path)
    (page,) = connection.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)
    ).fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)


@pytest.mark.parametrize("name", ["study", "ix_study_accession_number"])
def test_check_of_damaged_index_names_the_remedy(path: Path, name: str) -> None:
    """No query need read the page: `check` looks at all of them."""
    overwrite_page(path, name)
    done = run("check", "--index", str(path))
    assert done.status == 1
    (line,) = done.err.splitlines()
    assert line.startswith("Error: ")
    assert line.endswith(f"; {REPLACE_DAMAGED}")


def test_cut_index_names_the_remedy(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    done = run("check", "--index", str(path))
    assert done.status == 1
    assert done.err.endswith(f"; {REPLACE_DAMAGED}\n")


@pytest.mark.parametrize("command", ["check", "index", "serve"])
def test_file_that_is_no_database_names_the_remedy(path: Path, command: str) -> None:
    path.write_bytes(b"not SQLite" * 1000)
    paths = [str(path.parent)] if command == "index" else []
    done = run(command, "--index", str(path), *paths)
    assert done.status == 1
    assert done.err == (
        f"Error: {path} cannot be opened as an index: file is not a database; {REPLACE_DAMAGED}\n"
    )
