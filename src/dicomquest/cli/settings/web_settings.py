"""The settings of the HTTP side: its address, and what browsers may do (PS3.18 8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import click

from dicomquest.cli.shared_options import network_address, setting


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
        "/dicom-web", "The path of the DICOMweb services.", type=_path, metavar="PATH"
    )
    public_url: str | None = setting(
        None,
        "The address of the HTTP side as clients see it, behind a proxy; that of the request by "
        "default.",
        type=_public_url,
        metavar="URL",
    )
    ohif: str | None = setting(
        None,
        "Serve the viewer OHIF at /ohif, from this folder with a build of it.",
        type=click.Path(file_okay=False),
        metavar="FOLDER",
    )
    cors_origin: tuple[str, ...] = setting(
        (),
        "Let pages of this origin ask from a browser; several times for several, * for any.",
        multiple=True,
        metavar="ORIGIN",
    )
