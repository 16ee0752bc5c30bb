"""An index that this account may read and not write: served, and never written."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import psycopg
import pytest

from dicomquest.errors import IndexDatabaseError
from dicomquest.index import Index
from fixtures.building import instance
from fixtures.timing import LONG
from peers.ours import COMMAND, ENVIRONMENT
from peers.processes import free_port, wait_until_listening

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fixtures.postgresql_cluster import Cluster

# Prints the number of studies for each line that it reads.
COUNTING = """
import sys
from dicomquest.index import Index
with Index(sys.argv[1], create=False) as index:
    for line in sys.stdin:
        print(len(list(index.find(level="STUDY"))), flush=True)
"""


# Root writes what it likes, unless it has lost these capabilities.
LIMITED = (
    ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"]
    if os.geteuid() == 0
    else []
)
"""The command that starts another one without the right to write everywhere."""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command for which the rights of files and folders hold."""
    return subprocess.run(
        [*LIMITED, *COMMAND, *arguments],
        check=False,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=LONG,
    )


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """An index of one study."""
    path = tmp_path / "protected" / "index.sqlite"
    path.parent.mkdir()
    add_study(path, 1)
    yield path
    path.parent.chmod(0o755)


def add_study(path: Path, number: int) -> None:
    with Index(path) as index:
        index.ingest_data_sets([instance(number, study=number)])


def protect(path: Path, what: str) -> None:
    """Take the right to write from the file or from its folder."""
    if what == "file":
        path.chmod(0o444)
    else:
        path.parent.chmod(0o555)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_read_only_index_is_served_and_says_so(path: Path, tmp_path: Path, what: str) -> None:
    protect(path, what)
    port = free_port()
    log = tmp_path / "log"
    command = [*LIMITED, *COMMAND, "serve", "--index", str(path), "--port", str(port)]
    with log.open("wb") as err:
        process = subprocess.Popen(command, stderr=err, env=ENVIRONMENT)
    try:
        wait_until_listening(process, port, log)
        found = run("find", "127.0.0.1", str(port), "--format", "csv", "StudyInstanceUID")
    finally:
        process.terminate()
        assert process.wait(LONG) == 0
    assert found.returncode == 0
    assert len(found.stdout.splitlines()) == 2
    assert f"WARNING the index is read-only: no right to write {'in ' * (what == 'folder')}" in (
        log.read_text()
    )
    # No file of WAL mode is left behind: its owner could keep others from writing.
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("what", ["file", "folder"])
def test_storing_into_read_only_index_fails_at_start(path: Path, tmp_path: Path, what: str) -> None:
    protect(path, what)
    store = str(tmp_path / "store")
    done = run("serve", "--index", str(path), "--store", store, "--port", str(free_port()))
    assert done.returncode == 1
    assert done.stderr.startswith("Error: cannot store: the index is read-only: no right to write ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "command",
    [["index", "."], ["watch", "."], ["attribute", "add", "GantryID"], ["check"]],
)
def test_commands_that_write_name_the_missing_right(path: Path, command: list[str]) -> None:
    protect(path, "folder")
    done = run(*command, "--index", str(path))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"Error: {path} is read-only: no right to write in its folder {path.parent}"
    )


@pytest.mark.parametrize("is_open", [True, False])
def test_reader_sees_what_others_write(path: Path, is_open: bool) -> None:
    """Somebody with more rights writes while the index is open, or opens it only then."""
    writer = Index(path) if is_open else None
    if writer is not None:
        writer.ingest_data_sets([instance(1, study=1)])
    protect(path, "folder")
    command = [*LIMITED, sys.executable, "-c", COUNTING, str(path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        counts = []
        for number in (2, 3):
            print(file=process.stdin, flush=True)
            counts.append(process.stdout.readline())
            path.parent.chmod(0o755)
            if writer is None:
                add_study(path, number)
            else:
                writer.ingest_data_sets([instance(number, study=number)])
            path.parent.chmod(0o555)
        print(file=process.stdin, flush=True)
        counts.append(process.stdout.readline())
        process.stdin.close()
    if writer is not None:
        writer.close()
    assert counts == ["1\n", "2\n", "3\n"]


def test_commits_outside_the_file_are_not_lost(path: Path) -> None:
    """After a crash the last commits are in a file that only a writer can take in."""
    with Index(path) as index:
        index.ingest_data_sets([instance(2, study=2)])
        log = path.with_name("index.sqlite-wal")
        copies = [(each, each.read_bytes()) for each in (path, log)]
    for each, data in copies:
        each.write_bytes(data)
    protect(path, "folder")
    done = run("serve", "--index", str(path), "--port", str(free_port()))
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: {path} is read-only, and its last commits are still in index.sqlite-wal: open it "
        "once with the right to write in its folder, as `dicomquest check` does\n"
    )


def test_older_schema_asks_for_the_right_to_write(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '0002'")
    connection.commit()
    connection.close()
    protect(path, "folder")
    done = run("serve", "--index", str(path), "--port", str(free_port()))
    assert done.returncode == 1
    assert "has schema '0002'" in done.stderr
    assert "open it once with this program and the right to write" in done.stderr


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_postgresql_account_without_right_to_write(postgresql: Cluster, own_location: str) -> None:
    with Index(own_location) as index:
        index.ingest_data_sets([instance(1)])
        assert index.read_only_reason == ""
    with psycopg.connect(own_location, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS reader")
        connection.execute("CREATE ROLE reader LOGIN")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        name = connection.info.dbname
    with Index(postgresql.url(name, user="reader"), create=False) as index:
        assert index.read_only_reason == "the account has no right to write its tables"
        assert len(list(index.find(level="STUDY"))) == 1
        with pytest.raises(IndexDatabaseError, match="is read-only: the account has no right"):
            index.ingest(["."])
    postgresql.query("DROP OWNED BY reader", database=name)
