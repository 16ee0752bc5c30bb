"""The guard around all of HTTP: who may change something, and the headers of the page (CSP 3).

A browser sends cookies and remembered passcodes along with requests that another site makes. So a
request that changes something has to come from the page itself, and each names this server.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dicomquest.services.observer import AlertKind, SecurityAlert
from dicomquest.web.callers import HTTP_TITLE
from dicomquest.web.cookies import is_below
from dicomquest.web.host_names import shown

if TYPE_CHECKING:
    from dicomquest.web.web_service import WebService

CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
"""The methods that change something, or may."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self' weasis:; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types rows"
)
"""Nothing inline, and nothing from elsewhere."""

PAGE_HEADERS = {
    b"content-security-policy": POLICY.encode(),
    b"cache-control": b"no-store",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
    b"x-robots-tag": b"noindex",
    b"x-frame-options": b"DENY",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}
"""The headers of each answer of the page, errors too, unless the answer has its own."""

_VIEWER = "/ohif"
_REFUSED = b"This request comes from another site: open the page itself, and ask there.\n"
_MISDIRECTED = (
    "This server does not answer as {}: ask for it by its address, or start it with "
    "--http-host NAME or --public-url URL if that is its name.\n"
)

App = Callable[[Any, Any, Any], Awaitable[None]]


class PageGuard:
    """An ASGI application around another one."""

    def __init__(self, app: App, service: WebService) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        hosts = self._service.settings.hosts
        given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if hosts is not None and not all(map(hosts.allow, given)):
            host = shown(", ".join(given))
            self._service.log_misdirected(str((scope.get("client") or ("",))[0]), host)
            self._tell(scope, f"a request for {host}, no name of this server")
            await _refuse(send, 421, _MISDIRECTED.format(host).encode())
            return
        path = scope["path"]
        is_page = not (is_below(path, self._service.settings.root) or is_below(path, _VIEWER))
        if is_page:
            send = _with_headers(send)
        if scope["method"] in CHANGING and self._is_foreign(scope, headers, is_page=is_page):
            self._tell(scope, "a change that another site asked for")
            await _refuse(send, 403, _REFUSED)
            return
        await self._app(scope, receive, send)

    def _is_foreign(self, scope: Any, headers: dict[bytes, str], *, is_page: bool) -> bool:
        """Tell whether a request does not come from the page, or a site that may ask."""
        settings = self._service.settings
        site, origin = headers.get(b"sec-fetch-site", ""), headers.get(b"origin", "")
        if is_page:
            own = {f"{scope['scheme']}://{headers.get(b'host', '')}", _origin(settings.public_url)}
            return site != "same-origin" if site else origin not in own
        # Programs send neither header, and the services take no cookie for a change.
        allowed = origin in settings.origins or "*" in settings.origins
        return site in {"cross-site", "same-site"} and not allowed

    def _tell(self, scope: Any, words: str) -> None:
        observer = self._service.settings.observer
        if observer is not None:
            client = scope.get("client") or ("", 0)
            observer.tell(SecurityAlert(AlertKind.FORBIDDEN, str(client[0]), HTTP_TITLE, words))


def _origin(url: str) -> str | None:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else None


def _with_headers(send: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message.get("headers", ())}
            added = [each for each in PAGE_HEADERS.items() if each[0] not in present]
            message = {**message, "headers": [*message.get("headers", ()), *added]}
        await send(message)

    return sending


async def _refuse(send: Callable[[Any], Awaitable[None]], code: int, body: bytes) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": code, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
