"""Seeing what goes on: the package's log on standard error."""

from __future__ import annotations

import logging


def debug_logger() -> None:
    """Write what the package logs to standard error; identifiers, and so patients, are not in it."""
    logger = logging.getLogger("dicomquest")
    if not any(isinstance(handler, logging.StreamHandler) for handler in logger.handlers):
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(levelname).1s: %(name)s: %(message)s"))
        logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
