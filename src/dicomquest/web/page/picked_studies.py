"""The actions on ticked studies: a viewer, Weasis, a zip file, a table (PS3.18 has none of it)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dicomquest.services.access import ServiceKind
from dicomquest.services.retrieve_source import StudyOfPatient
from dicomquest.standard.levels import Level
from dicomquest.web.page.csv_table import send_csv, ticked_query
from dicomquest.web.page.downloads import send_zip
from dicomquest.web.page.page_endpoint import PageEndpoint, PageRequest
from dicomquest.web.page.study_list import entity_query
from dicomquest.web.page.study_pages import UID
from dicomquest.web.page.study_rows import STUDY_KEYS, StudyRow
from dicomquest.web.page.told_requests import tell_shown
from dicomquest.web.page.viewer_tokens import Grant, ViewerTokens
from dicomquest.web.page.weasis import MOST_STUDIES, named_studies, origin_of, weasis_link
from dicomquest.web.refusals import RefusalError
from dicomquest.web.search_parameters import MODEL

if TYPE_CHECKING:
    from dicomquest.web.web_service import WebService

MOST_PICKED = 1_000


@dataclass(frozen=True, slots=True)
class Person:
    """One of those whose studies are ticked: an ID alone does not tell people apart."""

    row: StudyRow
    studies: tuple[str, ...]


def people_of(request: PageRequest, studies: Sequence[str]) -> list[Person]:
    """Return the patients of some studies by ID, name and birth date; blocking."""
    asked = entity_query(
        Level.STUDY, request.asker, STUDY_KEYS, StudyInstanceUID="\\".join(studies)
    )
    matches = request.search.matches(asked, len(studies))
    found: dict[tuple[str, str, str], list[StudyRow]] = {}
    all_rows = [request.asker.row(match) for match in matches]
    for row in sorted(all_rows, key=lambda each: studies.index(each.uid)):
        found.setdefault((row.raw_id, row.name.raw.casefold(), row.born), []).append(row)
    return [Person(rows[0], tuple(row.uid for row in rows)) for rows in found.values()]


async def _ask_first(request: PageRequest, people: list[Person], picked: list[str]) -> None:
    """Ask whether the studies of several patients are to stand side by side."""
    for each in people:
        study = StudyOfPatient(each.studies[0], each.row.raw_id, each.row.name.raw)
        tell_shown(request.service, request.visit, "question before a viewer", study)
    title = f"{len(people)} patients"
    await request.answer(title, "together.html", people=people, picked=picked)


class PickedStudies(PageEndpoint):
    """The target of the form below the table."""

    def __init__(self, service: WebService, tokens: ViewerTokens) -> None:
        super().__init__(service)
        self._tokens = tokens

    async def answer(self, request: PageRequest) -> None:
        """Answer a request."""
        form = await request.form()
        action = dict(form).get("do", "")
        picked = list(dict.fromkeys(text for name, text in form if name == "uid"))
        if not picked or not all(map(UID.fullmatch, picked)) or len(picked) > MOST_PICKED:
            raise RefusalError(400, f"tick some studies, at most {MOST_PICKED:,}")
        if action == "csv":
            keys = [("StudyInstanceUID", "\\".join(picked))]
            await send_csv(request, ticked_query(request, picked), keys)
            return
        request.visit.check(ServiceKind.RETRIEVE, MODEL)
        if action == "zip":
            await send_zip(request, picked)
            return
        if len(picked) > MOST_STUDIES:
            raise RefusalError(400, f"a viewer opens at most {MOST_STUDIES} studies: tick fewer")
        if action == "ohif":
            people = await request.run(people_of, request, picked)
            if len(people) > 1 and dict(form).get("together") != "yes":
                await _ask_first(request, people, picked)
                return
            await request.redirect(f"/ohif/viewer?StudyInstanceUIDs={','.join(picked)}")
        elif action == "weasis":
            association = request.visit.association
            for study in await request.run(named_studies, request.search, request.asker, picked):
                tell_shown(request.service, request.visit, "link to Weasis", study)
            title, user = association.requestor.ae_title, association.user_identity
            grant = Grant(title, tuple(picked), user, request.visit.stamp)
            token = self._tokens.make(grant)
            origin = origin_of(request.service, request.exchange)
            await request.redirect(weasis_link(f"{origin}/weasis/{token}"))
        else:
            raise RefusalError(400, "there is no such action on studies")
