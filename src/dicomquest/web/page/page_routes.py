"""The addresses of the page (PS3.18 has none at the root)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from dicomquest.web.exchange import Exchange, Receive, Scope, Send
from dicomquest.web.page.assets import send_asset
from dicomquest.web.page.csv_table import CsvTable
from dicomquest.web.page.search_page import AskPage, SearchPage
from dicomquest.web.page.study_pages import KeysPage, StudyPage

if TYPE_CHECKING:
    from dicomquest.web.web_service import WebService

_STUDY = "/studies/{study}"
_SERIES = f"{_STUDY}/series/{{series}}"


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
    return [
        Route("/", SearchPage(service), methods=["GET"]),
        Route("/search", AskPage(service), methods=["POST"]),
        Route("/keys", KeysPage(service), methods=["GET"]),
        Route("/static/{name}", _Assets(service), methods=["GET"]),
        Route("/studies.csv", CsvTable(service), methods=["GET"]),
        Route(_STUDY, StudyPage(service), methods=["GET"]),
        Route(_SERIES, StudyPage(service), methods=["GET"]),
    ]
