"""The log of ``serve`` and ``watch``: lines on standard error."""

from __future__ import annotations

import logging
import sys

from dicomquest.escaping import EscapingFormatter

CHATTY = ("alembic", "watchfiles")
"""Loggers of libraries that report each step; only their warnings are shown."""


def log_to_stderr(level: str, *, names_process: bool = False) -> None:
    """Show messages of ``level`` and above, with the process number where there are several."""
    process = "%(process)d " if names_process else ""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(EscapingFormatter(f"%(asctime)s {process}%(levelname)s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
