"""The settings of the HTTP side: its address, and what browsers may do (PS3.18 8)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from dicomquest.cli.shared_options import SECONDS, network_address, setting


def _path(value: str) -> str:
    """Read the path of the service: nothing, or segments behind a slash."""
    path = value.rstrip("/")
    if path and not path.startswith("/"):
        raise click.BadParameter(f"{value!r} is no path; write one such as /dicom-web")
    return path


def _public_url(value: str) -> str:
    """Read the address that clients see: a scheme and a host, perhaps a path."""
    if not value.startswith(("http://", "https://")) or "?" in value or "#" in value:
        raise click.BadParameter(f"{value!r} is no address; write one such as https://pacs.example")
    return value.rstrip("/")


def _host_name(value: str) -> str:
    """Read a name or an address of the server, without scheme and port."""
    if not re.fullmatch(r"[\w.-]+|\[[0-9A-Fa-f:.]+\]", value):
        raise click.BadParameter(
            f"{value!r} is no name of a host; write one such as pacs.example, without https:// "
            "and port"
        )
    return value


def _zone(value: str) -> str:
    """Read the name of a time zone."""
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        words = f"{value!r} is no time zone; write one such as Europe/Berlin"
        raise click.BadParameter(words) from None
    return value


@dataclass(frozen=True)
class HttpSettings:
    """The web services."""

    TABLE: ClassVar[str] = "web"

    http: str | None = setting(
        None,
        "Answer DICOMweb by HTTP on this port, of this machine alone unless there is a HOST.",
        type=network_address,
        metavar="[HOST:]PORT",
    )
    http_root: str = setting(
        "/dicom-web",
        "The path of the DICOMweb services.",
        type=_path,
        metavar="PATH",
        needs=("http",),
    )
    public_url: str | None = setting(
        None,
        "The address of the HTTP side as clients see it, behind a proxy; that of the request by "
        "default.",
        type=_public_url,
        metavar="URL",
        needs=("http",),
    )
    http_host: tuple[str, ...] = setting(
        (),
        "Answer by HTTP under this name, and those of --public-url and this machine; several times "
        "for several. On this machine alone no others are answered anyway.",
        multiple=True,
        type=_host_name,
        metavar="NAME",
        needs=("http",),
    )
    ohif: str | None = setting(
        None,
        "Serve the viewer OHIF at /ohif, from this folder with a build of it.",
        type=click.Path(file_okay=False),
        metavar="FOLDER",
        needs=("http",),
    )
    cors_origin: tuple[str, ...] = setting(
        (),
        "Let pages of this origin ask from a browser; several times for several, * for any.",
        multiple=True,
        metavar="ORIGIN",
        needs=("http",),
    )
    timezone: str | None = setting(
        None,
        "The time zone in which people at the page say today; that of the machine by default.",
        type=_zone,
        metavar="NAME",
        needs=("http",),
    )
    links: str = setting(
        "auto",
        "Addresses of the page seal what names a person, or are plain; auto seals them unless "
        "nobody signs in and only this machine may ask.",
        type=click.Choice(("auto", "sealed", "plain")),
        needs=("http",),
    )
    web_state: str | None = setting(
        None,
        "The folder for the key of sealed addresses and for the sign-ins; one beside the index by "
        "default.",
        type=click.Path(file_okay=False),
        metavar="FOLDER",
        needs=("http",),
    )
    sign_in_idle: float = setting(
        900.0,
        "End a sign-in at the page after so long without a request.",
        type=SECONDS,
        metavar="SECONDS",
        needs=("http",),
    )
    sign_in_longest: float = setting(
        43_200.0,
        "End a sign-in at the page after so long in any case.",
        type=SECONDS,
        metavar="SECONDS",
        needs=("http",),
    )
    names: str = setting(
        "ideographic",
        "The group of a name that the page shows first.",
        type=click.Choice(("ideographic", "alphabetic")),
        needs=("http",),
    )
    han: str = setting(
        "ja",
        "The language of Han characters at the page, where the character set does not tell it.",
        type=click.Choice(("ja", "zh-Hans", "zh-Hant", "ko")),
        needs=("http",),
    )
