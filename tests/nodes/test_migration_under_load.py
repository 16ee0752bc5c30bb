"""Two nodes of the next release start on a served database, and no find fails."""

from __future__ import annotations

import contextlib
import itertools
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psycopg
import pytest

from dicomquest.index import Index
from dicomquest.index.tables.migrations import NEWEST_REVISION
from fixtures.postgresql_cluster import PROGRAMS, Cluster, wait_for
from fixtures.timing import LONG
from nodes.asking import find_all, findscu_all
from nodes.served import Load, node
from peers import corpus
from peers.ours import COMMAND
from peers.processes import Peer

pytestmark = [pytest.mark.alone, pytest.mark.peer(*PROGRAMS, "findscu")]

NEXT_RELEASE = [*COMMAND[:-2], str(Path(__file__).parent / "next_release.py")]

WAITS_FOR_THE_TABLE = """
    SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE mode = 'AccessExclusiveLock' AND NOT granted AND datname = %s
"""


def revision(url: str) -> str:
    with psycopg.connect(url) as connection:
        [found] = connection.execute("SELECT version_num FROM alembic_version").fetchone() or ("",)
    return str(found)


def test_schema_changes_once_and_no_find_fails(
    postgresql: Cluster, postgresql_database: str, tmp_path: Path
) -> None:
    url, name = postgresql_database, postgresql_database.rpartition("/")[2]
    files = tmp_path / "files"
    files.mkdir()
    corpus.write(files)
    with Index(url) as index:
        index.ingest([files])
    with contextlib.ExitStack() as stack:
        old = stack.enter_context(node(url, tmp_path))
        loads = [
            stack.enter_context(Load("finds of the old node", partial(find_all, old))),
            stack.enter_context(Load("findscu", partial(findscu_all, itertools.repeat(old)))),
        ]
        pool = stack.enter_context(ThreadPoolExecutor(2))
        # A long query's lock: a change of the table waits for it, and no query for the change.
        with psycopg.connect(url) as long_query:
            long_query.execute("SELECT id FROM study")
            starting = [pool.submit(started, stack, url, tmp_path) for _ in range(2)]
            wait_for(
                lambda: bool(postgresql.query(WAITS_FOR_THE_TABLE, name)),
                "the migration waits for the table",
            )
            wait_for(
                lambda: any(map(waits, tmp_path.glob("serve-*.log"))),
                "the other node waits for the migration",
            )
            before = [len(load.successes_since(0)) for load in loads]
            wait_for(
                lambda: all(
                    len(load.successes_since(0)) > 5 + n
                    for load, n in zip(loads, before, strict=True)
                ),
                "finds go on while the migration waits",
            )
            assert revision(url) == NEWEST_REVISION
        new = [each.result(6 * LONG) for each in starting]
        # The revision ran once: a second run would fail on the column that is there.
        assert revision(url) == "9999"
        loads += [
            stack.enter_context(Load("finds of a new node", partial(find_all, peer)))
            for peer in new
        ]
        before = [len(load.successes_since(0)) for load in loads]
        wait_for(
            lambda: all(
                len(load.successes_since(0)) > 5 + n for load, n in zip(loads, before, strict=True)
            ),
            "finds go on at all nodes",
        )
    for load in loads:
        assert [each.failure for each in load.attempts if each.failure] == [], load.name


def waits(log: Path) -> bool:
    return "another process changes the schema" in log.read_text(encoding="utf-8")


def started(stack: contextlib.ExitStack, url: str, folder: Path) -> Peer:
    """Start a node of the next release, to run for as long as the stack lasts."""
    return stack.enter_context(node(url, folder, program=NEXT_RELEASE))
