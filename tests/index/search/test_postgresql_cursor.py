"""A query on PostgreSQL: its statements, its end, and its connection afterwards."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from dicomquest.errors import IndexDatabaseError
from dicomquest.index import Index
from dicomquest.index.search import postgresql_cursor
from dicomquest.index.search.postgresql_cursor import array_text
from dicomquest.query.options import QueryOptions
from fixtures.building import instance, query
from fixtures.postgresql_cluster import wait_for
from fixtures.timing import LONG

if TYPE_CHECKING:
    from dicomquest.index import Cursor
    from fixtures.postgresql_cluster import Cluster

pytestmark = pytest.mark.parametrize("backend", ["postgresql"], indirect=True)

ALL = query("STUDY", StudyInstanceUID="")
FOREVER = "SELECT pg_sleep(1000)::text"
# More rows than the buffers between the server and the client hold.
MANY = "SELECT repeat('x', 1000) FROM generate_series(1, 1000000)"


def stored(index: Index, count: int = 3) -> Index:
    index.ingest_data_sets(
        [instance(1, study=number, PatientID=f"P{number}") for number in range(count)]
    )
    return index


def running(index: Index, statement: str) -> Cursor:
    """A cursor that runs another statement than a query's."""
    cursor = index.search(ALL)
    object.__setattr__(cursor.plan, "sql", statement)
    object.__setattr__(cursor.plan, "parameters", ())
    return cursor


def backends(postgresql: Cluster, statement: str) -> list[Any]:
    """Process, state and wait of each connection that ran the statement last."""
    return postgresql.query(
        "SELECT pid, state, wait_event FROM pg_stat_activity WHERE query = %s", statement
    )


def has_active(postgresql: Cluster, statement: str) -> bool:
    return any(state == "active" for _, state, _ in backends(postgresql, statement))


def terminate(postgresql: Cluster, location: str) -> None:
    """End all connections to a database, as a server does that shuts down."""
    name = location.rpartition("/")[2]
    statement = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s"
    assert all(row[0] for row in postgresql.query(statement, name))


@pytest.mark.requirement("QR-160", "QR-164")
def test_thread_interrupts_query_without_matches(index: Index, postgresql: Cluster) -> None:
    """Another thread interrupts a query that finds nothing."""
    stored(index)
    cursor = running(index, FOREVER)
    errors: list[IndexDatabaseError] = []

    def fetch() -> None:
        try:
            cursor.fetch(1)
        except IndexDatabaseError as error:
            errors.append(error)

    thread = threading.Thread(target=fetch)
    thread.start()
    wait_for(lambda: has_active(postgresql, FOREVER), "a statement that runs")
    cursor.interrupt()
    thread.join(LONG)
    assert "interrupted" in str(errors[0])
    assert not has_active(postgresql, FOREVER)
    with pytest.raises(IndexDatabaseError, match="interrupted"):
        cursor.fetch(1)
    cursor.close()
    cursor.interrupt()
    # The connection went back whole: it serves the next query.
    (process,) = [process for process, _, _ in backends(postgresql, FOREVER)]
    assert len(index.find_data_sets(ALL)) == 3
    assert [
        row[0]
        for row in postgresql.query("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", process)
    ] == [1]


def test_interrupt_before_query_runs_is_kept(index: Index) -> None:
    with index.search(ALL) as cursor:
        cursor.interrupt()
        with pytest.raises(IndexDatabaseError, match="interrupted"):
            cursor.fetch(1)


@pytest.mark.requirement("QR-171")
def test_server_waits_for_who_reads(index: Index, postgresql: Cluster) -> None:
    with running(index, MANY) as cursor:
        assert len(cursor.fetch(1)) == 1
        wait_for(
            lambda: [event for _, _, event in backends(postgresql, MANY)] == ["ClientWrite"],
            "a waiting server",
        )
        assert len(cursor.fetch(100)) == 100


def test_unread_query_is_cancelled(index: Index, postgresql: Cluster) -> None:
    stored(index)
    with running(index, MANY) as cursor:
        cursor.fetch(1)
        assert not cursor.closes_at_once
    assert not has_active(postgresql, MANY)
    with index.search(ALL) as cursor:
        assert len(cursor.fetch(3)) == 3
        assert len(cursor.fetch(3)) == 0
        assert cursor.closes_at_once
    assert len(index.find_data_sets(ALL)) == 3


def test_statement_timeout_says_so(location: str) -> None:
    with Index(f"{location}?options=-c%20statement_timeout%3D50") as index:
        with (
            running(index, FOREVER) as cursor,
            pytest.raises(IndexDatabaseError, match="statement timeout"),
        ):
            cursor.fetch(1)
        assert index.find_data_sets(ALL) == []


def test_connections_that_died_idle_go_unnoticed(
    index: Index, location: str, postgresql: Cluster
) -> None:
    """A connection that died idle disturbs no query."""
    stored(index)
    cursors = [index.search(ALL) for _ in range(4)]
    assert [len(cursor.fetch(5)) for cursor in cursors] == [3] * 4
    for cursor in cursors:
        cursor.close()
    terminate(postgresql, location)
    assert len(index.find_data_sets(ALL)) == 3


def test_connection_dying_mid_rows_fails_one_query(
    index: Index, location: str, postgresql: Cluster
) -> None:
    """A connection that dies while rows come is an error of that query."""
    stored(index)
    with running(index, MANY) as cursor:
        cursor.fetch(1)
        terminate(postgresql, location)
        with pytest.raises(IndexDatabaseError, match=r"lost|terminat"):
            cursor.fetch(1_000_000)
    assert len(index.find_data_sets(ALL)) == 3


@pytest.mark.usefixtures("backend")
def test_database_that_is_gone_is_an_error(postgresql: Cluster) -> None:
    location = postgresql.create_database()
    with Index(location) as index:
        index.find_data_sets(ALL)
        postgresql.drop_database(location.rpartition("/")[2])
        with pytest.raises(IndexDatabaseError, match="does not exist"):
            index.find_data_sets(ALL)


def test_error_of_server_leaves_its_details_out(index: Index) -> None:
    with running(
        index, "SELECT ('2' || study_id)::integer FROM study WHERE 'x'::integer = 1"
    ) as cursor:
        with pytest.raises(IndexDatabaseError, match="invalid input syntax") as caught:
            cursor.fetch(1)
        assert "SELECT" not in str(caught.value)
    assert index.find_data_sets(ALL) == []


@pytest.mark.requirement("QR-116")
def test_first_value_from_another_node_is_found(index: Index, location: str) -> None:
    """A query finds the first value of its kind that another node stored."""
    asked = query("STUDY", PatientName="山田*")
    assert index.find_data_sets(asked) == []
    with Index(location) as other:
        other.ingest_data_sets([instance(1, PatientName="Yamada^Tarou=山田^太郎")])
    assert len(index.find_data_sets(asked)) == 1
    # A value that is known once is never looked up again.
    with index.search(asked) as cursor:
        assert "patient_name_ideographic" in cursor.plan.sql


def test_statements_that_come_again_are_prepared(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_cursor, "_MOST_STATEMENTS", 2)
    stored(index)
    keys: list[dict[str, str]] = [
        {"PatientID": "P1"},
        {"StudyInstanceUID": "1.2.1"},
        {"PatientID": "P*"},
    ]
    for key in keys:
        assert {len(index.find_data_sets(query("STUDY", **key))) for _ in range(4)} == {
            3 if key == keys[2] else 1
        }
    connection = index._database.reader()
    driver: Any = connection.driver_connection
    names = (
        "SELECT statement FROM pg_prepared_statements"
        " WHERE name LIKE 'dicomquest%' ORDER BY prepare_time"
    )
    prepared = driver.execute(names).fetchall()
    connection.close()
    assert [
        ("patient_id = $1" in text, "study_instance_uid = $1" in text) for (text,) in prepared
    ] == [
        (False, True),
        (False, False),
    ]


def test_texts_of_any_kind_are_values_and_nothing_else(index: Index) -> None:
    texts = ['a"b', "a\\b", "{a,b}", "NULL", "", " ", "山,", "a'b", "$1", "%s", "?"]
    connection = index._database.reader()
    driver: Any = connection.driver_connection
    found = driver.execute("SELECT unnest(%s::text[])", (array_text(texts),)).fetchall()
    connection.close()
    assert [text for (text,) in found] == texts
    index.ingest_data_sets(
        [instance(number, study=number, StudyID=text) for number, text in enumerate(texts) if text]
    )
    for text in texts:
        if text.strip() and "\\" not in text and "?" not in text:
            assert len(index.find_data_sets(query("STUDY", StudyID=text))) == 1, text


@pytest.mark.parametrize("rows", [1, 31, 32, 33, 64, 100])
def test_rows_come_in_the_sizes_asked_for(index: Index, rows: int) -> None:
    stored(index, rows)
    for size in (1, 7, 32, 100):
        with index.search(ALL) as cursor:
            sizes = [len(cursor.fetch(size)) for _ in range(rows // size + 1)]
        assert sizes == [size] * (rows // size) + [rows % size]


@pytest.mark.requirement("QR-160")
def test_python_filter_that_refuses_all_interrupts(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query whose rows Python refuses one by one can be interrupted."""
    index.ingest_data_sets([instance(number, study=number, Rows=(1,)) for number in range(100)])
    seen: list[int] = []

    def refuse(_: object, rows: list[Any]) -> list[Any]:
        seen.append(len(rows))
        cursor.interrupt()
        return []

    monkeypatch.setattr(postgresql_cursor, "accepted", refuse)
    asked = query("IMAGE", options=QueryOptions(relational=True), Rows=(1,))
    with index.search(asked) as cursor, pytest.raises(IndexDatabaseError, match="interrupted"):
        cursor.fetch(1)
    assert len(seen) == 1
