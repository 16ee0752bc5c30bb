"""The HTTP side of ``dicomquest serve``, in the event loop of the DIMSE side (PS3.18 8.2)."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dicomquest.aio.server import Server
from dicomquest.cli.access_rules import open_to
from dicomquest.cli.bound_ports import reserved_address
from dicomquest.cli.messages import give_up
from dicomquest.cli.page_side import page_folder, page_settings
from dicomquest.cli.serve_settings import ServeSettings
from dicomquest.cli.shared_options import host_and_port
from dicomquest.errors import DicomquestError
from dicomquest.index.index import Index
from dicomquest.services.find import FindService
from dicomquest.services.storage import StorageService
from dicomquest.standard.models import STUDY_ROOT

if TYPE_CHECKING:
    from dicomquest.web.listener import WebListener
    from dicomquest.web.routes import WebApplication
    from dicomquest.web.viewer_build import ViewerBuild
    from dicomquest.web.web_service import FindAddress, WebSettings
    from dicomquest.worklist.entries import Worklist

LOGGER = logging.getLogger("dicomquest.serve")


@contextmanager
def reserved_web_port(settings: ServeSettings) -> Iterator[ServeSettings]:
    """Hold the port of the HTTP side for all processes, and give the settings that name it.

    A port that is taken, or a package that is missing, ends the command here.
    """
    if settings.http is None:
        yield settings
        return
    if not all(map(importlib.util.find_spec, ("starlette", "uvicorn"))):
        raise give_up("--http needs Starlette and uvicorn: pip install 'dicomquest[web]'")
    try:
        viewer_of(settings)
    except (OSError, DicomquestError) as error:
        raise give_up(f"--ohif: {error}") from error
    with (
        reserved_address(settings.http, "--http") as address,
        page_folder(replace(settings, http=address)) as ready,
    ):
        yield ready


def viewer_of(settings: ServeSettings) -> ViewerBuild | None:
    """Return the build of OHIF that the settings name; OSError or ViewerBuildError without one."""
    if settings.ohif is None:
        return None
    from dicomquest.web.viewer_endpoint import viewer_build

    return viewer_build(Path(settings.ohif), settings.public_url or "")


class WebSide:
    """The HTTP side of one process; it does nothing if the settings have none."""

    def __init__(self, settings: ServeSettings, index: Index, server: Server) -> None:
        """Answer from an index, by the rules, the limits and the threads of a server."""
        self._settings = settings
        self._index = index
        self._server = server
        self._application: WebApplication | None = None
        self._listener: WebListener | None = None
        self._worklist: Worklist | None = None
        self._viewer_key: tuple[str | None, str | None] = (None, None)
        self._built_viewer: ViewerBuild | None = None

    async def start(self) -> None:
        """Listen; OSError if that fails."""
        settings = self._settings
        if settings.http is None:
            return
        from dicomquest.web.listener import WebListener, bound_socket
        from dicomquest.web.routes import application

        if settings.has_worklist:
            from dicomquest.worklist.entries import Worklist

            self._worklist = Worklist(settings.index)
        self._application = application(
            self._index,
            self._web_settings(settings),
            find=self._find(),
            run=self._server.run,
            storage=self._storage(),
            worklist=self._worklist,
        )
        self._listener = WebListener(
            self._application, ssl_context=self._server.settings.ssl_context, grace=settings.grace
        )
        self._limit(settings)
        host, port = host_and_port(settings.http)
        await self._listener.start([bound_socket(host, port, reuse_port=True)])
        as_http = replace(settings, host=host, port=self._listener.address[1])
        if settings.has_dimse and (warning := open_to(as_http)):
            LOGGER.warning("%s", warning)

    def reconfigure(self, settings: ServeSettings) -> None:
        """Take other settings for all requests from now on, after the server has done so."""
        # The folder is chosen once, before the processes start.
        settings = replace(settings, web_state=self._settings.web_state)
        self._settings = settings
        if self._application is not None:
            self._application.reconfigure(
                self._web_settings(settings), self._find(), self._storage()
            )
            self._limit(settings)
            assert self._listener is not None  # noqa: S101  both are made together
            self._listener.take_certificate(self._server.settings.ssl_context)

    def _limit(self, settings: ServeSettings) -> None:
        assert self._listener is not None  # noqa: S101  it listens
        own = self._server.settings
        self._listener.reconfigure(
            own.connection_limits,
            head_seconds=settings.request_timeout,
            longest_head=settings.max_http_head,
            write_seconds=settings.write_timeout,
            observer=own.observer,
        )

    async def close(self) -> None:
        """Listen no more, and wait for running responses as long as the grace lasts."""
        if self._listener is not None:
            await self._listener.close()
        if self._worklist is not None:
            self._worklist.close()

    def abort(self) -> None:
        """End running responses now."""
        if self._listener is not None:
            self._listener.abort()

    def _find(self) -> FindService | None:
        service = self._server.settings.services.get(STUDY_ROOT.uid)
        return service if isinstance(service, FindService) else None

    def _storage(self) -> StorageService | None:
        services = self._server.settings.services.values()
        return next((each for each in services if isinstance(each, StorageService)), None)

    def _viewer(self, settings: ServeSettings) -> ViewerBuild | None:
        """Return the viewer of the settings; the one before if a new folder has none."""
        key = settings.ohif, settings.public_url
        if key != self._viewer_key:
            try:
                self._built_viewer, self._viewer_key = viewer_of(settings), key
            except (OSError, DicomquestError) as error:
                LOGGER.warning("--ohif: %s", error)
        return self._built_viewer

    def _web_settings(self, settings: ServeSettings) -> WebSettings:
        from dicomquest.services.admission import AccessRules, Admission
        from dicomquest.store.rendering_processes import RenderingLimits
        from dicomquest.web.host_names import host_names
        from dicomquest.web.store_spool import SpoolLimits
        from dicomquest.web.web_service import WebSettings

        own = self._server.settings
        host, _ = host_and_port(settings.http or "")
        return WebSettings(
            root=settings.http_root,
            public_url=settings.public_url or "",
            ae_title=settings.aet,
            find_address=_find_address(settings) if settings.has_dimse else None,
            hosts=host_names(host, settings.public_url or "", settings.http_host),
            origins=settings.cors_origin,
            write_timeout=settings.write_timeout,
            body_timeout=settings.pdu_timeout,
            most_retrieves=settings.max_retrieves,
            rendering=RenderingLimits(
                settings.max_renderings, settings.max_rendered_pixels, settings.rendering_timeout
            ),
            storing=SpoolLimits(settings.max_stow_metadata, settings.max_stow_headers),
            longest_orders=settings.max_orders,
            admission=own.admission or Admission(AccessRules()),
            observer=own.observer,
            page=page_settings(settings),
            viewer=self._viewer(settings),
        )


def _find_address(settings: ServeSettings) -> FindAddress:
    from dicomquest.web.web_service import FindAddress

    is_any = settings.host in {"", "0.0.0.0", "::"}  # noqa: S104  it is compared alone
    has_tls = settings.tls_cert is not None
    return FindAddress("" if is_any else settings.host, settings.port, has_tls)
