"""A running query: rows as they come, one snapshot, and an end at any time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from dicomquest.dataset.fast_encoder import ResponseEncoder
from dicomquest.errors import IndexDatabaseError
from dicomquest.index import Index
from dicomquest.index.search import sqlite_cursor as cursors
from dicomquest.index.search.sqlite_cursor import SQLiteCursor
from dicomquest.query import reference
from dicomquest.query.options import QueryOptions
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from fixtures.building import data_set, instance, query, text_of
from fixtures.timing import LONG

if TYPE_CHECKING:
    from collections.abc import Callable

RELATIONAL = QueryOptions(relational=True)


def studies(count: int) -> list[Any]:
    return [
        instance(1, study=study, PatientID=f"P{study}", PatientName=f"Name{study}")
        for study in range(count)
    ]


def test_rows_come_in_batches_until_there_are_fewer(index: Index) -> None:
    index.ingest_data_sets(studies(5))
    with index.search(query("STUDY", PatientID="", StudyInstanceUID="")) as cursor:
        sizes = [len(cursor.fetch(2)) for _ in range(4)]
    assert sizes == [2, 2, 1, 0]
    assert cursor.fields == index.fields(query("STUDY", PatientID="", StudyInstanceUID=""))


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.requirement("QR-171")
def test_first_row_costs_no_more_than_a_row(index: Index) -> None:
    index.ingest_data_sets(studies(400))
    with index.search(query("STUDY", PatientName="Name*", PatientID="")) as cursor:
        assert isinstance(cursor, SQLiteCursor)
        instructions = 0

        def count() -> int:
            nonlocal instructions
            instructions += 1
            return 0

        cursor._driver.set_progress_handler(count, 1)
        rows = cursor._driver.execute(cursor.plan.sql, cursor.plan.parameters)
        assert rows.fetchone()
        first = instructions
        assert len(rows.fetchall()) == 399
        cursor._driver.set_progress_handler(None, 1)
    assert first < instructions / 100


@pytest.mark.requirement("QR-172")
def test_later_instances_do_not_show(index: Index) -> None:
    index.ingest_data_sets(studies(3))
    asked = query("STUDY", PatientName="", NumberOfStudyRelatedInstances="", StudyInstanceUID="")
    with index.search(asked) as cursor:
        rows = cursor.fetch(1)
        index.ingest_data_sets(
            [
                instance(2, study=study, PatientID=f"P{study}", PatientName="Changed")
                for study in range(4)
            ]
        )
        rows += cursor.fetch(10)
        found = [cursor.plan.to_data_set(row) for row in rows]
    assert {text_of(answer, "PatientName") for answer in found} == {"Name0", "Name1", "Name2"}
    assert {text_of(answer, "NumberOfStudyRelatedInstances") for answer in found} == {"1"}
    assert len(index.find_data_sets(asked)) == 4


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.requirement("QR-172")
def test_query_sees_what_was_there_when_it_was_asked(index: Index) -> None:
    index.ingest_data_sets(studies(3))
    with index.search(query("STUDY", StudyInstanceUID="")) as cursor:
        index.ingest_data_sets(studies(5))
        assert len(cursor.fetch(10)) == 3


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.requirement("QR-160", "QR-164")
def test_thread_interrupts_query_without_matches(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread interrupts a query that finds nothing."""
    index.ingest_data_sets([instance(number, Rows=(number,)) for number in range(3)])
    runs, go_on = threading.Event(), threading.Event()

    def slow(*_: object) -> Callable[..., bool]:
        def matches(*_: object) -> bool:
            runs.set()
            assert go_on.wait(LONG)
            return False

        return matches

    monkeypatch.setattr(cursors, "residual_function", slow)
    cursor = index.search(query("IMAGE", options=RELATIONAL, Rows=(99,)))
    errors: list[IndexDatabaseError] = []

    def fetch() -> None:
        try:
            cursor.fetch(1)
        except IndexDatabaseError as error:
            errors.append(error)

    thread = threading.Thread(target=fetch)
    thread.start()
    assert runs.wait(LONG)
    cursor.interrupt()
    go_on.set()
    thread.join(LONG)
    assert "interrupted" in str(errors[0])
    with pytest.raises(IndexDatabaseError, match="interrupted"):
        cursor.fetch(1)
    cursor.close()
    # The connection went back whole: it serves the next query.
    assert len(index.find_data_sets(query("STUDY", StudyInstanceUID=""))) == 1


def test_interrupt_after_the_end_hits_nobody(index: Index) -> None:
    index.ingest_data_sets(studies(2))
    first = index.search(query("STUDY", StudyInstanceUID=""))
    first.close()
    first.close()
    with index.search(query("STUDY", StudyInstanceUID="")) as second:
        first.interrupt()
        assert len(second.fetch(10)) == 2


def test_each_running_query_has_its_own_connection(index: Index) -> None:
    index.ingest_data_sets(studies(3))
    cursors = [index.search(query("STUDY", StudyInstanceUID="")) for _ in range(20)]
    assert [len(cursor.fetch(1)) for cursor in cursors] == [1] * 20
    assert [len(cursor.fetch(5)) for cursor in cursors] == [2] * 20
    for cursor in cursors:
        cursor.close()


def test_unstorable_characters_match_their_stand_in(index: Index) -> None:
    """A character that no database stores matches its stand-in."""
    index.ingest_data_sets([instance(1, StudyID="A\ud800")])
    assert len(index.find_data_sets(query("STUDY", StudyID="A\udfff"))) == 1


def test_rows_of_every_kind_suit_the_encoder(index: Index) -> None:
    """The response encoder takes rows of every kind."""
    stored = instance(
        1,
        PatientName="Müller^Änne=山田^太郎",
        OtherPatientNames="A^B\\C^D",
        ProcedureCodeSequence=[
            data_set(CodeValue="T1", CodeMeaning="X"),
            data_set(CodeValue="T2", CodeMeaning="Y"),
        ],
        PatientWeight="70.5",
    )
    stored[0x00091001] = stored[0x00091101] = stored[0x00080018]
    index.ingest_data_sets([dict(sorted(stored.items()))])
    asked = query(
        "STUDY",
        PatientName="",
        OtherPatientNames="",
        PatientWeight="",
        PatientSex="",
        NumberOfStudyRelatedInstances="",
        ProcedureCodeSequence=[data_set(CodeValue="T1")],
    )
    with index.search(asked) as cursor:
        rows = cursor.fetch(2)
        encoder = ResponseEncoder(cursor.fields, EXPLICIT_VR_LITTLE_ENDIAN)
        assert len(encoder.encode(rows)) == 1
        (decoded,) = [cursor.plan.to_data_set(row) for row in rows]
        assert encoder.data_set(rows[0]) == {
            tag: element for tag, element in decoded.items() if tag != 0x00080052
        }
    assert [decoded] == reference.find([stored], asked)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_small_query_is_always_answered_at_once(index: Index) -> None:
    """A small query is answered at once, however often it comes."""
    index.ingest_data_sets(studies(5))
    asked = query("STUDY", PatientID="P3", StudyInstanceUID="")
    for _ in range(500):
        with index.search(asked) as cursor:
            assert len(cursor.fetch_at_once(32) or ()) == 1


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_large_query_is_never_answered_at_once(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cursors, "_FEW_INSTRUCTIONS", 100)
    index.ingest_data_sets(studies(100))
    asked = query("STUDY", PatientComments="there is none", StudyInstanceUID="")
    for _ in range(5):
        with index.search(asked) as cursor:
            assert cursor.fetch_at_once(32) is None
            assert cursor.fetch(32) == []


EXPLAINED: list[dict[str, Any]] = [
    {"PatientName": "Secret*", "StudyDate": "19331122-19331124"},
    {"AccessionNumber": "O'Secret", "NumberOfStudyRelatedInstances": "1933"},
    {"StudyInstanceUID": "1.1933.1\\1.1933.2"},
    {"ProcedureCodeSequence": [data_set(CodeValue="Secret")]},
]


@pytest.mark.parametrize("keys", EXPLAINED)
def test_plan_has_no_value_of_a_key(index: Index, keys: dict[str, Any]) -> None:
    """A slow query is logged with its plan, and PostgreSQL writes parameters into that."""
    index.ingest_data_sets(studies(5))
    with index.search(query("STUDY", options=RELATIONAL, **keys)) as cursor:
        steps = cursor.explain()
    text = "\n".join(steps)
    assert "study" in text
    assert not any(secret in text for secret in ("Secret", "1933"))
    with index.search(query("STUDY", StudyInstanceUID="")) as cursor:
        assert len(cursor.fetch(10)) == 5


def test_plan_of_a_lost_table_is_an_error(own_location: str) -> None:
    with Index(own_location) as index:
        with index._database.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE study RENAME TO lost")
        with (
            index.search(query("STUDY", StudyInstanceUID="")) as cursor,
            pytest.raises(IndexDatabaseError),
        ):
            cursor.explain()
