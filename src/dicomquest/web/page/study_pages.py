"""The pages of one study, and of one of its series (PS3.4 C.6.2)."""

from __future__ import annotations

import re

from dicomquest.web.page.keys_page import KEYS, UNDERSTOOD
from dicomquest.web.page.opened_study import OpenedStudy, open_study
from dicomquest.web.page.page_endpoint import PageEndpoint, PageRequest
from dicomquest.web.page.rendering import HEADERS, render
from dicomquest.web.page.told_requests import tell_shown
from dicomquest.web.refusals import RefusalError

UID = re.compile(r"[0-9.]{1,64}")
"""The form of a UID, which no wild card has."""


def uid_of(request: PageRequest, name: str) -> str:
    """Return a UID of the path; 404 for anything else, as for an unknown one."""
    uid = request.path.get(name, "")
    if not UID.fullmatch(uid):
        raise RefusalError(404, "there is no such study, series or instance")
    return uid


async def answer_unknown(request: PageRequest) -> None:
    """Say that an archive which did not answer may hold what was asked for."""
    await request.answer(
        "Not known",
        "failure.html",
        503,
        words=" ".join(request.search.shortfalls),
        remedy="It may hold this study. Wait a moment, then try again.",
        again=request.exchange.scope["path"],
        reference="",
        searches=False,
    )


class StudyPage(PageEndpoint):
    """A study of its own, or with the instances of one series; ``part=study`` for its inside."""

    async def answer(self, request: PageRequest) -> None:
        """Answer a request."""
        study = uid_of(request, "study")
        series = uid_of(request, "series") if "series" in request.path else ""
        offset = request.parameter("from") or "0"
        number = int(offset) if offset.isascii() and offset.isdecimal() else 0
        opened = await request.run(
            open_study, request.search, request.asker, study, series, min(number, 1 << 40)
        )
        if opened is None:
            if request.search.shortfalls:
                await answer_unknown(request)
                return
            raise RefusalError(404, "there is no such study, series or instance")
        tell_shown(request.service, request.visit, "series" if series else "study", opened.study)
        if request.parameter("part") == "study":
            body = render("opened.html", **request.frame("", opened=opened))
            await request.exchange.answer(200, body.encode("utf-8", "replace"), HEADERS)
            return
        row = opened.row
        facts = [
            each for each in (row.patient_id, _born(opened), row.sex, row.date, row.time) if each
        ]
        facts += [row.accession] if row.accession else []
        modalities = " ".join(row.modalities or row.reports)
        title = f"{modalities} {row.date}".strip() or "Study"
        await request.answer(title, "study_page.html", opened=opened, facts=facts)


def _born(opened: OpenedStudy) -> str:
    return f"born {opened.row.born}" if opened.row.born else ""


class KeysPage(PageEndpoint):
    """The list of keys, and examples of questions."""

    async def answer(self, request: PageRequest) -> None:
        """Answer a request."""
        await request.answer("Keys", "keys.html", keys=KEYS, examples=UNDERSTOOD)
