"""Weasis, a viewer outside the browser: its link, and the manifest that the link names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, tostring

from dicomquest.dataset.elements import DataSet
from dicomquest.errors import AssociationAbortedError, IndexDatabaseError
from dicomquest.services.access import Identity, ServiceKind
from dicomquest.services.retrieve_source import StudyOfPatient
from dicomquest.services.user_verification import Verified
from dicomquest.standard.levels import Level
from dicomquest.web.callers import Caller
from dicomquest.web.exchange import Exchange, Receive, Scope, Send
from dicomquest.web.page.bounded_search import BoundedSearch
from dicomquest.web.page.chosen_instances import ChosenInstance, chosen_instances
from dicomquest.web.page.downloads import first_with_paths, send_file
from dicomquest.web.page.page_endpoint import search_of
from dicomquest.web.page.rendering import PRIVATE
from dicomquest.web.page.shown_values import inert
from dicomquest.web.page.study_list import Asker, entity_query
from dicomquest.web.page.study_pages import UID
from dicomquest.web.page.study_rows import value
from dicomquest.web.page.told_requests import WeasisDownload, tell_shown
from dicomquest.web.page.viewer_tokens import ViewerTokens
from dicomquest.web.refusals import RefusalError, UnknownError

if TYPE_CHECKING:
    from dicomquest.web.page.viewer_tokens import Grant
    from dicomquest.web.web_service import Visit, WebService

MOST_STUDIES = 20

_PATIENT = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex")
_STUDY = ("StudyInstanceUID", "StudyDescription", "StudyDate", "StudyTime", "AccessionNumber")
_SERIES = ("SeriesInstanceUID", "SeriesDescription", "SeriesNumber", "Modality")
_DEAD = "this link is dead: it was good for five minutes. Open the study in Weasis again."
_MOST = 100_000


def origin_of(service: WebService, exchange: Exchange) -> str:
    """Return the address of the server as its clients see it, without the root of the services."""
    return service.base(exchange).removesuffix(service.settings.root)


def weasis_link(manifest: str) -> str:
    """Return the link that starts Weasis with a manifest."""
    command = f'$dicom:get -w "{manifest}"'
    return f"weasis://{quote(command, safe='')}"


class WeasisEndpoint:
    """Answers Weasis, which has a token instead of a session: the manifest, and each file."""

    def __init__(self, service: WebService, tokens: ViewerTokens) -> None:
        self._service = service
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = Exchange(scope, receive, send, self._service.settings.write_timeout)
        try:
            await self._answer(exchange)
        except RefusalError as refusal:
            await exchange.refuse(refusal)
        except IndexDatabaseError:
            await exchange.refuse(RefusalError(503, "the database does not answer: try again"))
        except AssociationAbortedError:
            return

    async def _answer(self, exchange: Exchange) -> None:
        service, path = self._service, exchange.scope["path_params"]
        grant = self._tokens.read(path["token"])
        rule = service.settings.admission.rules.rule_of(grant.title) if grant is not None else None
        if grant is None or rule is None or ServiceKind.RETRIEVE not in rule.profile.services:
            raise RefusalError(403, _DEAD)
        verified = Verified(grant.user, grant.stamp) if grant.user is not None else None
        if verified is not None and not await service.holds(verified):
            raise RefusalError(403, _DEAD)
        identity = Identity(grant.title, exchange.address[0], grant.user)
        visit = service.visit(exchange, Caller(identity, rule.profile))
        search = search_of(service, visit)
        try:
            await self._send(exchange, visit, search, grant)
        except AssociationAbortedError:
            search.interrupt()
            raise
        finally:
            await search.end()

    async def _send(
        self, exchange: Exchange, visit: Visit, search: BoundedSearch, grant: Grant
    ) -> None:
        service, path = self._service, exchange.scope["path_params"]
        run = search.run or service.run
        asker = Asker(visit.profile.visible, visit.profile.choices.options)
        if "instance" not in path:
            address = f"{origin_of(service, exchange)}/weasis/{path['token']}/"
            body = await run(manifest, search, asker, grant.studies, address)
            if search.shortfalls:
                # A viewer would show a part of a study as all of it.
                raise UnknownError(search.shortfalls)
            for study in await run(named_studies, search, asker, grant.studies):
                tell_shown(service, visit, "manifest of Weasis", study)
            await exchange.answer(200, body, {"Content-Type": "application/xml", **PRIVATE})
            return
        if path["study"] not in grant.studies:
            raise RefusalError(403, _DEAD)
        found = await run(_file, search, asker, path["study"], path["instance"])
        if found is None and search.shortfalls:
            raise UnknownError(search.shortfalls)
        if found is None:
            raise RefusalError(404, "there is no such instance")
        await send_file(service, exchange, visit, found, WeasisDownload)


def _file(
    search: BoundedSearch, asker: Asker, study: str, uid: str
) -> tuple[ChosenInstance, tuple[str, ...]] | None:
    if not (UID.fullmatch(study) and UID.fullmatch(uid)):
        return None
    found = chosen_instances(search, asker, [study], SOPInstanceUID=uid)
    return first_with_paths(search, found) if found else None


def named_studies(
    search: BoundedSearch, asker: Asker, studies: Sequence[str]
) -> list[StudyOfPatient]:
    """Return those of some studies that the asker may see, with their patients; blocking."""
    keys = ("StudyInstanceUID", "PatientID", "PatientName")
    query = entity_query(Level.STUDY, asker, keys, StudyInstanceUID="\\".join(studies))
    found = search.matches(query, len(studies))
    return [StudyOfPatient(*(value(match, each) for each in keys)) for match in found]


def manifest(search: BoundedSearch, asker: Asker, studies: Sequence[str], address: str) -> bytes:
    """Return the manifest of studies as far as the asker may see them; blocking."""
    root = Element("manifest", {"xmlns": "http://www.weasis.org/xsd/2.5"})
    query = SubElement(
        root,
        "arcQuery",
        {"arcId": "dicomquest", "baseUrl": address, "requireOnlySOPInstanceUID": "false"},
    )
    for study in studies:
        asked = entity_query(Level.STUDY, asker, _PATIENT + _STUDY, StudyInstanceUID=study)
        for match in search.matches(asked, 1):
            patient = SubElement(query, "Patient", _attributes(match, _PATIENT))
            branch = SubElement(patient, "Study", _attributes(match, _STUDY))
            _add_series(search, asker, branch, study)
    body: bytes = tostring(root, "utf-8", xml_declaration=True)
    return body


def _add_series(search: BoundedSearch, asker: Asker, branch: Element, study: str) -> None:
    asked = entity_query(Level.SERIES, asker, _SERIES, StudyInstanceUID=study)
    series = {
        value(match, "SeriesInstanceUID"): SubElement(branch, "Series", _attributes(match, _SERIES))
        for match in search.matches(asked, _MOST)
    }
    for each in chosen_instances(search, asker, [study]):
        if each.series in series:
            SubElement(
                series[each.series],
                "Instance",
                {"SOPInstanceUID": each.uid, "DirectDownloadFile": f"{study}/{each.uid}"},
            )


def _attributes(match: DataSet, keywords: Sequence[str]) -> dict[str, str]:
    return {each: inert(value(match, each)) for each in keywords if value(match, each)}
