"""The server behind ``dicomquest serve``: processes, signals, and the services over the index."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dicomquest.cli.serve import ServeSettings


def run(settings: ServeSettings) -> None:
    """Serve until SIGINT or SIGTERM."""
    raise NotImplementedError(settings)
