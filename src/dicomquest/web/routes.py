"""The ASGI application: resources, errors, pages of other origins (PS3.18 8.5, 10)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from dicomquest.errors import (
    DataSetError,
    DicomquestError,
    IdentifierError,
    IndexDatabaseError,
)
from dicomquest.web.capabilities import WADL, wadl
from dicomquest.web.cookies import STAY
from dicomquest.web.exchange import Receive, Scope, Send
from dicomquest.web.orders_endpoint import ORDERS_PATH, OrdersEndpoint
from dicomquest.web.page.page_routes import page_routes
from dicomquest.web.page_guard import PageGuard
from dicomquest.web.refusals import RefusalError
from dicomquest.web.retrieve_paths import RETRIEVE_PATHS
from dicomquest.web.search_endpoint import SearchEndpoint
from dicomquest.web.search_resources import RESOURCES
from dicomquest.web.sign_in import SIGN_IN, SIGN_OUT, SignInEndpoint, SignOutEndpoint, StayEndpoint
from dicomquest.web.store_endpoint import STORE_PATHS, StoreEndpoint
from dicomquest.web.viewer_endpoint import PATHS as VIEWER_PATHS
from dicomquest.web.viewer_endpoint import ViewerEndpoint
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
    from dicomquest.services.storage import StorageService
    from dicomquest.worklist.entries import Worklist

LOGGER = logging.getLogger("dicomquest.web")

Endpoint: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_ALLOWED = ["GET", "HEAD", "POST", "OPTIONS"]
_ASKED = ["Accept", "Authorization", "Content-Type", "Range", "If-None-Match"]
_EXPOSED = [
    "Content-Type", "Content-Length", "Content-Location", "Content-Range", "ETag", "Warning",
]  # fmt: skip


class WebApplication:
    """An ASGI application of the web services; ``reconfigure`` changes its settings."""

    def __init__(self, service: WebService) -> None:
        self._service = service
        self._app = PageGuard(_starlette(service), service)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        path = scope.get("path", "")
        if len(path) > 1 and path.endswith("/"):
            scope = {**scope, "path": path.rstrip("/") or "/"}
        await self._app(scope, receive, send)

    def reconfigure(
        self,
        settings: WebSettings,
        find: FindService | None = None,
        storage: StorageService | None = None,
    ) -> None:
        """Take other settings for all requests from now on; those that run keep theirs."""
        self._service.reconfigure(settings, find)
        self._service.storage = storage
        self._app = PageGuard(_starlette(self._service), self._service)


def application(
    index: Index,
    settings: WebSettings | None = None,
    *,
    find: FindService | None = None,
    run: Run | None = None,
    storage: StorageService | None = None,
    worklist: Worklist | None = None,
) -> WebApplication:
    """Return the ASGI application of an index, to be served or mounted.

    ``find`` is the service of C-FIND whose limits it shares, ``run`` the way to its threads.
    ``storage`` is the service of C-STORE, which takes instances; without it none can be stored.
    ``worklist`` takes entries of scheduled steps; without it none can be added.
    """
    service = WebService(index, settings or WebSettings(), find, run, storage, worklist=worklist)
    return WebApplication(service)


def _rows(service: WebService) -> list[tuple[str, str, Endpoint]]:
    """List the resources below the root: method, path, and who answers."""
    return [
        *(("GET", each.path, SearchEndpoint(service, each)) for each in RESOURCES),
        *(("GET", path, made(service)) for path, made in RETRIEVE_PATHS),
        *(("POST", path, store) for store in _store(service) for path in STORE_PATHS),
        *(("POST", ORDERS_PATH, orders) for orders in _orders(service)),
    ]


def _store(service: WebService) -> list[Endpoint]:
    """Return the endpoint that stores, none if the service stores nothing."""
    return [] if service.storage is None else [StoreEndpoint(service, service.storage)]


def _orders(service: WebService) -> list[Endpoint]:
    """Return the endpoint that takes worklist entries, none if the service has no worklist."""
    return [] if service.worklist is None else [OrdersEndpoint(service, service.worklist)]


class _ByMethod:
    """The endpoints of one path: a second route of a path would be shadowed, and its method 405."""

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        self._endpoints = {"OPTIONS": self._tell_methods, **endpoints}
        if "GET" in endpoints:
            self._endpoints["HEAD"] = endpoints["GET"]

    @property
    def methods(self) -> list[str]:
        """The methods of the path."""
        return sorted(self._endpoints)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the endpoint of the method answer."""
        await self._endpoints[scope["method"]](scope, receive, send)

    async def _tell_methods(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer OPTIONS, which says nothing of what is stored, so that nobody is asked for."""
        await Response(None, 204, {"Allow": ", ".join(self.methods)})(scope, receive, send)


class _Capabilities:
    """Answers OPTIONS on the root of the services (PS3.18 8.9)."""

    def __init__(self, service: WebService, resources: Mapping[str, Sequence[str]]) -> None:
        self._service = service
        self._resources = resources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        base = self._service.base(self._service.exchange(scope, receive, send))
        headers = {"Allow": "GET, HEAD, OPTIONS", "Cache-Control": "no-cache"}
        body = wadl(base, self._resources)
        await Response(body, 200, headers, media_type=WADL)(scope, receive, send)


def _starlette(service: WebService) -> Starlette:
    settings = service.settings
    by_path: dict[str, dict[str, Endpoint]] = {}
    for method, path, endpoint in _rows(service):
        by_path.setdefault(path, {})[method] = endpoint
    told = {path: sorted(endpoints) for path, endpoints in by_path.items()}
    by_path[""]["OPTIONS"] = _Capabilities(service, told)
    resources = {path: _ByMethod(endpoints) for path, endpoints in by_path.items()}
    routes = [
        Route(settings.root + path or "/", each, methods=each.methods)
        for path, each in resources.items()
    ]
    if settings.root:
        # Without a root the paths of the page are those of the services.
        routes += page_routes(service)
        routes += [
            Route(SIGN_IN, SignInEndpoint(service), methods=["GET", "POST"]),
            Route(SIGN_OUT, SignOutEndpoint(service), methods=["POST"]),
            Route(STAY, StayEndpoint(service), methods=["GET", "POST"]),
        ]
    if settings.viewer is not None:
        viewer = ViewerEndpoint(service, settings.viewer)
        routes += [Route(path, viewer, methods=["GET", "HEAD"]) for path in VIEWER_PATHS]
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
        exception_handlers={
            RefusalError: _refused,
            HTTPException: _failed,
            IdentifierError: _wrong,
            DataSetError: _wrong,
            IndexDatabaseError: _unavailable,
        },
    )
    app.router.redirect_slashes = False
    return app


async def _refused(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, RefusalError)  # noqa: S101  it is registered for this class
    return _text(error.code, error.words, error.headers)


async def _wrong(request: Request, error: Exception) -> Response:
    """Answer a query that cannot be read: the words quote what the client has sent."""
    del request
    return _text(400, str(error), {})


async def _unavailable(request: Request, error: Exception) -> Response:
    """Answer when the database fails; its words may hold a path, so they go to the log alone."""
    del request
    LOGGER.error("the index failed: %s", error)
    return _text(503, "the index failed", {"Retry-After": "5"})


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
