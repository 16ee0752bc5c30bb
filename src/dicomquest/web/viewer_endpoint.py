"""OHIF at its path below the server: its page, its files, its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dicomquest.web.exchange import Exchange, Receive, Scope, Send
from dicomquest.web.refusals import RefusalError
from dicomquest.web.sign_in import ask_to_sign_in
from dicomquest.web.viewer_build import CONFIGURATION, INDEX, TYPES, ViewerBuild, configuration

if TYPE_CHECKING:
    from pathlib import Path

    from dicomquest.web.web_service import WebService, WebSettings

VIEWER_PATH = "/ohif"

PATHS = (VIEWER_PATH, f"{VIEWER_PATH}/{{path:path}}")


def viewer_build(folder: Path, public_url: str) -> ViewerBuild:
    """Read a build, to be served below the public address; ViewerBuildError if it cannot be."""
    return ViewerBuild(folder, urlsplit(public_url).path.rstrip("/") + VIEWER_PATH)


class ViewerEndpoint:
    """Answers requests for the viewer; a page of it is for callers that the rules let in."""

    def __init__(self, service: WebService, build: ViewerBuild) -> None:
        self._service = service
        self._build = build

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: a file, or the page for each address that is no file."""
        exchange = self._service.exchange(scope, receive, send)
        path = str(scope["path_params"].get("path", "")).strip("/") or INDEX
        if path == INDEX and (scope.get("raw_path") or b"").endswith(VIEWER_PATH.encode()):
            await self._send_on(exchange)
        elif path == CONFIGURATION:
            await self._send_configuration(exchange)
        elif path in self._build and path != INDEX:
            await self._send_file(exchange, path)
        elif path == INDEX or not path.endswith(tuple(TYPES)):
            if await self._is_admitted(exchange):
                await self._send_file(exchange, INDEX)
        else:
            raise RefusalError(404, "the viewer has no such file")

    async def _send_on(self, exchange: Exchange) -> None:
        """Lead to the address with a slash: without it the router of OHIF shows nothing."""
        query = exchange.scope["query_string"].decode("latin-1")
        address = f"{self._build.base}/" + (f"?{query}" if query else "")
        await exchange.answer(307, b"", {"Location": address})

    async def _is_admitted(self, exchange: Exchange) -> bool:
        """Tell whether the caller may see the page; one who has to sign in is led there."""
        try:
            await self._service.admit(exchange)
        except RefusalError as refusal:
            if await ask_to_sign_in(self._service, exchange, refusal):
                return False
            raise
        return True

    async def _send_file(self, exchange: Exchange, path: str) -> None:
        try:
            file = await self._service.run(self._build.file, path)
        except OSError as error:
            raise RefusalError(404, "the viewer has no such file any more") from error
        headers = {
            "Cache-Control": "public, max-age=86400" if file.is_named_by_content else "no-cache",
            "Content-Security-Policy": await self._service.run(self._build.policy),
            "ETag": file.etag,
            "Referrer-Policy": "same-origin",
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
        }
        if file.etag in exchange.header(b"if-none-match"):
            await exchange.answer(304, b"", headers)
            return
        headers["Content-Type"] = file.content_type
        if file.compressed is not None and exchange.takes_gzip:
            headers["Content-Encoding"] = "gzip"
            await exchange.answer(200, file.compressed, headers)
        else:
            await exchange.answer(200, file.body, headers)

    async def _send_configuration(self, exchange: Exchange) -> None:
        settings: WebSettings = self._service.settings
        root = urlsplit(settings.public_url).path.rstrip("/") + settings.root
        headers = {
            "Cache-Control": "no-store",
            "Content-Type": TYPES[".js"],
            "X-Content-Type-Options": "nosniff",
        }
        await exchange.answer(200, configuration(root, self._build.base), headers)
