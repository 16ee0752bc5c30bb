"""The page at the root: blank, unclear, or the answer to a question (PS3.4 C.4.1.3)."""

from __future__ import annotations

from dicomquest.errors import IdentifierError
from dicomquest.query.identifier.key_arguments import KeyTextError
from dicomquest.standard.levels import Level
from dicomquest.web.box import Reading, read_box
from dicomquest.web.page.page_endpoint import PageEndpoint, PageRequest
from dicomquest.web.page.question_reader import asked, asked_by_form
from dicomquest.web.page.shown_values import shown_date
from dicomquest.web.page.study_answer import StudyAnswer
from dicomquest.web.page.study_list import (
    MOST_COUNTED,
    Total,
    newest_date,
    query_of,
    total_of,
)
from dicomquest.web.page.study_rows import STUDY_KEYS
from dicomquest.web.page.told_requests import told_search

QUICK = (("Today", "today"), ("Yesterday", "yesterday"), ("Last 7 days", "7 days"))
"""Questions that are one click away on the blank page, with their numbers."""

_MODALITIES = ("CT", "MR", "US")


class SearchPage(PageEndpoint):
    """The page at the root."""

    async def answer(self, request: PageRequest) -> None:
        """Answer a request."""
        reading = await asked(request)
        if reading is None:
            await _blank(request)
            return
        if not request.links.is_own(request.parameters):
            await request.redirect(f"/?{request.links.address(reading)}")
            return
        if not reading.is_answerable:
            await _unclear(request, reading)
            return
        try:
            query = query_of(reading, request.asker, STUDY_KEYS)
        except (IdentifierError, KeyTextError) as error:
            frame = {"words": "This question cannot be asked.", "again": "", "reference": ""}
            await request.answer(
                "Not clear", "failure.html", 400, reading=reading, remedy=f"{error}", **frame
            )
            return
        keys = [(key.keyword, key.value) for key in reading.keys]
        async with told_search(request, query, keys, STUDY_KEYS) as search:
            answer = StudyAnswer(request, reading, search)
            await (answer.send_rows() if answer.is_part else answer.send())


class AskPage(PageEndpoint):
    """The target of the form: answered by the address of the question."""

    async def answer(self, request: PageRequest) -> None:
        """Answer a request."""
        reading = await asked_by_form(request, dict(await request.form()))
        await request.redirect(f"/?{request.links.address(reading)}")


async def _blank(request: PageRequest) -> None:
    counts, newest, links = await request.run(_counted, request)
    tries = [
        (text, request.address_of_text(text))
        for text in ("citizen MR last month", "acc:A77-1203", "CT 2024-03-05")
    ]
    await request.answer(
        "", "blank.html", is_blank=True, counts=counts, newest=newest, links=links, tries=tries
    )


def _counted(request: PageRequest) -> tuple[str, str, list[dict[str, str]]]:
    """Return the index's size in words, its newest date, and quick questions with their numbers."""
    asker, search, now = request.asker, request.search, request.now
    if search.is_federated:
        # The number of all studies would be a question for all of them to each archive.
        asked = [*(text for _, text in QUICK), *_MODALITIES]
        labels = [*(label for label, _ in QUICK), *_MODALITIES]
        links = [
            {"label": label, "address": request.address_of_text(text), "number": ""}
            for label, text in zip(labels, asked, strict=True)
        ]
        names = search.archives
        return f"Searches {len(names)} archives at once: {', '.join(names)}.", "", links
    links = []
    for label, text in QUICK:
        total = total_of(search, read_box(text, now), asker, 0.1, 9_999)
        number = "" if total is None else f"{total.number:,}{'+' if total.is_least else ''}"
        links.append({"label": label, "address": request.address_of_text(text), "number": number})
    links += [
        {"label": each, "address": request.address_of_text(each), "number": ""}
        for each in _MODALITIES
    ]
    newest = newest_date(search, asker)
    if asker.visible:
        found = total_of(search, Reading("", now), asker, 0.2, MOST_COUNTED)
        words = "Many studies" if found is None else found.words
        patients = "" if found is None else found.patients_words
    else:
        counts = request.service.index.counts()
        total = Total(counts[Level.STUDY])
        words = total.words
        size = counts[Level.PATIENT]
        patients = f"{size:,} patient{'' if size == 1 else 's'}"
    words = words[:1].upper() + words[1:] + (f" of {patients}" if patients else "")
    return f"{words}.", shown_date(newest) if newest else "", links


async def _unclear(request: PageRequest, reading: Reading) -> None:
    choices = [
        {"label": each.label, "address": request.address_of_text(each.text)}
        for each in reading.choices
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
