"""The reading of a question while somebody types it: words, keys, a number (PS3.4 C.4.1.3).

It sends no rows and no value that was not typed, under the same visibility as a search. The audit
trail has no line for it: nobody's data is shown, and half-typed names would bury the searches.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from dicomquest.errors import IdentifierError, IndexDatabaseError
from dicomquest.query.identifier.key_arguments import KeyTextError
from dicomquest.services.observer import LimitHit
from dicomquest.web.cookies import token_of
from dicomquest.web.page.page_endpoint import PageEndpoint, PageRequest
from dicomquest.web.page.question_fields import read_form
from dicomquest.web.page.question_reader import LookUps
from dicomquest.web.page.read_gate import ReadGate
from dicomquest.web.page.rendering import HEADERS, PRIVATE, render
from dicomquest.web.page.study_list import Total, total_of
from dicomquest.web.refusals import RefusalError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dicomquest.web.box import Reading
    from dicomquest.web.web_service import WebService

MOST_FOUND = 1_000
"""Studies that are counted for one who types."""

LOOK_UP_SECONDS = 0.2
"""Seconds of all look-ups of a reading: some milliseconds, but for the first of a server."""

NUMBER_SECONDS = 0.05
"""Seconds of a reading's number."""


class ReadEndpoint(PageEndpoint):
    """Answers what the text of the form would ask."""

    has_rate = False

    def __init__(self, service: WebService) -> None:
        super().__init__(service)
        self._gate = ReadGate()

    async def answer(self, request: PageRequest) -> None:
        """Answer a request; 204 for one that a newer one has overtaken."""
        form = dict(await request.form())
        session = _session(request)
        self._check_rate(request, session)
        watching = asyncio.ensure_future(request.exchange.watch(request.search.interrupt))
        text = ""
        try:
            async with self._gate.turn(session, request.search.interrupt) as is_last:
                if is_last:
                    text = await request.run(_read, request, form)
        except IndexDatabaseError:
            if not request.search.is_interrupted:
                raise
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
        if text:
            await request.exchange.answer(200, text.encode("utf-8", "replace"), HEADERS)
        else:
            await request.exchange.answer(204, b"", PRIVATE)

    def _check_rate(self, request: PageRequest, session: str) -> None:
        per_second = request.service.settings.page.reads_per_second
        limit = self._gate.limit(session, per_second, monotonic())
        if limit is None:
            return
        if request.service.observer is not None:
            requestor = request.visit.association.requestor
            hit = LimitHit(limit, requestor.address, requestor.ae_title)
            request.service.observer.tell(hit)
        raise RefusalError(429, "too many readings a second", {"Retry-After": "1"})


def _session(request: PageRequest) -> str:
    """Return the session of a request: its sign-in, else its user and address."""
    association = request.visit.association
    token = token_of(request.exchange.header(b"cookie"))
    return token or f"{association.user_identity or ''} {association.requestor.address}"


def _read(request: PageRequest, form: Mapping[str, str]) -> str:
    """Return the words for the text of a form; "" if the look-ups take too long; blocking."""
    look_ups = LookUps(request, LOOK_UP_SECONDS)
    reading = read_form(form, request.now, look_ups)
    if look_ups.is_late:
        # A code that was not found in time may be one.
        return ""
    number = form.get("number", "")
    return render(
        "read.html",
        number=number if number.isascii() and number.isdecimal() else "",
        sentences=_sentences(request, reading),
        chips=[key.chip for key in reading.keys] if reading.is_answerable else [],
    )


def _sentences(request: PageRequest, reading: Reading) -> list[str]:
    if not reading.is_answerable:
        return [*filter(None, [reading.question]), *(each.sentence for each in reading.troubles)]
    try:
        total = total_of(request.search, reading, request.asker, NUMBER_SECONDS, MOST_FOUND)
    except (IdentifierError, KeyTextError) as error:
        return [f"{error}"]
    return [reading.sentence, *filter(None, [_about(total)])]


def _about(total: Total | None) -> str:
    if total is None:
        return ""
    return f"About to find {total.words if total.number else 'nothing'}."
