"""The studies of a question, or those that are ticked, as CSV (RFC 4180)."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace

from dicomquest.index.search.overview import StudyCount
from dicomquest.query.model import Page, Query
from dicomquest.standard.levels import Level
from dicomquest.web.page.bounded_search import BoundedSearch
from dicomquest.web.page.page_endpoint import PageEndpoint, PageRequest
from dicomquest.web.page.question_reader import clearly_asked
from dicomquest.web.page.rendering import PRIVATE
from dicomquest.web.page.study_list import entity_query, query_of
from dicomquest.web.page.study_rows import STUDY_KEYS, value

COLUMNS = STUDY_KEYS
"""The columns, the UID first."""

MOST_LINES = 100_000
"""Studies of one table: a spreadsheet takes a million lines, a server has other callers."""

_ROWS = 512
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_lines(
    search: BoundedSearch, query: Query, columns: Sequence[str], *, is_for_spreadsheet: bool
) -> Iterator[str]:
    """Return the table in parts of some hundred lines; blocking."""
    yield _written([columns])
    with search.begin(query) as cursor:
        while rows := cursor.fetch(_ROWS):
            matches = map(cursor.plan.to_data_set, rows)
            lines = [[value(match, column) for column in columns] for match in matches]
            if is_for_spreadsheet:
                lines = [[_inert_cell(cell) for cell in line] for line in lines]
            yield _written(lines)


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
        await send_csv(request, query_of(reading, request.asker, COLUMNS))


async def send_csv(request: PageRequest, query: Query) -> None:
    """Stream a table; the name of its file says so if it is cut."""
    limit = request.visit.profile.choices.result_limit
    most = MOST_LINES if limit is None else min(limit, MOST_LINES)
    unlimited = replace(query, page=None)
    found = await request.run(_count, request, unlimited, most)
    is_cut = not found.is_exact
    name = f"studies-first-{most}.csv" if is_cut else "studies.csv"
    headers = {
        "Content-Type": "text/csv; charset=utf-8",
        "Content-Disposition": f'attachment; filename="{name}"',
        **PRIVATE,
    }
    lines = csv_lines(
        request.search,
        replace(query, page=Page(most, 0)),
        COLUMNS,
        is_for_spreadsheet=request.parameter("spreadsheet") == "1",
    )
    first = await request.run(next, lines, "")
    await request.exchange.start(200, headers)
    part: str = first
    while part:
        await request.exchange.write(part.encode("utf-8", "replace"), more=True)
        part = await request.run(next, lines, "")
        await asyncio.sleep(0)
    await request.exchange.write(b"", more=False)


def _count(request: PageRequest, query: Query, most: int) -> StudyCount:
    return request.search.overview.count(query, most=most)


def ticked_query(request: PageRequest, uids: Sequence[str]) -> Query:
    """Return the query of ticked studies, as far as the caller may see them."""
    return entity_query(Level.STUDY, request.asker, COLUMNS, StudyInstanceUID="\\".join(uids))
