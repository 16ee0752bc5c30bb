"""The studies of a question, or those that are ticked, as CSV (RFC 4180)."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dicomquest.index.search.overview import StudyCount
from dicomquest.query.model import Page, Query
from dicomquest.services.disclosures import StudiesExported
from dicomquest.services.retrieve_source import StudyOfPatient
from dicomquest.standard.levels import Level
from dicomquest.web.page.bounded_search import BoundedSearch
from dicomquest.web.page.page_endpoint import PageEndpoint, PageRequest
from dicomquest.web.page.question_reader import clearly_asked
from dicomquest.web.page.rendering import PRIVATE
from dicomquest.web.page.study_list import entity_query, query_of
from dicomquest.web.page.study_rows import STUDY_KEYS, value
from dicomquest.web.page.told_requests import CsvExport, told_search

if TYPE_CHECKING:
    from dicomquest.services.request import ServiceRequest

COLUMNS = STUDY_KEYS
"""The columns, the UID first."""

MOST_LINES = 100_000
"""Studies of one table: a spreadsheet takes a million lines, a server has other callers."""

_TOLD = ("StudyInstanceUID", "PatientID", "PatientName")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class CsvPart:
    """Some lines of a table, and the studies that they name."""

    text: str
    studies: tuple[StudyOfPatient, ...] = ()


def csv_parts(
    search: BoundedSearch, query: Query, columns: Sequence[str], *, is_for_spreadsheet: bool
) -> Iterator[CsvPart]:
    """Return the table in parts of some hundred lines; blocking."""
    yield CsvPart(_written([columns]))
    for matches in search.batches(query):
        studies = tuple(
            StudyOfPatient(*(value(match, each) for each in _TOLD)) for match in matches
        )
        lines = [[value(match, column) for column in columns] for match in matches]
        if is_for_spreadsheet:
            lines = [[_inert_cell(cell) for cell in line] for line in lines]
        yield CsvPart(_written(lines), studies)


def _written(lines: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue()


def _inert_cell(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


class CsvTable(PageEndpoint):
    """The table of a question; ``spreadsheet=1`` keeps cells from being formulas."""

    async def answer(self, request: PageRequest) -> None:
        """Answer a request."""
        reading = await clearly_asked(request)
        keys = [(key.keyword, key.value) for key in reading.keys]
        await send_csv(request, query_of(reading, request.asker, COLUMNS), keys)


async def send_csv(request: PageRequest, query: Query, keys: Sequence[tuple[str, str]]) -> None:
    """Stream a table; the name of its file says so if it is cut.

    ``keys`` are the keywords and values of the question, for the audit trail.
    """
    async with told_search(request, query, keys, COLUMNS, CsvExport) as told:
        await _send_table(request, query, told)


async def _send_table(request: PageRequest, query: Query, told: ServiceRequest) -> None:
    limit = request.visit.profile.choices.result_limit
    limits = (MOST_LINES, limit, request.search.most)
    most = min(each for each in limits if each is not None)
    unlimited = replace(query, page=None)
    found = await request.run(_count, request, unlimited, most)
    is_cut = not found.is_exact
    name = f"studies-first-{most}.csv" if is_cut else "studies.csv"
    if request.search.shortfalls:
        name = f"incomplete-{name}"
    headers = {
        "Content-Type": "text/csv; charset=utf-8",
        "Content-Disposition": f'attachment; filename="{name}"',
        **PRIVATE,
    }
    columns: Sequence[str] = COLUMNS
    if request.search.is_federated:
        columns = (*columns, "RetrieveAETitle")
    parts = csv_parts(
        request.search,
        replace(query, page=Page(most, 0)),
        columns,
        is_for_spreadsheet=request.parameter("spreadsheet") == "1",
    )
    teller = request.service.teller(request.visit)
    end = CsvPart("")
    part = await request.run(next, parts, end)
    await request.exchange.start(200, headers)
    while part is not end:
        await request.exchange.write(part.text.encode("utf-8", "replace"), more=True)
        if part.studies:
            told.matches += len(part.studies)
            teller.disclosed(StudiesExported(request.visit.association, name, part.studies))
        part = await request.run(next, parts, end)
        await asyncio.sleep(0)
    await request.exchange.write(b"", more=False)


def _count(request: PageRequest, query: Query, most: int) -> StudyCount:
    return request.search.overview.count(query, most=most)


def ticked_query(request: PageRequest, uids: Sequence[str]) -> Query:
    """Return the query of ticked studies, as far as the caller may see them."""
    return entity_query(Level.STUDY, request.asker, COLUMNS, StudyInstanceUID="\\".join(uids))
