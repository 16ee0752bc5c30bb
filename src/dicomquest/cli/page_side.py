"""The page as ``dicomquest serve`` sets it up: its folder, its key, its sign-ins (PS3.18 8)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from dicomquest.cli.access_rules import demands_users
from dicomquest.cli.messages import give_up
from dicomquest.cli.serve_settings import ServeSettings
from dicomquest.cli.shared_options import host_and_port
from dicomquest.errors import ConfigurationError

if TYPE_CHECKING:
    from dicomquest.web.page_settings import PageSettings

KEY_FILE, SESSIONS_FILE = "links.key", "sign-ins.sqlite"
_OF_VIEWERS = b"dicomquest viewer token 1"


def seals_links(settings: ServeSettings) -> bool:
    """Tell whether addresses of the page seal what names a person."""
    if settings.links != "auto":
        return settings.links == "sealed"
    host, _ = host_and_port(settings.http or "")
    return demands_users(settings) or not _is_loopback(host)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def page_folder(settings: ServeSettings) -> Iterator[ServeSettings]:
    """Make the folder that all processes share, and give the settings that name it.

    An index on a server has no folder: without --web-state its sealed links end with this server.
    Plain links and nobody who signs in need one only for several workers, whose viewers' tokens
    have one key.
    """
    needs_file = seals_links(settings) or demands_users(settings)
    if not needs_file and settings.web_state is None and settings.workers == 1:
        yield settings
        return
    index = settings.index.removeprefix("sqlite:///")
    if settings.web_state is None and ("://" in index or not needs_file):
        with tempfile.TemporaryDirectory(prefix="dicomquest-web-") as folder:
            yield _prepared(replace(settings, web_state=folder))
        return
    yield _prepared(replace(settings, web_state=settings.web_state or f"{index}.web"))


def _prepared(settings: ServeSettings) -> ServeSettings:
    """Return the settings after the folder and its key are there; else the command ends."""
    from dicomquest.web.box.sealing import read_key

    folder = Path(settings.web_state or "")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        read_key(folder / KEY_FILE)
    except OSError as error:
        raise give_up(f"--web-state {folder}: cannot be made: {error.strerror}") from error
    except ConfigurationError as error:
        raise give_up(str(error)) from error
    return settings


def page_settings(settings: ServeSettings) -> PageSettings:
    """Return the settings of the page; the folder is there."""
    from dicomquest.web.box.sealing import Sealer, derived_key, read_key
    from dicomquest.web.page_settings import PageSettings
    from dicomquest.web.sessions import Sessions

    sealer = sessions = viewer_key = None
    if settings.web_state is not None:
        folder = Path(settings.web_state)
        key = read_key(folder / KEY_FILE)
        viewer_key = derived_key(key, _OF_VIEWERS)
        if seals_links(settings):
            sealer = Sealer(key)
        if settings.users_file is not None or settings.user_hook is not None:
            path = folder / SESSIONS_FILE
            sessions = Sessions(path, settings.sign_in_idle, settings.sign_in_longest)
    return PageSettings(
        ZoneInfo(settings.timezone) if settings.timezone else None,
        sealer,
        sessions,
        "alphabetic" if settings.names == "alphabetic" else "ideographic",
        settings.han,
        settings.reads_per_second,
        viewer_key=viewer_key,
    )
