"""The Find service: statuses, batches, limits, and the choices of an AE title."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from dicomquest.dataset.elements import DataSet
from dicomquest.errors import IndexDatabaseError
from dicomquest.index import Index
from dicomquest.index.search.sqlite_cursor import SQLiteCursor
from dicomquest.query.options import QueryOptions
from dicomquest.query.visibility import parse_visible
from dicomquest.services.find import LONGEST_AT_ONCE, FindService
from dicomquest.services.limit_names import LimitName
from dicomquest.services.request import ServiceRequest
from dicomquest.services.search_batches import BATCH, FIRST_BATCH
from dicomquest.standard.models import STUDY_ROOT
from dicomquest.standard.statuses import C_FIND_STATUSES, find_status
from dicomquest.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from fixtures.building import data_set, text_of
from fixtures.find_service import (
    ALL_IMAGES,
    ALL_STUDIES,
    GARBAGE,
    INSTANCES,
    LATIN_1,
    MANY,
    NONE,
    STUDIES,
    Channel,
    answers,
    ask,
    nothing_at_once,
)


def test_sender_is_not_answered_by_lagging_replica(tmp_path: Path) -> None:
    """A replica that lags behind does not answer a peer that has stored."""
    Index(tmp_path / "empty.sqlite").close()
    with Index(tmp_path / "primary.sqlite", read_location=tmp_path / "empty.sqlite") as replicated:
        replicated.ingest_data_sets(INSTANCES)
        assert ask(replicated, ALL_STUDIES).statuses == [0x0000]
        assert 0xFF00 in ask(replicated, ALL_STUDIES, has_stored=True).statuses


def test_small_query_needs_no_other_thread(sqlite_index: Index) -> None:
    ran: list[ServiceRequest] = []
    small, large = Channel(before_run=ran.append), Channel(before_run=ran.append)
    ask(sqlite_index, data_set(QueryRetrieveLevel="STUDY", PatientID="P2"), channel=small)
    assert (len(small.pending), ran) == (1, [])
    ask(sqlite_index, ALL_IMAGES, channel=large)
    assert len(ran) == len(large.batches) - 1


# The clock gives the time of a query, then of its first batch; a query that goes to a thread reads
# the clock only once.
_SLOW = 2 * LONGEST_AT_ONCE


@pytest.mark.parametrize(
    ("clock", "in_threads"),
    [
        (
            [10.0, 10.0, 10.0 + _SLOW, 10.5, 10.5, 10.5 + _SLOW, 11.0, 12.0, 12.0, 12.0],
            [0, 0, 1, 0],
        ),
        (
            [
                10.0,
                10.0,
                10.0 + _SLOW,
                10.5,
                10.5,
                10.5,
                12.0,
                12.0,
                12.0 + _SLOW,
                12.5,
                12.5,
                12.5,
            ],
            [0, 0, 0, 0],
        ),
    ],
    ids=["twice", "once in a while"],
)
def test_two_slow_answers_move_queries_to_threads(
    sqlite_index: Index, monkeypatch: pytest.MonkeyPatch, clock: list[float], in_threads: list[int]
) -> None:
    """After two slow answers all queries go to other threads for a while."""
    times = iter(clock)
    monkeypatch.setattr("dicomquest.services.find.monotonic", lambda: next(times))
    service = FindService(sqlite_index, "ARCHIVE")
    counts = []
    for _ in in_threads:
        ran: list[ServiceRequest] = []
        ask(sqlite_index, ALL_STUDIES, channel=Channel(before_run=ran.append), service=service)
        counts.append(len(ran))
    assert counts == in_threads


@pytest.mark.requirement("QR-040", "QR-140", "QR-141")
@pytest.mark.parametrize(
    ("identifier", "matches"), [(NONE, 0), (ALL_STUDIES, STUDIES), (ALL_IMAGES, MANY)]
)
def test_match_is_pending_response_success_is_last(
    index: Index, identifier: DataSet, matches: int
) -> None:
    """Each match is one pending response, and Success comes last."""
    channel = ask(index, identifier)
    assert channel.statuses == [0xFF00] * matches + [0x0000]
    assert channel.finals == [(0x0000, "", ())]
    unique = "SOPInstanceUID" if identifier is ALL_IMAGES else "StudyInstanceUID"
    assert len({text_of(answer, unique) for answer in answers(channel)}) == matches


@pytest.mark.requirement("QR-171")
def test_no_more_is_fetched_than_peer_takes(
    sqlite_index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead: list[int] = [0]
    fetched: list[int] = []
    fetch = SQLiteCursor.fetch

    def counting(cursor: SQLiteCursor, size: int) -> list[tuple[Any, ...]]:
        rows = fetch(cursor, size)
        fetched.append(size)
        ahead.append(sum(fetched) + FIRST_BATCH - sum(channel.batches))
        return rows

    monkeypatch.setattr(SQLiteCursor, "fetch", counting)
    channel = Channel()
    ask(sqlite_index, ALL_IMAGES, channel=channel)
    assert channel.batches == [FIRST_BATCH, BATCH, BATCH, 7]
    assert fetched == [BATCH, BATCH, BATCH]
    # What is being sent, and the batch after it.
    assert max(ahead) <= 2 * BATCH


@pytest.mark.requirement("QR-044", "QR-111", "QR-142")
@pytest.mark.parametrize(
    ("keys", "status"),
    [
        ({"PatientID": "P2"}, 0xFF00),
        ({"PatientID": "P2", "StudyComments": ""}, 0xFF00),
        ({"PatientID": "P2", "NumberOfStudyRelatedInstances": ""}, 0xFF00),
        ({"PatientID": "P2", "NumberOfStudyRelatedInstances": "99"}, 0xFF01),
        ({"PatientID": "P2", "InstanceAvailability": ""}, 0xFF00),
        ({"PatientID": "P2", "RetrieveAETitle": ""}, 0xFF00),
        ({"PatientID": "P2", "RetrieveAETitle": "OTHER"}, 0xFF01),
    ],
)
def test_pending_says_whether_every_key_acted(
    index: Index, keys: dict[str, str], status: int
) -> None:
    channel = ask(index, data_set(QueryRetrieveLevel="STUDY", StudyInstanceUID="", **keys))
    assert channel.statuses == [status, 0x0000]


@pytest.mark.requirement("QR-003", "QR-004", "QR-029", "QR-122", "QR-144", "QR-145", "QR-121")
@pytest.mark.parametrize(
    ("identifier", "strict", "element"),
    [
        (data_set(PatientID=""), False, (0x00080052,)),
        (data_set(QueryRetrieveLevel="PATIENT", PatientID=""), False, (0x00080052,)),
        (data_set(QueryRetrieveLevel="WARD" * 30, PatientID=""), False, (0x00080052,)),
        (data_set(QueryRetrieveLevel="SERIES", SeriesInstanceUID=""), True, (0x0020000D,)),
        (data_set(QueryRetrieveLevel="STUDY", StudyInstanceUID="1.?"), False, (0x0020000D,)),
        (
            data_set(QueryRetrieveLevel="STUDY", StudyInstanceUID="", StudyDate="Äpril" * 30),
            False,
            (0x00080020,),
        ),
        (
            data_set(
                QueryRetrieveLevel="STUDY",
                StudyInstanceUID="",
                ProcedureCodeSequence=[data_set(), data_set()],
            ),
            False,
            (0x00081032,),
        ),
    ],
)
def test_invalid_query_is_a900_with_element(
    index: Index, identifier: DataSet, strict: bool, element: tuple[int, ...]
) -> None:
    """A query outside the model is A900 with element and comment."""
    channel = ask(index, identifier, options=QueryOptions(strict=strict), charset=LATIN_1)
    ((status, comment, offending),) = channel.finals
    assert (channel.pending, status, offending) == ([], 0xA900, element)
    assert comment.isascii()
    assert 0 < len(comment) <= 64


@pytest.mark.requirement("QR-170", "QR-148")
@pytest.mark.parametrize("data", GARBAGE)
@pytest.mark.parametrize("syntax", [IMPLICIT_VR_LITTLE_ENDIAN, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN])
def test_bytes_that_are_no_data_set_are_c001(index: Index, data: bytes, syntax: str) -> None:
    channel = ask(index, data, syntax=syntax)
    ((status, comment, offending),) = channel.finals
    assert (channel.pending, status, offending) == ([], 0xC001, ())
    assert comment.startswith("identifier: ")


@pytest.mark.requirement("QR-147", "QR-148")
@pytest.mark.parametrize("fails_after", [0, FIRST_BATCH])
def test_database_failure_is_c002_and_log_line(
    sqlite_index: Index,
    fails_after: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A database that fails is C002 and a line in the log."""
    fetch, calls = SQLiteCursor.fetch, iter([fails_after > 0, False])

    def failing(cursor: SQLiteCursor, size: int) -> list[tuple[Any, ...]]:
        if next(calls):
            return fetch(cursor, size)
        raise IndexDatabaseError("the query failed: disk I/O error")

    monkeypatch.setattr(SQLiteCursor, "fetch", failing)
    monkeypatch.setattr(SQLiteCursor, "fetch_at_once", nothing_at_once)
    channel = ask(sqlite_index, ALL_IMAGES)
    assert channel.statuses == [0xFF00] * fails_after + [0xC002]
    assert [
        record.levelname for record in caplog.records if "disk I/O error" in record.message
    ] == ["ERROR"]


@pytest.mark.requirement("QR-146")
def test_memory_that_runs_out_is_a700(sqlite_index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(cursor: SQLiteCursor, size: int) -> list[tuple[Any, ...]]:
        raise MemoryError

    monkeypatch.setattr(SQLiteCursor, "fetch", failing)
    assert ask(sqlite_index, ALL_IMAGES).finals == [(0xA700, "out of memory", ())]


@pytest.mark.requirement("QR-148")
def test_only_statuses_of_the_table_are_sent(index: Index) -> None:
    sent = {
        status
        for identifier in (NONE, ALL_STUDIES, data_set(PatientID=""), GARBAGE[0])
        for status in ask(index, identifier, result_limit=2).statuses
    }
    assert sent == {0x0000, 0xFF00, 0xA700, 0xA900, 0xC001}
    assert all(find_status(status, C_FIND_STATUSES) is not None for status in sent)


@pytest.mark.requirement("QR-146", "QR-152")
@pytest.mark.parametrize("limit", [0, 1, STUDIES - 1, STUDIES, STUDIES + 1, 1000])
@pytest.mark.parametrize("is_success", [False, True])
def test_limit_that_cuts_is_a700_unless_configured(
    index: Index, limit: int, is_success: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A limit that cuts something off is A700 unless configured as Success."""
    channel = ask(index, ALL_STUDIES, result_limit=limit, limit_is_success=is_success)
    cuts = limit < STUDIES
    final = (
        (0xA700, f"result limit {limit} reached", ())
        if cuts and not is_success
        else (0x0000, "", ())
    )
    assert channel.statuses[:-1] == [0xFF00] * min(limit, STUDIES)
    assert channel.finals == [final]
    logged = [
        record
        for record in caplog.records
        if record.message.endswith(f"result limit {limit} reached")
    ]
    assert len(logged) == (1 if cuts and is_success else 0)


@pytest.mark.requirement("QR-152")
@pytest.mark.parametrize("limit", [FIRST_BATCH, FIRST_BATCH + 1, FIRST_BATCH + BATCH, MANY - 1])
def test_limit_holds_across_batches(index: Index, limit: int) -> None:
    channel = ask(index, ALL_IMAGES, result_limit=limit)
    assert channel.statuses == [0xFF00] * limit + [0xA700]
    assert channel.limits == [LimitName.RESULTS]


@pytest.mark.requirement("QR-173")
def test_log_has_line_per_query_without_values(
    index: Index, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has a line for each query, and none of its values."""
    caplog.set_level(logging.DEBUG, "dicomquest.find")
    ask(
        index,
        data_set(
            QueryRetrieveLevel="study",
            StudyInstanceUID="",
            PatientName="SECRET*",
            RetrieveAETitle="HIDDEN",
        ),
    )
    assert caplog.messages[0] == f"association 7: C-FIND {STUDY_ROOT.words} at STUDY level begins"
    assert "SECRET" not in caplog.text
    assert "HIDDEN" not in caplog.text
    assert "(0008,0054)" in caplog.text


def test_filter_of_a_profile_hides_and_uncounts(index: Index) -> None:
    """Answers, limits and statuses are those of an archive without what is hidden."""
    visible = parse_visible(["InstanceNumber=1\\2", "Modality=CT"])
    asked = ALL_STUDIES | data_set(NumberOfStudyRelatedInstances="", ModalitiesInStudy="")
    channel = ask(index, dict(sorted(asked.items())), visible=visible, result_limit=1)
    assert channel.statuses == [0xFF00, 0x0000]
    (answer,) = answers(channel)
    assert text_of(answer, "NumberOfStudyRelatedInstances") == "2"
    limited = ask(index, ALL_IMAGES, visible=visible, result_limit=1)
    assert limited.finals[0][:2] == (0xA700, "result limit 1 reached")
