"""The log of ``serve`` and ``watch``: lines on standard error."""

from __future__ import annotations

import logging
import sys

CHATTY = ("alembic", "watchfiles")
"""Loggers of libraries that report each step; only their warnings are shown."""


def log_to_stderr(level: str, *, names_process: bool = False) -> None:
    """Show messages of ``level`` and above, with the process number where there are several."""
    process = "%(process)d " if names_process else ""
    logging.basicConfig(
        level=level.upper(),
        format=f"%(asctime)s {process}%(levelname)s %(message)s",
        stream=sys.stderr,
    )
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
