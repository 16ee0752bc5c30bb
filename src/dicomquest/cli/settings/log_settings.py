"""The settings of the log."""

from __future__ import annotations

from dataclasses import dataclass

from dicomquest.cli.shared_options import LOG_LEVEL, setting


@dataclass(frozen=True)
class LogSettings:
    """The lines on standard error."""

    log_level: str = setting(
        "info", "Log messages of this level and above on standard error.", type=LOG_LEVEL
    )
