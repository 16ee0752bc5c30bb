"""The addresses of the page (PS3.18 has none at the root)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from dicomquest.web.exchange import Exchange, Receive, Scope, Send
from dicomquest.web.page.assets import send_asset
from dicomquest.web.page.csv_table import CsvTable
from dicomquest.web.page.downloads import InstanceFile, InstanceHeader, StudyFiles, StudyZip
from dicomquest.web.page.picked_studies import PickedStudies
from dicomquest.web.page.read_endpoint import ReadEndpoint
from dicomquest.web.page.search_page import AskPage, SearchPage
from dicomquest.web.page.series_picture import SeriesPicture
from dicomquest.web.page.study_pages import KeysPage, StudyPage
from dicomquest.web.page.viewer_tokens import ViewerTokens
from dicomquest.web.page.weasis import WeasisEndpoint

if TYPE_CHECKING:
    from dicomquest.web.web_service import WebService

_STUDY = "/studies/{study}"
_SERIES = f"{_STUDY}/series/{{series}}"
_INSTANCE = f"{_SERIES}/instances/{{instance}}"


class _Assets:
    """Answers requests for the files of the page; nobody has to be known."""

    def __init__(self, service: WebService) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        timeout = self._service.settings.write_timeout
        await send_asset(Exchange(scope, receive, send, timeout))


def page_routes(service: WebService) -> list[Route]:
    """Return the routes of the page."""
    tokens = ViewerTokens(service.settings.page.viewer_key or service.viewer_key)
    return [
        Route("/", SearchPage(service), methods=["GET"]),
        Route("/search", AskPage(service), methods=["POST"]),
        Route("/read", ReadEndpoint(service), methods=["POST"]),
        Route("/keys", KeysPage(service), methods=["GET"]),
        Route("/static/{name}", _Assets(service), methods=["GET"]),
        Route("/studies.csv", CsvTable(service), methods=["GET"]),
        Route("/picked", PickedStudies(service, tokens), methods=["POST"]),
        Route("/weasis/{token}", WeasisEndpoint(service, tokens), methods=["GET"]),
        Route(
            "/weasis/{token}/{study}/{instance}", WeasisEndpoint(service, tokens), methods=["GET"]
        ),
        Route(f"{_STUDY}/zip", StudyZip(service), methods=["GET"]),
        Route(f"{_STUDY}/files", StudyFiles(service), methods=["GET"]),
        Route(f"{_SERIES}/picture", SeriesPicture(service), methods=["GET"]),
        Route(f"{_INSTANCE}/file", InstanceFile(service), methods=["GET"]),
        Route(f"{_INSTANCE}/header", InstanceHeader(service), methods=["GET"]),
        Route(_STUDY, StudyPage(service), methods=["GET"]),
        Route(_SERIES, StudyPage(service), methods=["GET"]),
    ]
