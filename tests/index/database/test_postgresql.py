"""An index in PostgreSQL: many open it at once, write in turn, and survive a lost server."""

from __future__ import annotations

import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import create_engine

from dicomquest.errors import IndexDatabaseError, MissingIndexError
from dicomquest.index import Index
from dicomquest.index.database import pool as database_pool
from dicomquest.index.database import postgresql as postgresql_backend
from dicomquest.index.database.pool import Database
from dicomquest.index.ingest.writes import insert
from dicomquest.index.tables.dialects import execute
from dicomquest.index.tables.migrations import NEWEST_REVISION, run
from dicomquest.index.tables.schema import METADATA, TRIGRAM_INDEXES
from dicomquest.standard.levels import Level
from fixtures.building import instance, query
from fixtures.postgresql_cluster import usual_layout, wait_for
from fixtures.timing import LONG, MS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection

    from fixtures.postgresql_cluster import Cluster

pytestmark = pytest.mark.peer("postgres")

COLUMNS = """
    SELECT table_name, column_name, data_type, collation_name, is_nullable,
        split_part(column_default, '(', 1)
    FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name <> 'alembic_version'
"""
KEYS = """
    SELECT conrelid::regclass::text, contype, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conrelid <> 'alembic_version'::regclass
"""
INDEXES = """
    SELECT indexdef FROM pg_indexes
    WHERE schemaname = 'public' AND tablename <> 'alembic_version' AND indexname NOT LIKE '%trigram'
"""


def name_of(url: str) -> str:
    return url.rpartition("/")[2]


@pytest.fixture
def backend() -> str:
    return "postgresql"


@pytest.fixture
def old_location(postgresql: Cluster) -> Iterator[str]:
    """The database of an index as it was a revision before this program's."""
    with postgresql.database() as url:
        engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
        with engine.begin() as connection:
            run.upgrade(connection, "0002")
        engine.dispose()
        yield url


def revision(cluster: Cluster, url: str) -> object:
    return cluster.query("SELECT version_num FROM alembic_version", database=name_of(url))


@usual_layout
def test_migrations_make_tables_of_schema(
    postgresql: Cluster, own_location: str, postgresql_database: str
) -> None:
    """The migrations make the tables that the schema describes."""
    engine = create_engine(postgresql_database.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        METADATA.create_all(connection)
        connection.exec_driver_sql("CREATE TABLE alembic_version ()")
    engine.dispose()
    for statement in (COLUMNS, KEYS, INDEXES):
        migrated = postgresql.query(statement, database=name_of(own_location))
        assert set(migrated) == set(
            postgresql.query(statement, database=name_of(postgresql_database))
        )
        assert migrated
    # Texts compare as in SQLite, whatever the database's own collation.
    texts = postgresql.query(
        f"SELECT DISTINCT collation_name FROM ({COLUMNS}) AS each WHERE data_type = 'text'",
        database=name_of(own_location),
    )
    assert texts == [("C",)]


def test_database_is_made_once_however_many_open_it(
    postgresql: Cluster, postgresql_database: str
) -> None:
    with ThreadPoolExecutor(4) as pool:
        for database in pool.map(Database, [postgresql_database] * 4):
            assert database.has_trigrams
            database.close()
    assert revision(postgresql, postgresql_database) == [(NEWEST_REVISION,)]


def test_queries_go_on_while_nodes_change_schema(postgresql: Cluster, old_location: str) -> None:
    """Queries are answered while two nodes change the schema."""
    together, done = Barrier(3, timeout=LONG), Event()

    def ask() -> int:
        together.wait(10)
        answered = 0
        with psycopg.connect(
            old_location, autocommit=True, options="-c statement_timeout=5s"
        ) as connection:
            while not done.is_set() or answered == 0:
                connection.execute(
                    "SELECT count(*) FROM study JOIN patient ON patient.id = study.parent"
                )
                connection.execute("SELECT * FROM setting")
                answered += 1
        return answered

    def start() -> None:
        together.wait(10)
        Database(old_location).close()

    with ThreadPoolExecutor(3) as pool:
        asking = pool.submit(ask)
        for node in [pool.submit(start), pool.submit(start)]:
            node.result(60)
        done.set()
        assert asking.result(60) > 0
    assert revision(postgresql, old_location) == [(NEWEST_REVISION,)]


@usual_layout
def test_table_in_use_delays_only_migration(postgresql: Cluster, old_location: str) -> None:
    """A table in use delays a migration, and the waiting migration delays no query."""
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = %s"
    with ThreadPoolExecutor(1) as pool, psycopg.connect(old_location) as user:
        user.execute("LOCK TABLE setting IN SHARE MODE")
        opening = pool.submit(Database, old_location)
        # The migration gives up and tries again, so it waits twice.
        for state in (True, False, True):
            wait_for(
                lambda state=state: (  # type: ignore[misc]
                    bool(postgresql.query(waiting, name_of(old_location))) is state
                ),
                "the migration waits, and again",
            )
        assert postgresql.query("SELECT count(*) FROM setting", database=name_of(old_location)) == [
            (0,)
        ]
        user.rollback()
        opening.result(60).close()
    assert revision(postgresql, old_location) == [(NEWEST_REVISION,)]


def test_newer_schema_is_used_only_if_just_grown(own_location: str, postgresql: Cluster) -> None:
    """A schema that has only grown is used, and another one is refused."""
    database = name_of(own_location)
    postgresql.query("UPDATE alembic_version SET version_num = '9999'", database=database)
    Database(own_location).close()
    postgresql.query(
        "UPDATE setting SET value = '9998' WHERE name = 'oldest_revision'", database=database
    )
    with pytest.raises(IndexDatabaseError, match=f"'9999'.*{NEWEST_REVISION}"):
        Database(own_location)


@usual_layout
def test_foreign_database_is_refused_and_left_alone(
    postgresql: Cluster, postgresql_database: str
) -> None:
    with pytest.raises(MissingIndexError, match="has no index"):
        Index(postgresql_database, create=False)
    postgresql.query("CREATE TABLE mine ()", database=name_of(postgresql_database))
    with pytest.raises(IndexDatabaseError, match="no index of this program"):
        Index(postgresql_database)


@usual_layout
@pytest.mark.parametrize("foreign", ["0001", "1975ea83b712", "abcdef012345"])
def test_foreign_migrated_database_is_refused(
    postgresql: Cluster, postgresql_database: str, foreign: str
) -> None:
    """The error says that a database belongs to another program, which migrates it."""
    statement = "CREATE TABLE alembic_version AS SELECT %s::text AS version_num"
    postgresql.query(statement, foreign, database=name_of(postgresql_database))
    for is_replica in (False, True):
        with pytest.raises(IndexDatabaseError, match="another program's database"):
            Database(postgresql_database, is_replica=is_replica)
    assert revision(postgresql, postgresql_database) == [(foreign,)]


@pytest.mark.parametrize("is_replica", [False, True])
def test_other_encoding_is_named_and_refused(postgresql: Cluster, is_replica: bool) -> None:
    """A database of another encoding is named and refused at once."""
    postgresql.query("CREATE DATABASE latin TEMPLATE template0 ENCODING LATIN1")
    with pytest.raises(
        IndexDatabaseError, match=r"database 'latin' on .* encoding LATIN1, expected UTF8"
    ):
        Database(postgresql.url("latin"), is_replica=is_replica)
    postgresql.drop_database("latin")


@usual_layout
def test_wait_for_replica_is_logged_at_once(
    postgresql_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Opening waits for a replica's index, and the log says so at once."""
    caplog.set_level(logging.INFO, "dicomquest.index")
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(Database, postgresql_database, create=False, is_replica=True)
        wait_for(
            lambda: "has no index: waiting for it, 60 s at most" in caplog.text,
            "it is said what is waited for",
        )
        Database(postgresql_database).close()
        opening.result(60).close()


@usual_layout
def test_replica_that_receives_nothing_is_refused(
    postgresql_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica to which nothing comes is no replica."""
    monkeypatch.setattr(database_pool, "_REPLICATION", 0.2)
    with pytest.raises(
        IndexDatabaseError, match=r"the replica .* has no index, after 0 s; it is no replica"
    ):
        Database(postgresql_database, create=False, is_replica=True)


@pytest.mark.parametrize(
    ("location", "message"),
    [
        (
            "postgresql://me:secret@127.0.0.1:1/x",
            "'x' on 127.0.0.1 port 1 cannot be opened.*refused",
        ),
        (
            "postgresql+psycopg://me:secret@127.0.0.1:1,127.0.0.1:2/x",
            "port 1, 127.0.0.1 port 2 cannot be opened",
        ),
        ("postgresql://me:secret@127.0.0.1/x?nonsense=1", "is malformed"),
    ],
)
def test_unopenable_location_says_why_no_password(location: str, message: str) -> None:
    """A location that cannot be opened says why but no password."""
    with pytest.raises(IndexDatabaseError, match=message) as caught:
        Database(location)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_psycopg_error_names_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without psycopg the message names the extra that brings it."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(IndexDatabaseError, match=r"pip install 'psycopg\[binary\]'"):
        Database("postgresql://127.0.0.1/x")


@usual_layout
def test_extension_is_optional_and_used_once_there(
    postgresql: Cluster, postgresql_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Without pg_trgm an index works; it has trigrams as soon as it may."""
    database = name_of(postgresql_database)
    postgresql.query("CREATE ROLE modest LOGIN")
    postgresql.query("GRANT ALL ON SCHEMA public TO modest", database=database)
    location = postgresql_database.replace("postgres@", "modest@")
    with Index(location) as index:
        assert not index._database.has_trigrams
        assert [
            record.levelno for record in caplog.records if "pg_trgm" in record.getMessage()
        ] == [logging.WARNING]
        index.ingest_data_sets([instance(1, PatientName="Citizen^Jan")])
        assert len(index.find_data_sets(query("STUDY", PatientName="*izen*"))) == 1
    postgresql.query("CREATE EXTENSION pg_trgm", database=database)
    with Index(location) as index:
        assert index._database.has_trigrams
        assert len(index.find_data_sets(query("STUDY", PatientName="*izen*"))) == 1
    found = postgresql.query(
        "SELECT indexname FROM pg_indexes WHERE indexname LIKE '%trigram'", database=database
    )
    assert {name for (name,) in found} == {each.name for each in TRIGRAM_INDEXES}
    postgresql.query("DROP OWNED BY modest", database=database)
    postgresql.query("DROP ROLE modest")


def test_writers_of_several_nodes_take_turns(location: str) -> None:
    together = Barrier(4, timeout=LONG)

    def node(number: int) -> None:
        with Index(location) as index:
            together.wait(30)
            for round_ in range(5):
                # Each node has a part of the same study, and a patient of its own.
                shared = [
                    instance(10 * number + each, PatientName=f"Node{number}") for each in range(3)
                ]
                own = [instance(round_, study=100 * number + round_, PatientID=f"P{number}")]
                index.ingest_data_sets([*shared, *own])

    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(node, number) for number in range(1, 5)]:
            each.result(60)
    with Index(location) as index:
        assert index.check().examples == []
        assert index.counts()[Level.IMAGE] == 4 * (3 + 5)
        assert index.counts()[Level.STUDY] == 1 + 4 * 5


def end_connections(cluster: Cluster, url: str) -> None:
    """End the connections to a database from the server's side, and wait until they are gone."""
    name = name_of(url)
    cluster.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", name)
    there = "SELECT 1 FROM pg_stat_activity WHERE datname = %s"
    wait_for(lambda: not cluster.query(there, name), "the connections end")


def test_lost_connection_is_error_then_replaced(postgresql: Cluster, location: str) -> None:
    """A lost connection is an error of the index, and the next one is new."""

    def lose_and_run(context: AbstractContextManager[Connection], statement: str | None) -> None:
        with context as connection:
            end_connections(postgresql, location)
            if statement is not None:
                connection.exec_driver_sql(statement)
            else:
                insert(
                    connection,
                    "occurrence",
                    ("path", "part"),
                    [("x", number) for number in range(100)],
                )

    with Index(location) as index:
        database = index._database
        index.ingest_data_sets([instance(1)])
        with database.connect() as reading, database.connect() as beside:
            assert reading.exec_driver_sql("SELECT 1").scalar() == 1
            assert beside.exec_driver_sql("SELECT 1").scalar() == 1
        with pytest.raises(IndexDatabaseError, match="could not be written"):
            lose_and_run(database.begin(), "SELECT 1")
        end_connections(postgresql, location)
        # The index tries an idle connection before it writes a batch on it.
        index.ingest_data_sets([instance(2)])
        with pytest.raises(IndexDatabaseError, match="could not be read"):
            lose_and_run(database.connect(), "SELECT 1")
        assert index.counts()[Level.IMAGE] == 2
        with pytest.raises(IndexDatabaseError, match="could not be written"):
            lose_and_run(database.begin(), None)
        assert index.counts()[Level.IMAGE] == 2


@usual_layout
def test_server_error_shows_no_row_values(index: Index) -> None:
    statement = "INSERT INTO patient (id, identity) VALUES (?, ?)"
    with pytest.raises(IndexDatabaseError) as caught, index._database.begin() as connection:
        connection.exec_driver_sql(statement, [(1, "Citizen"), (2, "Citizen")])
    assert "duplicate key" in str(caught.value)
    assert "Citizen" not in str(caught.value)


def test_node_that_waits_in_vain_says_so(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that waits in vain for its turn says so."""
    monkeypatch.setitem(postgresql_backend._WRITER_SETTINGS, "lock_timeout", "100ms")
    with (
        Index(index._database._backend._location) as other,  # type: ignore[attr-defined]
        index._database.begin(),
        pytest.raises(IndexDatabaseError, match="lock timeout"),
    ):
        other.ingest_data_sets([instance(1)])


def test_interruption_in_pipeline_stays_one(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in a pipeline, which the driver can neither leave nor roll back, stays Ctrl-C."""
    waits = psycopg.Connection.wait
    count = 0

    def interrupted(connection: Any, generator: Any, *args: Any, **more: Any) -> Any:
        nonlocal count
        count += 1
        if count == 3:  # the wait that leaves the pipeline
            raise KeyboardInterrupt
        return waits(connection, generator, *args, **more)

    def write() -> None:
        with monkeypatch.context() as patch, index._database.begin() as connection:
            patch.setattr(psycopg.Connection, "wait", interrupted)
            execute(connection, "SELECT pg_sleep(?)", [(MS,)] * 2)

    with pytest.raises(KeyboardInterrupt):
        write()
    # No connection holds the lock any more, and the next one is good.
    index.ingest_data_sets([instance(1)])
    assert index.counts()[Level.IMAGE] == 1
