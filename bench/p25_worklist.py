"""P25: a station's worklist of a day, beside wlmscpfs, which reads every file for each query."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import cycle, islice
from typing import TYPE_CHECKING

from client import Client, find_rq
from measure import Claim, Figure, median, number, percentile
from servers import CACHE, ours, scratch

from dicomquest.dataset.encoder import encode
from dicomquest.standard.models import MODALITY_WORKLIST
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from dicomquest.worklist.entries import Worklist
from dicomquest.worklist.entry import entries_of
from fixtures.worklists import entry, request
from peers.dcmtk import wlmscpfs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sizes import Size

    from dicomquest.dataset.elements import DataSet

ENTRIES, THEIRS = 100_000, 2_000
STATIONS, DAYS = 50, 30
MOST_MS = 2.0


def made(count: int) -> Iterator[DataSet]:
    """Yield entries spread over stations and days."""
    for each in range(count):
        yield entry(
            each,
            ScheduledStationAETitle=f"ST{each % STATIONS}",
            ScheduledProcedureStepStartDate=f"202601{each // STATIONS % DAYS + 1:02}",
        )


def worklist_of(count: int) -> str:
    """Return the index with a worklist of so many entries; the first call builds it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    path = CACHE / f"worklist-{count}.sqlite"
    if not path.exists():
        building = path.with_suffix(".building")
        building.unlink(missing_ok=True)
        with Worklist(building) as worklist:
            worklist.add((each for data in made(count) for each in entries_of(data)), 0)
        building.rename(path)
    return str(path)


def questions(days: Sequence[int]) -> Iterator[bytes]:
    """Yield the list of each station for each of the days, for ever."""
    around = dict.fromkeys(
        ("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "StudyInstanceUID"), ""
    )
    step = dict.fromkeys(
        ("Modality", "ScheduledProcedureStepStartTime", "ScheduledProcedureStepDescription"), ""
    )
    asked = [
        request(
            around,
            ScheduledStationAETitle=f"ST{station}",
            ScheduledProcedureStepStartDate=f"202601{day:02}",
            **step,
        )
        for day in days
        for station in range(STATIONS)
    ]
    return cycle(
        find_rq(encode(each, EXPLICIT_VR_LITTLE_ENDIAN), abstract_syntax=MODALITY_WORKLIST.uid)
        for each in asked
    )


def latencies(port: int, title: str, days: Sequence[int], queries: int) -> tuple[list[float], int]:
    """Milliseconds of so many queries on one association, and the entries of all answers."""
    client = Client(port, title, abstract_syntax=MODALITY_WORKLIST.uid)
    answers = [client.find(each) for each in islice(questions(days), queries)]
    client.release()
    return [answer.total * 1000 for answer in answers], sum(answer.matches for answer in answers)


@contextmanager
def theirs(count: int) -> Iterator[int]:
    """Run wlmscpfs over files of so many entries."""
    data = [encode(each, EXPLICIT_VR_LITTLE_ENDIAN) for each in made(count)]
    with wlmscpfs(scratch(), {"RIS": data}) as port:
        yield port


def run(size: Size) -> Claim:
    entries, other = min(size.large, ENTRIES), min(size.large // 10, THEIRS)
    claim = Claim(
        "P25",
        f"a station's worklist of a day, {entries:,} entries here, in ms (p50 / p99)",
        f"p50 at most {number(MOST_MS)}",
    )
    claim.remark = (
        "A modality asks the same question all day: *again* is that; *first* is a list that nobody "
        "has asked for yet."
    )
    later = (2, 3, 4)
    rounds = STATIONS * len(later)
    with ours(entries, index=worklist_of(entries), options=["--worklist"]) as served:
        first, found = latencies(served.port, served.aet, later, rounds)
        latencies(served.port, served.aet, (1,), STATIONS)
        again, _ = latencies(served.port, served.aet, (1,), max(size.queries, rounds))
    with theirs(other) as port:
        theirs_again, their_found = latencies(port, "RIS", (1,), 10)
    claim.is_met = median(again) <= MOST_MS
    claim.figures = [
        Figure(
            f"dicomquest, again, {found / rounds:.0f} entries a list",
            f"{number(median(again))} / {number(percentile(again, 0.99))}",
        ),
        Figure("dicomquest, first", f"{number(median(first))} / {number(percentile(first, 0.99))}"),
        Figure(
            f"wlmscpfs, {other:,} entries, {their_found / 10:.0f} a list",
            f"{number(median(theirs_again))} / {number(percentile(theirs_again, 0.99))}",
            f"ours is {number(median(again) / median(theirs_again))} of its p50",
        ),
    ]
    return claim
