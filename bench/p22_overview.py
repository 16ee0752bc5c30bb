"""P22: what the search page asks beside its rows, in milliseconds of the processor."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

import psycopg
from measure import Claim, Figure, median, number, spread
from servers import index_of, postgresql_of

from dicomquest.index import Index
from dicomquest.index.search.overview import Overview
from dicomquest.query.facets import FacetKind
from dicomquest.query.identifier.keyword_query import keyword_query
from dicomquest.query.options import QueryOptions
from dicomquest.query.study_listing import SortBy, StudyListing, StudyOrder

if TYPE_CHECKING:
    from collections.abc import Callable

    from sizes import Size

    from dicomquest.query.model import Query

ROW = {
    "PatientName": "", "PatientID": "", "PatientBirthDate": "", "StudyDate": "", "StudyTime": "",
    "ModalitiesInStudy": "", "StudyDescription": "", "AccessionNumber": "",
    "NumberOfStudyRelatedSeries": "", "NumberOfStudyRelatedInstances": "",
}  # fmt: skip
QUESTIONS = {
    "all studies": {},
    "citizen 2024 MR knee": {
        "PatientName": "citizen",
        "StudyDate": "20240101-20241231",
        "ModalitiesInStudy": "MR",
        "StudyDescription": "*knee*",
    },
    "citizen": {"PatientName": "citizen"},
    "CT": {"ModalitiesInStudy": "CT"},
    "2024": {"StudyDate": "20240101-20241231"},
    "CT of women in 2024": {
        "ModalitiesInStudy": "CT",
        "PatientSex": "F",
        "StudyDate": "20240101-20241231",
    },
    "one patient": {"PatientID": "P0100000007"},
}
FIRST_ROWS, CHUNK = 50, 100
MOST_ROWS = 50_000


def asked(keys: dict[str, str]) -> Query:
    """The query of the page: text without case, names by their words."""
    options = QueryOptions(relational=True, fuzzy=True, ignore_case=True)
    return keyword_query(
        "STUDY", "study", options, [*(ROW | keys).items()],
        timezone_offset_minutes=0, now=datetime.now(UTC),
    )  # fmt: skip


def scrolled(overview: Overview, query: Query) -> int:
    """Read a list to its end, chunk by chunk; the number of its rows."""
    rows = 0
    listing = StudyListing(limit=CHUNK)
    while rows < MOST_ROWS:
        page = overview.page(query, listing)
        rows += len(page.rows)
        if page.is_last:
            break
        listing = StudyListing(limit=CHUNK, position=page.positions[-1])
    return rows


class Processor:
    """The time of the processor that this process and the processes of a PostgreSQL server took."""

    def __init__(self, url: str | None = None) -> None:
        self._server = 0
        if url is not None:
            with psycopg.connect(url) as connection:
                found = connection.execute("SHOW data_directory").fetchone()
            assert found is not None
            self._server = int(Path(found[0], "postmaster.pid").read_text().split()[0])

    def time(self) -> float:
        """Return seconds, those of the server by the kernel's counts in nanoseconds."""
        return process_time() + sum(map(self._of_server, Path("/proc").glob("[0-9]*")))

    def _of_server(self, process: Path) -> float:
        if not self._server:
            return 0.0
        try:
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) != self._server:
                return 0.0
            return int((process / "schedstat").read_text().split()[0]) / 1e9
        except OSError:
            return 0.0  # it has ended


def run(size: Size) -> Claim:
    studies = size.stream
    claim = Claim(
        "P22",
        f"what a search page asks, {studies:,} studies, in milliseconds of the processor",
        "first rows 30, facets of up to 10,000 studies 150, the end of a list 1,000",
    )

    claim.remark = (
        "The page gives facets 150 ms and shows those that are counted by then. Each facet counts "
        "without its own key: one pass over the studies of a date does so for the others, and a "
        "second one for the date. Under PostgreSQL the time of its server is part of each figure, "
        "with some 2 ms of looking it up."
    )
    measure(claim, size, index_of(studies), Processor(), "")
    with postgresql_of(studies) as url:
        measure(claim, size, url, Processor(url), "PostgreSQL, ")
    return claim


def measure(
    claim: Claim, size: Size, location: Path | str, processor: Processor, where: str
) -> None:
    """Add the figures of one index."""

    def add(title: str, measured: Callable[[], object], most: float) -> None:
        figures = []
        for _ in range(max(size.runs, 1)):
            started = processor.time()
            measured()
            figures.append((processor.time() - started) * 1e3)
        claim.is_met = claim.is_met is not False and median(figures) <= most
        share = f"{number(median(figures) / most)} of the bound"
        claim.figures.append(Figure(f"{where}{title}", spread(figures), share))

    with Index(location, create=False) as index:
        overview = Overview(index.search)
        # The first query on a server learns its facts, and opens a connection.
        overview.count(asked(QUESTIONS["one patient"]))
        for title, keys in QUESTIONS.items():
            query = asked(keys)
            for by in SortBy:
                listing = StudyListing(StudyOrder(by), limit=FIRST_ROWS)
                add(
                    f"{title}: first rows by {by.value}",
                    lambda query=query, listing=listing: overview.page(query, listing),
                    30,
                )
            add(f"{title}: count", lambda query=query: overview.count(query), 150)
            add(f"{title}: facets", lambda query=query: overview.facets(query), 150)
        end = StudyListing(is_backward=True, limit=CHUNK)
        add("the end of the list", lambda: overview.page(asked({}), end), 1_000)
        add("50,000 rows by cursor", lambda: scrolled(overview, asked({})), 60_000)
        add("uses of an identifier", lambda: overview.uses("77654033"), 50)
        add("Patient IDs that begin so", lambda: overview.beginning("P01000001"), 50)
        kinds = (FacetKind.STATION, FacetKind.INSTITUTION)
        some = asked(QUESTIONS["citizen"])
        add("facets of series, on demand", lambda: overview.facets(some, kinds), 150)
