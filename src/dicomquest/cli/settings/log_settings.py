"""The settings of the log."""

from __future__ import annotations

from dataclasses import dataclass

import click

from dicomquest.cli.shared_options import LOG_LEVEL, setting


@dataclass(frozen=True)
class LogSettings:
    """The lines on standard error."""

    log_level: str = setting(
        "info", "Log messages of this level and above on standard error.", type=LOG_LEVEL
    )
    log_format: str = setting(
        "console",
        "Log lines for people, or lines of JSON for programs.",
        type=click.Choice(["console", "json"]),
    )
    log_keys: bool = setting(
        False,
        "Name the keys of each query in its line of the log, never their values.",
        is_flag=True,
    )
