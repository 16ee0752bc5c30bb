"""The page of a question: its rows as they come, its number, its facets, or why it has none."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from dicomquest.errors import IdentifierError
from dicomquest.query.identifier.key_arguments import KeyTextError
from dicomquest.standard.levels import Level
from dicomquest.web.page.bounded_search import BoundedSearch
from dicomquest.web.page.opened_study import OpenedStudy, open_study
from dicomquest.web.page.page_endpoint import PageEndpoint, PageRequest
from dicomquest.web.page.plain_reading import Reading, read_box
from dicomquest.web.page.question_fields import read_form
from dicomquest.web.page.rendering import HtmlStream, render
from dicomquest.web.page.shown_values import shown_date
from dicomquest.web.page.study_list import (
    FIRST_ROWS,
    MOST_COUNTED,
    NEXT_ROWS,
    Asker,
    Excluding,
    RowPage,
    Total,
    entity_query,
    facets_of,
    narrowed,
    newest_date,
    query_of,
    row_page,
    today,
    total_of,
    why_nothing,
)
from dicomquest.web.refusals import RefusalError

FIRST_WAIT = 0.1
"""Seconds that the head of a page waits for the rows: with their number it has the right title."""

FACET_SECONDS = 0.6
COUNT_SECONDS = 1.0


class Question:
    """The question of a request, read under the rights of the one who asks."""

    def __init__(self, request: PageRequest) -> None:
        self._request = request

    def look_up(self, keyword: str, text: str) -> int:
        """Return the number of studies with a value, up to a thousand."""
        if set(text) & set("*?\\"):
            return 0
        try:
            query = entity_query(
                Level.STUDY, self._request.asker, ("StudyInstanceUID",), **{keyword: text}
            )
            return self._request.search.count(query, 1000) or 0
        except (IdentifierError, KeyTextError):
            return 0

    def read(self, text: str) -> Reading:
        """Return a text as a question; blocking."""
        return read_box(text, today(), self.look_up)

    def read_form(self, form: dict[str, str]) -> Reading:
        """Return a form as a question; blocking."""
        return read_form(form, today(), self.look_up)


@dataclass(frozen=True, slots=True)
class _First:
    """The first part of an answer: its rows, and the number of all."""

    page: RowPage
    total: Total | None
    opened: OpenedStudy | None


class SearchPage(PageEndpoint):
    """The page at the root: blank, or the answer to a question."""

    async def answer(self, request: PageRequest) -> None:
        """Answer a request."""
        text = request.parameter("q")
        if text is None and request.parameter("all") is None:
            await _blank(request)
            return
        reading = await request.run(Question(request).read, text or "")
        if not reading.is_answerable:
            await _unclear(request, reading)
            return
        try:
            query_of(reading, request.asker, ("StudyInstanceUID",))
        except (IdentifierError, KeyTextError) as error:
            await request.answer(
                "Not clear",
                "failure.html",
                400,
                reading=reading,
                words="This question cannot be asked.",
                remedy=f"{error}",
                again="",
                reference="",
            )
            return
        await _Answer(request, reading).send()


class _Answer:
    """The answer to a clear question, sent part by part."""

    def __init__(self, request: PageRequest, reading: Reading) -> None:
        self._request, self._reading = request, reading
        offset = request.parameter("from") or "0"
        self._offset = int(offset) if offset.isascii() and offset.isdecimal() else 0
        self._opened_uid = request.parameter("open") or ""
        self._counts_all = request.parameter("count") == "all"

    def _first(self) -> _First:
        request, reading = self._request, self._reading
        most = NEXT_ROWS if self._offset else FIRST_ROWS
        page = row_page(request.search, reading, request.asker, self._offset, most)
        total = None
        if not self._offset and page.next_offset is None:
            total = Total(len(page.rows))
        opened = None
        if any(row.uid == self._opened_uid for row in page.rows):
            opened = open_study(request.search, request.asker, self._opened_uid)
        return _First(page, total, opened)

    async def send(self) -> None:
        request, reading = self._request, self._reading
        stream = HtmlStream(request.exchange)
        first = asyncio.ensure_future(request.run(self._first))
        total = asyncio.ensure_future(request.run(self._total))
        await asyncio.wait((first, total), timeout=FIRST_WAIT)
        found = first.result() if first.done() else None
        known = total.result() if total.done() else found.total if found else None
        if found is not None and not found.page.rows and not self._offset:
            await total
            await self._nothing()
            return
        frame = self._frame(known)
        await stream.begin()
        await stream.send(render("top.html", **frame) + self._question(frame))
        if found is None:
            found = await first
        if not found.page.rows and not self._offset:
            await total
            await stream.send(await self._nothing_part())
            await stream.send(render("bottom.html"), more=False)
            return
        frame |= {
            "page": found.page,
            "rows": found.page.rows,
            "offset": found.page.offset,
            "opened": found.opened,
            "opened_uid": self._opened_uid,
            "open_href": f"/?{reading.address}{self._from}&open=",
            "close_href": f"/?{reading.address}{self._from}",
            "row_count": known.number + 1 if known and not known.is_least else -1,
            "notice": "",
        }
        if known is not None and known.is_least:
            frame["notice"] = ""
        await stream.send(render("table_top.html", **frame) + render("rows.html", **frame))
        known = await total
        frame |= await self._narrowing(known)
        frame["late_total"] = known if frame["total"] is None else None
        await stream.send(render("table_bottom.html", **frame) + render("bottom.html"), more=False)

    @property
    def _from(self) -> str:
        return f"&from={self._offset}" if self._offset else ""

    def _total(self) -> Total | None:
        search = BoundedSearch(self._request.service.index)
        most = 10_000_000 if self._counts_all else MOST_COUNTED
        seconds = None if self._counts_all else COUNT_SECONDS
        return total_of(search, self._reading, self._request.asker, seconds, most)

    def _frame(self, total: Total | None) -> dict[str, Any]:
        reading = self._reading
        words = total.words if total else "Studies"
        return self._request.frame(
            words[:1].upper() + words[1:],
            reading,
            total=total,
            has_facets=True,
            has_narrow=True,
            next_rows=NEXT_ROWS,
            link=f"/?{reading.address}",
            chips=[
                {"words": key.chip, "address": reading.without(key).address} for key in reading.keys
            ],
        )

    def _question(self, frame: dict[str, Any]) -> str:
        return render("question.html", **frame) + render("learn.html", **frame)

    async def _narrowing(self, total: Total | None) -> dict[str, Any]:
        values: dict[str, Any] = {"facets": None, "facet_words": "", "shown_words": ""}
        values["shown_words"] = total.words if total else "the studies"
        if total is None or total.is_least:
            values["facet_words"] = "Not counted: too many match. Narrow by date or modality."
            return values
        search = BoundedSearch(self._request.service.index)
        asked = asyncio.ensure_future(
            self._request.run(facets_of, search, self._reading, self._request.asker)
        )
        done, _ = await asyncio.wait((asked,), timeout=FACET_SECONDS)
        if not done:
            search.interrupt()
            await asyncio.wait((asked,))
            asked.exception()
            values["facet_words"] = "Not counted in time."
            return values
        facets = asked.result()
        if facets is None:
            values["facet_words"] = "Not counted: too many match."
            return values
        values["facets"] = [
            {
                "name": facet.name,
                "title": facet.title,
                "choices": [
                    {
                        "label": each.label,
                        "number": f"{each.count:,}",
                        "is_chosen": each.is_chosen,
                        "address": narrowed(self._reading, each).address,
                    }
                    for each in facet.values
                ],
            }
            for facet in facets
        ]
        return values

    async def _nothing(self) -> None:
        total = Total(0)
        frame = self._frame(total) | {"has_facets": False, "has_narrow": False, "total": None}
        frame["title"] = "No studies · dicomquest"
        stream = HtmlStream(self._request.exchange)
        await stream.begin()
        body = render("top.html", **frame) + self._question(frame) + await self._nothing_part()
        await stream.send(body + render("bottom.html"), more=False)

    async def _nothing_part(self) -> str:
        request = self._request
        offers, newest = await request.run(self._reasons)
        return render(
            "nothing.html", offers=offers, verdict=_verdict(offers), newest=shown_date(newest)
        )

    def _reasons(self) -> tuple[list[Excluding], str]:
        request = self._request
        offers = why_nothing(request.search, self._reading, request.asker)
        return offers, newest_date(request.search, request.asker)


def _verdict(offers: list[Excluding]) -> str:
    """Return the sentence that names the key at fault."""
    culprits = [each.label.removeprefix("without ") for each in offers if each.total.number]
    if len(culprits) == 1:
        return f"One key excludes all: {culprits[0]}."
    if len(culprits) > 1:
        return "The keys exclude each other."
    return "" if not offers else "More than one key excludes all."


async def _blank(request: PageRequest) -> None:
    def counted() -> tuple[str, list[dict[str, str]]]:
        asker, search = request.asker, request.search
        question = Question(request)
        links = []
        for label, text in (
            ("Today", "today"), ("Yesterday", "yesterday"), ("Last 7 days", "7 days"),
        ):  # fmt: skip
            reading = question.read(text)
            total = total_of(search, reading, asker, 0.1, 9_999)
            number = "" if total is None else f"{total.number:,}{'+' if total.is_least else ''}"
            links.append({"label": label, "address": reading.address, "number": number})
        links += [
            {"label": each, "address": f"q={each}", "number": ""} for each in ("CT", "MR", "US")
        ]
        return _counts(search, asker, request), links

    counts, links = await request.run(counted)
    await request.answer("", "blank.html", is_blank=True, counts=counts, links=links)


def _counts(search: BoundedSearch, asker: Asker, request: PageRequest) -> str:
    """Return the size of the index in words, as the asker sees it."""
    newest = newest_date(search, asker)
    if asker.visible:
        total = total_of(search, Reading(""), asker, 0.2, MOST_COUNTED)
        words = total.words if total else "Many studies"
    else:
        counts = request.service.index.counts()
        studies, patients = counts[Level.STUDY], counts[Level.PATIENT]
        words = Total(studies).words + f" of {patients:,} patient{'' if patients == 1 else 's'}"
    words = words[:1].upper() + words[1:]
    return f"{words}. Newest study: {shown_date(newest)}." if newest else f"{words}."


async def _unclear(request: PageRequest, reading: Reading) -> None:
    choices = [
        {"label": each.label, "address": Reading(each.text).address} for each in reading.choices
    ]
    troubles = [
        {
            "before": reading.text[: each.start],
            "part": reading.text[each.start : each.end],
            "after": reading.text[each.end :],
            "sentence": each.sentence,
        }
        for each in reading.troubles
    ]
    await request.answer(
        "Not clear", "choices.html", reading=reading, choices=choices, troubles=troubles
    )


class AskPage(PageEndpoint):
    """The target of the form: answered by the address of the question."""

    async def answer(self, request: PageRequest) -> None:
        """Answer a request."""
        form = dict(await request.form())
        reading = await request.run(Question(request).read_form, form)
        await request.redirect(f"/?{reading.address}")


async def reading_of(request: PageRequest) -> Reading:
    """Return the question of an address; RefusalError 400 for one that has no single meaning."""
    reading = await request.run(Question(request).read, request.parameter("q") or "")
    if not reading.is_answerable:
        raise RefusalError(400, "this question has no single meaning: search for it first")
    return reading
