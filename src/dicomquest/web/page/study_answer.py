"""The answer to a question: rows as they come, number, facets; or the reason for none."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from dicomquest.index.search.stop import Stop
from dicomquest.query.facets import USUAL_FACETS, FacetKind
from dicomquest.query.study_listing import SortBy, StudyOrder
from dicomquest.web.box import find_line, qido_line, read_box
from dicomquest.web.page.hits import Hits
from dicomquest.web.page.list_place import ListPlace, read_place
from dicomquest.web.page.opened_study import OpenedStudy, open_study
from dicomquest.web.page.rendering import HtmlStream, render
from dicomquest.web.page.row_markup import RowMarkup
from dicomquest.web.page.shown_values import shown_date
from dicomquest.web.page.study_list import (
    FIRST_ROWS,
    MOST_COUNTED,
    NEXT_ROWS,
    FacetPart,
    Offer,
    RowPage,
    Total,
    facets_of,
    narrowed,
    newest_date,
    row_page,
    total_of,
    why_nothing,
)
from dicomquest.web.page.told_requests import tell_shown

if TYPE_CHECKING:
    from dicomquest.services.request import ServiceRequest
    from dicomquest.web.box import PrintedLine, Reading
    from dicomquest.web.page.page_endpoint import PageRequest

FIRST_WAIT = 0.005
"""Seconds that the head of a page waits for the rows, and for their number, which its title has."""

FACET_SECONDS = 0.15
WHY_ARCHIVES = 3.0
"""Seconds in which several archives are asked why nothing was found."""

COUNT_SECONDS = 1.0
ARRIVED_SECONDS = 0.05
MOST_OF_ALL = 10_000_000
"""Studies that are counted for one who asks for it."""

_ORDERS = {
    StudyOrder(SortBy.DATE): "newest first",
    StudyOrder(SortBy.DATE, is_descending=False): "oldest first",
    StudyOrder(SortBy.NAME): "by name, from Z to A",
    StudyOrder(SortBy.NAME, is_descending=False): "by name",
    StudyOrder(SortBy.RECEIVED): "last received first",
    StudyOrder(SortBy.RECEIVED, is_descending=False): "first received first",
}
_FIRST_WAY = {SortBy.DATE: True, SortBy.NAME: False, SortBy.RECEIVED: True}
_DATES = ("today", "7 days", "last month", "this year")


@dataclass(frozen=True, slots=True)
class _First:
    """The first part of an answer: its rows, and the study that is opened below its row.

    ``cut_at`` is the account's limit if it cuts the list here, else 0.
    """

    page: RowPage
    place: ListPlace
    opened: OpenedStudy | None
    arrived: int = 0
    cut_at: int = 0


class StudyAnswer:
    """The answer to a clear question, sent part by part."""

    def __init__(self, request: PageRequest, reading: Reading, told: ServiceRequest) -> None:
        """Answer a reading; ``told`` is the search that log and audit trail know."""
        self._request, self._reading, self._told = request, reading, told
        parameters = dict(request.parameters)
        self._sealer = request.service.settings.page.sealer
        self._is_federated = request.search.is_federated
        self._place = read_place(parameters, self._sealer)
        if self._is_federated and self._place.order.by is SortBy.RECEIVED:
            # No archive tells.
            self._place = ListPlace()
        self._opened_uid = parameters.get("open", "")
        self._counts_all = parameters.get("count") == "all" and not self._is_federated
        self._all_facets = parameters.get("facets") == "all" and not self._is_federated
        self._limit = request.visit.profile.choices.result_limit
        if self._limit is not None and self._place.is_backward:
            # Nobody counts rows from the end.
            self._place = ListPlace(self._place.order)
        self.is_part = parameters.get("part") == "rows"
        self._is_narrow = self.is_part and "wide" not in parameters
        self._address = f"/?{request.links.address(reading)}"

    async def send(self) -> None:
        """Send the page; its head goes out before the database is done, if that takes long."""
        request = self._request
        first = asyncio.ensure_future(request.run(self._first))
        first.add_done_callback(_take_failure)
        await asyncio.wait((first,), timeout=FIRST_WAIT)
        total: asyncio.Future[Total | None] | None = None
        if first.done():
            if not first.result().page.rows and self._place.is_start:
                await self._send_nothing()
                return
            total = self._begin_total()
            await asyncio.wait((total,), timeout=FIRST_WAIT)
        known = total.result() if total is not None and total.done() else None
        frame = self._frame(known)
        stream = request.stream = HtmlStream(request.exchange)
        await stream.begin()
        await stream.send(render("top.html", **frame) + self._question(frame))
        found = await first
        if not found.page.rows and self._place.is_start:
            words = await self._nothing(is_late=True)
            await stream.send(words + render("bottom.html"), more=False)
            return
        self._told.matches = len(found.page.rows)
        if found.opened is not None:
            tell_shown(request.service, request.visit, "study", found.opened.study)
        frame |= self._of_rows(found, known)
        await stream.send(render("table_top.html", **frame) + render("rows.html", **frame))
        # Rows come first: counting beside them would take the interpreter from their search.
        late = await (total or self._begin_total())
        frame |= await self._narrowing(late)
        frame["late_total"] = late if known is None else None
        await stream.send(render("table_bottom.html", **frame) + render("bottom.html"), more=False)

    def _begin_total(self) -> asyncio.Future[Total | None]:
        total = asyncio.ensure_future(self._request.run(self._total))
        total.add_done_callback(_take_failure)
        return total

    async def send_rows(self) -> None:
        """Send rows alone, for a script that puts them below those it has."""
        request = self._request
        found = await request.run(self._first)
        self._told.matches = len(found.page.rows)
        short = " ".join(request.search.shortfalls)
        values: dict[str, Any] = {
            "opened": None, "opened_uid": "", "cut_words": _cut(found.cut_at) or short,
        }  # fmt: skip
        values |= {"notice": _arrived(found.arrived), "first_href": self._first_href(found.place)}
        around = self._around(found)
        hits, offset = Hits(self._reading), around["offset"]
        values["markup"] = RowMarkup(hits, offset, "/studies/", is_narrow=self._is_narrow)
        stream = HtmlStream(request.exchange)
        await stream.begin()
        await stream.send(render("part.html", **values, **around), more=False)

    def _first(self) -> _First:
        search, asker, place = self._request.search, self._request.asker, self._place
        arrived = 0
        if place.is_start:
            place = replace(place, as_of=search.overview.mark(asker.visible))
        elif place.as_of is not None:
            arrived = self._arrived(place.as_of)
        limit = FIRST_ROWS if place.is_start else NEXT_ROWS
        most = limit if self._limit is None else min(limit, self._limit - (place.before or 0))
        if most < 1:
            return _First(RowPage([], None), place, None, arrived, self._limit or 0)
        listing, has_origins = place.listing(most), not self._is_narrow
        page = row_page(search, self._reading, asker, listing, has_origins=has_origins)
        cut_at = 0
        if page.after is not None and self._limit == (place.before or 0) + len(page.rows):
            page, cut_at = replace(page, after=None), self._limit
        opened = None
        if any(row.uid == self._opened_uid for row in page.rows):
            opened = open_study(search, asker, self._opened_uid)
        return _First(page, place, opened, arrived, cut_at)

    def _arrived(self, as_of: int) -> int:
        """Return the number of studies that match and came behind a mark."""
        search, asker = self._request.search, self._request.asker
        # Most chunks of a list end here.
        if search.overview.mark(asker.visible) <= as_of:
            return 0
        query = replace(self._reading.query(), visible=asker.visible)
        stop = Stop(ARRIVED_SECONDS)
        return search.overview.count(query, most=999, since=as_of, stop=stop).studies

    def _total(self) -> Total | None:
        request = self._request
        most = MOST_OF_ALL if self._counts_all else MOST_COUNTED
        seconds = None if self._counts_all else COUNT_SECONDS
        search = request.search.beside()
        return total_of(search, self._reading, request.asker, seconds, most)

    def _frame(self, total: Total | None) -> dict[str, Any]:
        reading, request = self._reading, self._request
        words = total.words if total else "Studies"
        return request.frame(
            words[:1].upper() + words[1:],
            reading,
            total=total,
            is_counting=total is None,
            has_facets=True,
            has_narrow=True,
            next_rows=NEXT_ROWS,
            link=f"/?{request.links.address(reading, written_out=True)}",
            chips=[
                {"words": key.chip, "address": request.links.address(reading.without(key))}
                for key in reading.keys
            ],
            lines=self._lines(),
        )

    def _lines(self) -> list[tuple[str, PrintedLine]]:
        service, reading = self._request.service, self._reading
        target = service.find_target(self._request.exchange)
        lines = [("As find line", find_line(reading, target))] if target else []
        return [*lines, ("As QIDO URL", qido_line(reading, service.settings.root))]

    def _of_rows(self, found: _First, total: Total | None) -> dict[str, Any]:
        """Return the values of the templates of rows."""
        place = found.place
        here = f"{self._address}{self._place.parameters(self._sealer)}"
        is_known = total is not None and not total.is_least
        around = self._around(found)
        hits, opens = Hits(self._reading), f"{here}&open="
        return {
            **around,
            "markup": RowMarkup(hits, around["offset"], opens, here, self._opened_uid),
            "opened": found.opened,
            "opened_uid": self._opened_uid,
            "first_href": self._first_href(place),
            "row_count": total.number + 1 if is_known and total is not None else -1,
            "notice": _arrived(found.arrived),
            "cut_words": _cut(found.cut_at),
            "shortfalls": self._shortfalls(),
            "order_words": _ORDERS[place.order],
            "sorts": {by.value: self._sort(by, place.order) for by in SortBy},
        }

    def _shortfalls(self) -> list[str]:
        search = self._request.search
        return [*search.shortfalls, *filter(None, [search.cut_words])]

    def _around(self, found: _First) -> dict[str, Any]:
        """Return rows, the number of rows before them, and the addresses around them."""
        place, page = found.place, found.page
        offset = place.before
        if offset is not None and place.is_backward:
            offset = max(0, offset - len(page.rows))
        behind = None if offset is None else offset + len(page.rows)
        end = replace(place, position=None, before=None, is_backward=True)
        hrefs = {"next_href": "", "previous_href": "", "last_href": ""}
        if page.after is not None:
            after = replace(place, position=page.after, before=behind, is_backward=False)
            hrefs["next_href"] = self._here(after)
            hrefs["last_href"] = "" if self._limit else self._here(end)
        if page.before is not None and not self._limit:
            before = replace(place, position=page.before, before=offset, is_backward=True)
            hrefs["previous_href"] = self._here(before)
        return {"rows": page.rows, "offset": offset, **hrefs}

    def _first_href(self, place: ListPlace) -> str:
        return f"{self._address}{ListPlace(place.order).parameters()}"

    def _here(self, place: ListPlace) -> str:
        return f"{self._address}{place.parameters(self._sealer)}"

    def _sort(self, by: SortBy, order: StudyOrder) -> dict[str, Any]:
        """Return the link of a column's head, which turns the order round if it is that one."""
        is_own = order.by is by
        descending = not order.is_descending if is_own else _FIRST_WAY[by]
        place = ListPlace(StudyOrder(by, is_descending=descending))
        aria, mark = Markup(), Markup()
        if is_own:
            word = "descending" if order.is_descending else "ascending"
            sign = "▼" if order.is_descending else "▲"
            aria = Markup(' aria-sort="{}"').format(word)
            mark = Markup(' <span aria-hidden="true">{}</span>').format(sign)
        return {"href": f"{self._address}{place.parameters()}", "aria": aria, "mark": mark}

    def _question(self, frame: dict[str, Any]) -> str:
        return render("question.html", **frame) + render("learn.html", **frame)

    async def _narrowing(self, total: Total | None) -> dict[str, Any]:
        """Return the facets, or the reason why they are not counted."""
        request = self._request
        values: dict[str, Any] = {
            "facets": [], "facet_words": "", "more_href": "", "count_href": "", "dates": [],
            "shown_words": total.words if total else "the studies",
        }  # fmt: skip
        if total is None or total.number > MOST_COUNTED or total.is_least:
            values["facet_words"] = "Facets are not counted: too many match."
            if not (self._counts_all or self._is_federated):
                values["count_href"] = f"{self._address}&count=all"
            dates = [self._reading.with_(read_box(each, request.now)) for each in _DATES]
            values["dates"] = [
                {"label": label[:1].upper() + label[1:], "address": request.links.address(each)}
                for label, each in zip(_DATES, dates, strict=True)
                if each.is_answerable
            ]
            return values
        kinds = [*USUAL_FACETS]
        if self._all_facets:
            kinds += [FacetKind.STATION, FacetKind.INSTITUTION]
        elif not self._is_federated:
            values["more_href"] = f"{self._address}&facets=all#narrow"
        parts = await request.run(
            facets_of,
            request.search.beside(),
            self._reading,
            request.asker,
            kinds,
            1.0 if self._all_facets or self._is_federated else FACET_SECONDS,
        )
        values["facets"] = [self._shown(each) for each in parts or ()]
        if not parts:
            none = "These studies have nothing to narrow by."
            values["facet_words"] = "Not counted in time." if parts is None else none
        return values

    def _shown(self, part: FacetPart) -> dict[str, Any]:
        address = self._request.links.address
        return {
            "name": part.name,
            "title": part.title,
            "left_out": part.left_out,
            "choices": [
                {
                    "label": each.label,
                    "number": f"{each.count:,}",
                    "is_chosen": each.is_chosen,
                    "address": address(narrowed(self._reading, each)),
                }
                for each in part.choices
            ],
        }

    async def _send_nothing(self) -> None:
        frame = self._frame(Total(0)) | {"has_facets": False, "has_narrow": False, "total": None}
        frame["is_counting"] = False
        frame["title"] = "No studies · dicomquest"
        stream = HtmlStream(self._request.exchange)
        await stream.begin()
        body = render("top.html", **frame) + self._question(frame) + await self._nothing()
        await stream.send(body + render("bottom.html"), more=False)

    async def _nothing(self, *, is_late: bool = False) -> str:
        request = self._request
        offers, newest = await request.run(self._reasons)
        shortfalls = request.search.shortfalls
        shown = [
            {
                "label": each.label,
                "address": request.links.address(each.reading),
                "number": each.total.number if each.total else 0,
                "words": _number_of(each.total),
            }
            for each in offers
        ]
        return render(
            "nothing.html",
            offers=shown,
            verdict=verdict(offers),
            newest=shown_date(newest),
            is_late=is_late,
            shortfalls=shortfalls,
            is_silent=request.search.is_silent,
            place="archives that answered" if shortfalls else "archives",
            is_federated=self._is_federated,
        )

    def _reasons(self) -> tuple[list[Offer], str]:
        search, asker = self._request.search, self._request.asker
        if not self._is_federated:
            return why_nothing(search, self._reading, asker), newest_date(search, asker)
        offers = [] if search.is_silent else why_nothing(search, self._reading, asker, WHY_ARCHIVES)
        return offers, ""


def _take_failure(task: asyncio.Future[Any]) -> None:
    if not task.cancelled():
        task.exception()


def verdict(offers: list[Offer]) -> str:
    """Return the sentence that names the key which excludes all."""
    keys = [each for each in offers if each.key is not None and each.total is not None]
    culprits = [each.key.chip for each in keys if each.key and each.total and each.total.number]
    if len(culprits) == 1:
        return f"One key excludes all: {culprits[0]}."
    if len(culprits) > 1:
        return "The keys exclude each other."
    return "More than one key excludes all." if len(keys) > 1 else ""


def _number_of(total: Total | None) -> str:
    if total is None:
        return "not tried"
    return total.words if total.number else "0"


def _cut(limit: int) -> str:
    return f"The first {limit:,}, your account's limit. More match." if limit else ""


def _arrived(number: int) -> str:
    if not number:
        return ""
    return "1 new study arrived." if number == 1 else f"{number:,} new studies arrived."
