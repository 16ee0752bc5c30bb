from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from dicomquest.ae.background import RunningServer
from dicomquest.aio.server import Server
from dicomquest.aio.server_settings import ServerSettings
from dicomquest.dataset.codec import decode
from dicomquest.dataset.elements import DataSet
from dicomquest.dataset.encoder import encode
from dicomquest.dimse.commands import CCancelRQ, CFindRQ, CFindRSP, encode_command
from dicomquest.errors import AssociationAbortedError, IndexDatabaseError
from dicomquest.index import Index
from dicomquest.index.search.sqlite_cursor import Cursor, SQLiteCursor
from dicomquest.pdu.pdus import COMMAND, LAST, PDataTF, PresentationDataValue
from dicomquest.query.options import QueryOptions
from dicomquest.services.find import (
    BATCH,
    FIRST_BATCH,
    LONGEST_AT_ONCE,
    FindChoices,
    FindService,
    PeerChoices,
)
from dicomquest.services.request import AssociationInfo, ServiceRequest, ServiceUser
from dicomquest.standard.models import PATIENT_ROOT, STUDY_ROOT
from dicomquest.standard.statuses import C_FIND_STATUSES, find_status
from dicomquest.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from dicomquest.ul.negotiation import AcceptedContext, AcceptorPolicy, SupportedSyntax
from fixtures.building import data_set, instance, text_of
from fixtures.faces import RawPeer, raw_requestor
from fixtures.postgresql_cluster import Cluster
from fixtures.timing import LONG

MANY = 2 * BATCH + FIRST_BATCH + 7
"""Instances in one series: more than go out in three batches."""

LATIN_1 = ("ISO_IR 100",)
UTF_8 = ("ISO_IR 192",)

INSTANCES = [
    *(
        instance(number, InstanceNumber=str(number), Modality="CT", PatientName="CITIZEN^Jan")
        for number in range(1, MANY + 1)
    ),
    instance(
        study=2,
        PatientID="P2",
        PatientName="Müller^Jürgen",
        StudyDate="20240105",
        StudyTime="101500",
        Modality="MR",
    ),
    instance(study=3, PatientID="P3", PatientName="山田^太郎", StudyDate="", Modality="MR"),
]
STUDIES = 3


@pytest.fixture(scope="module")
def sqlite_index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index(tmp_path_factory.mktemp("find") / "index.sqlite") as opened:
        opened.ingest_data_sets(INSTANCES)
        yield opened


@pytest.fixture(scope="module")
def postgresql_index(postgresql: Cluster) -> Iterator[Index]:
    with Index(postgresql.create_database()) as opened:
        opened.ingest_data_sets(INSTANCES)
        yield opened


@pytest.fixture(params=["sqlite", "postgresql"])
def index(request: pytest.FixtureRequest) -> Index:
    opened: Index = request.getfixturevalue(f"{request.param}_index")
    return opened


@dataclass
class Channel:
    """A channel that notes responses; the peer acts in ``before_run`` and ``after_pending``."""

    pending: list[tuple[int, bytes]] = field(default_factory=list)
    finals: list[tuple[int, str, tuple[int, ...]]] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    before_run: Callable[[ServiceRequest], object] = lambda _: None
    after_pending: Callable[[ServiceRequest], object] = lambda _: None
    request: ServiceRequest = field(init=False)

    async def send_pending(
        self,
        request: ServiceRequest,
        status: int,
        identifiers: Sequence[bytes],
        *,
        final_follows: bool,
    ) -> None:
        request.check_association()
        assert not self.finals, "a Pending response after the final one"
        self.pending += [(status, identifier) for identifier in identifiers]
        self.batches.append(len(identifiers))
        self.after_pending(request)

    async def send_final(
        self, request: ServiceRequest, status: int, comment: str, offending: tuple[int, ...]
    ) -> None:
        request.check_association()
        self.finals.append((status, comment, offending))

    async def run(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        self.before_run(self.request)
        return await asyncio.to_thread(function, *args, **kwargs)

    @property
    def statuses(self) -> list[int]:
        return [status for status, _ in self.pending] + [status for status, _, _ in self.finals]


ALL_IMAGES = data_set(
    QueryRetrieveLevel="IMAGE",
    StudyInstanceUID="1.2.1",
    SeriesInstanceUID="1.2.1.1",
    SOPInstanceUID="",
    InstanceNumber="",
)
ALL_STUDIES = data_set(
    QueryRetrieveLevel="STUDY", StudyInstanceUID="", PatientName="", PatientID="", StudyDate=""
)
NONE = data_set(QueryRetrieveLevel="STUDY", StudyInstanceUID="1.9")


def ask(
    index: Index,
    identifier: DataSet | bytes,
    *,
    channel: Channel | None = None,
    model: str = STUDY_ROOT.uid,
    syntax: str = IMPLICIT_VR_LITTLE_ENDIAN,
    charset: tuple[str, ...] = (),
    aet: str = "SCU",
    accepted: bytes = b"",
    has_stored: bool = False,
    service: FindService | None = None,
    **choices: Any,
) -> Channel:
    """Have one request answered; ``charset`` is the identifier's, ``choices`` are PeerChoices."""
    data = identifier if isinstance(identifier, bytes) else encode(identifier, syntax, charset)
    channel = channel or Channel()
    context = AcceptedContext(1, model, syntax)
    info = AssociationInfo(
        7,
        ServiceUser(aet, "127.0.0.1", 1),
        ServiceUser("SCP", "127.0.0.1", 2),
        {1: context},
        {model: accepted},
    )
    info.state.has_stored = has_stored
    command = CFindRQ(message_id=1, affected_sop_class_uid=model)
    channel.request = ServiceRequest(channel, info, context, command, data)
    peers = {"SCU": PeerChoices(**choices)}
    service = service or FindService(index, FindChoices("ARCHIVE", peers=peers))
    asyncio.run(service.handle(channel.request))
    assert_given_back(index)
    return channel


def assert_given_back(index: Index) -> None:
    """No query holds a connection any more, and the next one works."""
    assert index._database._readers.pool.checkedout() == 0  # type: ignore[attr-defined]


def answers(channel: Channel, syntax: str = IMPLICIT_VR_LITTLE_ENDIAN) -> list[DataSet]:
    return [decode(identifier, syntax) for _, identifier in channel.pending]


def nothing_at_once(cursor: Cursor, size: int) -> None:
    """Every query takes long."""


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
    service = FindService(sqlite_index, FindChoices("ARCHIVE"))
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


GARBAGE = [b"\x08\x00\x52\x00\xff\xff\xff\x7f", b"\x08", b"PATIENT^ANNA" * 3]


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
    assert ask(index, ALL_IMAGES, result_limit=limit).statuses == [0xFF00] * limit + [0xA700]


def test_choices_are_those_of_calling_ae_title(index: Index) -> None:
    assert ask(index, ALL_STUDIES, aet="OTHER", result_limit=1).statuses == [0xFF00] * STUDIES + [
        0x0000
    ]


@pytest.mark.requirement("QR-160", "QR-165")
@pytest.mark.parametrize("batches", [1, 2])
def test_cancel_while_streaming_ends_with_fe00(index: Index, batches: int) -> None:
    """A C-CANCEL while responses stream ends them with FE00."""
    channel = Channel()

    def cancel(request: ServiceRequest) -> None:
        if len(channel.batches) == batches:
            request.cancel()

    channel.after_pending = cancel
    ask(index, ALL_IMAGES, channel=channel)
    assert channel.statuses == [0xFF00] * sum([FIRST_BATCH, BATCH][:batches]) + [0xFE00]
    assert channel.finals == [(0xFE00, "", ())]


@pytest.mark.requirement("QR-160")
def test_early_cancel_gives_fe00_alone(
    sqlite_index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A C-CANCEL before the first response ends with FE00 alone."""
    monkeypatch.setattr(SQLiteCursor, "fetch_at_once", nothing_at_once)
    channel = Channel(before_run=lambda request: request.cancel())
    assert ask(sqlite_index, ALL_IMAGES, channel=channel).statuses == [0xFE00]


@pytest.mark.requirement("QR-160", "QR-164", "QR-165")
@pytest.mark.parametrize("is_abandoned", [False, True])
def test_long_search_without_matches_is_interrupted(
    sqlite_index: Index, is_abandoned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search that finds nothing for long is interrupted."""
    # The database is busy for many seconds, as in a scan of ten million studies.
    running, errors = threading.Event(), list[str]()
    long = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 50000000)"
        " SELECT i FROM n WHERE i < 0"
    )
    channel = Channel()

    class Long(SQLiteCursor):
        def _run(self) -> Any:
            object.__setattr__(self.plan, "sql", long)
            object.__setattr__(self.plan, "parameters", ())
            self._driver.create_function("told", 0, running.set)
            try:
                # A quick C-CANCEL interrupts this statement already.
                self._driver.execute("SELECT told()").fetchone()
                return super()._run()
            except sqlite3.OperationalError as error:
                errors.append(str(error))
                raise

    def find(query: Any, *, is_latest: bool) -> Cursor:
        cursor = Index.search(sqlite_index, query, is_latest=is_latest)
        cursor.__class__ = Long
        return cursor

    async def cancel_when_running() -> None:
        assert await asyncio.to_thread(running.wait, LONG)
        channel.request.cancel(is_abandoned=is_abandoned)

    tasks: list[asyncio.Task[None]] = []
    channel.before_run = lambda _: tasks.append(
        asyncio.get_running_loop().create_task(cancel_when_running())
    )
    monkeypatch.setattr(sqlite_index, "search", find)
    monkeypatch.setattr(SQLiteCursor, "fetch_at_once", nothing_at_once)
    with pytest.raises(AssociationAbortedError) if is_abandoned else contextlib.nullcontext():
        ask(sqlite_index, ALL_IMAGES, channel=channel)
    assert channel.statuses == ([] if is_abandoned else [0xFE00])
    assert errors == ["interrupted"]
    assert_given_back(sqlite_index)


@pytest.mark.requirement("QR-164")
def test_lost_association_ends_streaming_search(index: Index) -> None:
    """An association that ends while responses stream ends the search."""
    channel = Channel(after_pending=lambda request: request.cancel(is_abandoned=True))
    with pytest.raises(AssociationAbortedError):
        ask(index, ALL_IMAGES, channel=channel)
    assert channel.statuses == [0xFF00] * FIRST_BATCH
    assert_given_back(index)


CHAIN = {
    "PatientID": "P2",
    "StudyInstanceUID": "1.2.2",
    "SeriesInstanceUID": "1.2.2.1",
    "SOPInstanceUID": "1.2.2.1.1",
}


@pytest.mark.requirement("QR-041", "QR-046", "QR-047", "QR-048", "QR-056")
@pytest.mark.parametrize(
    "syntax",
    [
        IMPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_BIG_ENDIAN,
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    ],
)
@pytest.mark.parametrize(
    ("level", "keys"),
    [
        ("PATIENT", {"PatientID": "P2"}),
        ("STUDY", {"PatientID": "P2", "StudyInstanceUID": ""}),
        ("SERIES", {"PatientID": "P2", "StudyInstanceUID": "1.2.2", "SeriesInstanceUID": ""}),
        (
            "IMAGE",
            {
                "PatientID": "P2",
                "StudyInstanceUID": "1.2.2",
                "SeriesInstanceUID": "1.2.2.1",
                "SOPInstanceUID": "",
            },
        ),
    ],
)
def test_response_has_syntax_level_chain_and_source(
    index: Index, syntax: str, level: str, keys: dict[str, str]
) -> None:
    """A response is in its context's syntax and has level, unique keys and source."""
    channel = ask(
        index, data_set(QueryRetrieveLevel=level, **keys), model=PATIENT_ROOT.uid, syntax=syntax
    )
    (answer,) = answers(channel, syntax)
    expected = {
        "QueryRetrieveLevel": level,
        "RetrieveAETitle": "ARCHIVE",
        **{key: CHAIN[key] for key in keys},
    }
    assert answer == data_set(**expected)


@pytest.mark.requirement("QR-055")
@pytest.mark.parametrize("charset", [(), UTF_8])
def test_elements_come_in_ascending_order_once(index: Index, charset: tuple[str, ...]) -> None:
    more = data_set(InstanceAvailability="", NumberOfStudyRelatedInstances="")
    channel = ask(index, ALL_STUDIES | more, charset=charset)
    for _, data in channel.pending:
        tags, offset = [], 0
        while offset < len(data):
            group, element, length = struct.unpack_from("<HHI", data, offset)
            tags.append((group, element))
            offset += 8 + length
        assert offset == len(data)
        assert tags == sorted(set(tags))
        assert len(tags) >= 7


@pytest.mark.requirement("QR-034", "QR-050", "QR-051")
def test_availability_is_said_where_it_is_asked_for(index: Index) -> None:
    asked = ask(index, ALL_STUDIES | data_set(InstanceAvailability="OFFLINE"))
    assert {text_of(answer, "InstanceAvailability") for answer in answers(asked)} == {"ONLINE"}
    assert len(asked.pending) == STUDIES
    assert {
        text_of(answer, "InstanceAvailability") for answer in answers(ask(index, ALL_STUDIES))
    } == {None}


@pytest.mark.requirement("QR-053", "QR-113")
@pytest.mark.parametrize("offset", ["+0100", "-0500", ""])
@pytest.mark.parametrize("accepted", [b"", b"\0\0\0\1"])
def test_times_are_returned_as_stored(index: Index, offset: str, accepted: bytes) -> None:
    """Times are returned as stored, and without an offset."""
    keys = {"StudyTime": "", "PatientID": "P2", "TimezoneOffsetFromUTC": offset}
    channel = ask(
        index, data_set(QueryRetrieveLevel="STUDY", StudyInstanceUID="", **keys), accepted=accepted
    )
    (answer,) = answers(channel)
    assert text_of(answer, "StudyTime") == "101500"
    assert text_of(answer, "TimezoneOffsetFromUTC") is None


@pytest.mark.requirement("QR-052", "QR-114")
@pytest.mark.parametrize(
    "syntax", [IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN]
)  # the fast path and the plain
@pytest.mark.parametrize(
    ("requested", "charsets"),
    [
        ((), {"P1": None, "P2": "ISO_IR 192", "P3": "ISO_IR 192"}),
        (LATIN_1, {"P1": None, "P2": "ISO_IR 100", "P3": "ISO_IR 192"}),
        (UTF_8, {"P1": None, "P2": "ISO_IR 192", "P3": "ISO_IR 192"}),
    ],
)
def test_response_uses_requests_charset_where_it_fits(
    index: Index, requested: tuple[str, ...], charsets: dict[str, str | None], syntax: str
) -> None:
    """A response is in the request's character set where that has its characters."""
    names = {"P1": "CITIZEN^Jan", "P2": "Müller^Jürgen", "P3": "山田^太郎"}
    found = answers(ask(index, ALL_STUDIES, charset=requested, syntax=syntax), syntax)
    assert {
        text_of(answer, "PatientID"): text_of(answer, "PatientName") for answer in found
    } == names
    assert {
        text_of(answer, "PatientID"): text_of(answer, "SpecificCharacterSet") for answer in found
    } == charsets


@pytest.mark.requirement("QR-114", "EN-033")
@pytest.mark.parametrize(
    ("default", "name", "found"),
    [
        (None, "M\u00fcller*".encode(), ["P2"]),
        (None, "M\u00fcller*".encode("latin-1"), ["P2"]),
        ("ISO_IR 100", "M\u00fcller*".encode("latin-1"), ["P2"]),
        ("ISO_IR 126", "M\u00fcller*".encode("latin-1"), []),  # the byte FC is a Greek letter there
        ("GB18030", "\u5c71\u7530*".encode("gb18030"), ["P3"]),
        ("ISO_IR 100", "\u5c71\u7530*".encode("gb18030"), []),
    ],
)
def test_undeclared_bytes_use_peers_charset(
    index: Index, default: str | None, name: bytes, found: list[str]
) -> None:
    """Bytes without a character set are read in the one configured for the peer."""
    channel = ask(index, _with_name(name), default_charset=default)
    assert [text_of(answer, "PatientID") for answer in answers(channel)] == found
    assert channel.statuses[-1] == 0x0000


def test_strict_refuses_bytes_outside_declared_set(index: Index) -> None:
    """Strict refuses bytes that the declared set does not have."""
    declared = struct.pack("<HHI", 0x0008, 0x0005, 10) + b"ISO_IR 192"
    identifier = declared + _with_name(b"M\xfcller")
    assert ask(index, identifier).statuses[-1] == 0x0000
    ((status, comment, offending),) = ask(
        index, identifier, options=QueryOptions(strict=True)
    ).finals
    assert (status, offending) == (0xA900, (0x00100010,))
    assert comment


def _with_name(name: bytes) -> bytes:
    """Build an identifier that asks for studies by the bytes of a name."""
    name += b" " * (len(name) % 2)
    before, after = (
        data_set(QueryRetrieveLevel="STUDY"),
        data_set(PatientID="", StudyInstanceUID=""),
    )
    element = struct.pack("<HHI", 0x0010, 0x0010, len(name)) + name
    return (
        encode(before, IMPLICIT_VR_LITTLE_ENDIAN, ())
        + element
        + encode(after, IMPLICIT_VR_LITTLE_ENDIAN, ())
    )


@pytest.mark.requirement("QR-173")
def test_log_has_line_per_query_without_values(
    index: Index, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has a line for each query, and none of its values."""
    caplog.set_level(logging.INFO, "dicomquest.find")
    ask(
        index,
        data_set(
            QueryRetrieveLevel="study",
            StudyInstanceUID="",
            PatientName="SECRET*",
            RetrieveAETitle="HIDDEN",
        ),
    )
    assert caplog.messages[0] == f"association 7: C-FIND {STUDY_ROOT.name} at STUDY level"
    assert "SECRET" not in caplog.text
    assert "HIDDEN" not in caplog.text
    assert "(0008,0054)" in caplog.text


@pytest.fixture
def port(index: Index) -> Iterator[int]:
    service = FindService(index, FindChoices("ARCHIVE"))
    policy = AcceptorPolicy({PATIENT_ROOT.uid: SupportedSyntax((IMPLICIT_VR_LITTLE_ENDIAN,))})
    settings = ServerSettings(policy, {PATIENT_ROOT.uid: service})
    server = RunningServer(lambda: Server(settings), ("127.0.0.1", 0))
    server.start()
    yield server.server_address[1]
    server.shutdown()


def final(peer: RawPeer) -> CFindRSP:
    while isinstance(response := peer.receive_command(), CFindRSP) and response.status == 0xFF00:
        assert response.has_data_set
    assert isinstance(response, CFindRSP)
    assert not response.has_data_set
    return response


@pytest.mark.requirement("QR-143", "QR-145", "QR-170")
def test_association_stays_usable_after_any_failure(port: int) -> None:
    levelless = encode(data_set(PatientID=""), IMPLICIT_VR_LITTLE_ENDIAN, ())
    with raw_requestor(port) as peer:
        for number, identifier in enumerate([*GARBAGE, levelless], 1):
            peer.send_find(2 * number, identifier)
            failure = final(peer)
            assert (failure.message_id_being_responded_to, failure.status) == (
                2 * number,
                0xA900 if identifier is levelless else 0xC001,
            )
            assert 0 < len(failure.error_comment) <= 64
            peer.send_find(2 * number + 1)
            assert final(peer).status == 0x0000


IMAGES = encode(ALL_IMAGES | data_set(PatientID="P1"), IMPLICIT_VR_LITTLE_ENDIAN, ())


@pytest.mark.requirement("QR-140", "QR-160", "QR-161", "QR-162", "QR-165")
def test_cancels_on_the_wire(port: int) -> None:
    with raw_requestor(port) as peer:
        # The C-CANCEL has arrived before the search begins, so no response is needed to see it.
        peer.send_command(CCancelRQ(message_id_being_responded_to=5))
        cancel = PDataTF(
            (
                PresentationDataValue(
                    3, COMMAND | LAST, encode_command(CCancelRQ(message_id_being_responded_to=5))
                ),
            )
        )
        find = CFindRQ(message_id=5, affected_sop_class_uid=PATIENT_ROOT.uid)
        command = PDataTF((PresentationDataValue(3, COMMAND | LAST, encode_command(find)),))
        peer.send(command, PDataTF((PresentationDataValue(3, LAST, IMAGES),)), cancel)
        assert final(peer).status == 0xFE00
        for message_id in (5, 5, 77):
            peer.send_command(CCancelRQ(message_id_being_responded_to=message_id))
        # The server answers none of these: the next response is that of the next request.
        peer.send_find(6, IMAGES)
        assert (final(peer).status, final_id(peer, 7)) == (0x0000, 7)


def final_id(peer: RawPeer, message_id: int) -> int:
    peer.send_find(message_id)
    return final(peer).message_id_being_responded_to


@pytest.mark.requirement("QR-164")
def test_lost_connection_gives_the_search_up(port: int, index: Index) -> None:
    given_back = threading.Event()
    pool = index._database._readers.pool
    listen = lambda *_: given_back.set()  # noqa: E731 (to be removed by name)
    event.listen(pool, "checkin", listen)
    try:
        with raw_requestor(port) as peer:
            peer.send_find(1, IMAGES)
            peer.receive_command()
        assert given_back.wait(LONG)
    finally:
        event.remove(pool, "checkin", listen)
