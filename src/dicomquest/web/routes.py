"""The ASGI application: resources, errors, pages of other origins (PS3.18 8.5, 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dicomquest.errors import DicomquestError
from dicomquest.web.refusals import RefusalError
from dicomquest.web.search_endpoint import SearchEndpoint
from dicomquest.web.search_resources import RESOURCES
from dicomquest.web.web_service import WebService, WebSettings

try:
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.middleware import Middleware
    from starlette.middleware.cors import CORSMiddleware
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Route
except ImportError as missing:
    raise DicomquestError(
        "the web services need Starlette and uvicorn: pip install 'dicomquest[web]'"
    ) from missing

if TYPE_CHECKING:
    from dicomquest.index.index import Index
    from dicomquest.services.find import FindService
    from dicomquest.services.request import Run

_ALLOWED = ["GET", "HEAD", "POST", "OPTIONS"]
_ASKED = ["Accept", "Authorization", "Content-Type", "Range", "If-None-Match"]
_EXPOSED = [
    "Content-Type", "Content-Length", "Content-Location", "Content-Range", "ETag", "Warning",
]  # fmt: skip


class WebApplication:
    """An ASGI application of the web services; ``reconfigure`` changes its settings."""

    def __init__(self, service: WebService) -> None:
        self._service = service
        self._app = _starlette(service)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        path = scope.get("path", "")
        if len(path) > 1 and path.endswith("/"):
            scope = {**scope, "path": path.rstrip("/") or "/"}
        await self._app(scope, receive, send)

    def reconfigure(self, settings: WebSettings, find: FindService | None = None) -> None:
        """Take other settings for all requests from now on; those that run keep theirs."""
        self._service.reconfigure(settings, find)
        self._app = _starlette(self._service)


def application(
    index: Index,
    settings: WebSettings | None = None,
    *,
    find: FindService | None = None,
    run: Run | None = None,
) -> WebApplication:
    """Return the ASGI application of an index, to be served or mounted.

    ``find`` is the service of C-FIND whose limits it shares, ``run`` the way to its threads.
    """
    return WebApplication(WebService(index, settings or WebSettings(), find, run))


def _starlette(service: WebService) -> Starlette:
    settings = service.settings
    routes = [
        Route(settings.root + resource.path, SearchEndpoint(service, resource), methods=["GET"])
        for resource in RESOURCES
    ]
    middleware = []
    if settings.origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.origins,
                allow_methods=_ALLOWED,
                allow_headers=_ASKED,
                expose_headers=_EXPOSED,
            )
        )
    app = Starlette(
        routes=routes,
        middleware=middleware,
        exception_handlers={RefusalError: _refused, HTTPException: _failed},
    )
    app.router.redirect_slashes = False
    return app


async def _refused(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, RefusalError)  # noqa: S101  it is registered for this class
    return _text(error.code, error.words, error.headers)


async def _failed(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, HTTPException)  # noqa: S101  it is registered for this class
    words = {404: "there is no such resource", 405: "the resource has no such method"}
    return _text(error.status_code, words.get(error.status_code, error.detail), error.headers or {})


def _text(code: int, words: str, headers: Any) -> Response:
    return PlainTextResponse(
        f"{words}\n",
        code,
        {**headers, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
    )
