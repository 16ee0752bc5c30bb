"""The settings that decide where the Standard leaves a choice (PS3.4 C.2.2.2, C.4.1)."""

from __future__ import annotations

from dataclasses import dataclass

import click

from dicomquest.cli.shared_options import setting


@dataclass(frozen=True)
class MatchingSettings:
    """The meaning of a request."""

    unknown_matches: bool = setting(
        False,
        "Let an empty stored value match every key, to the letter of PS3.4 C.2.2.1.2.",
        is_flag=True,
        by_peer=True,
    )
    ignore_case: bool = setting(
        False,
        "Match text without case, which PS3.4 C.2.2.2.1 tells apart; names match so anyway.",
        is_flag=True,
        by_peer=True,
    )
    strict: bool = setting(
        False,
        "Refuse requests that deviate from PS3.4 C.4.1 instead of reading what they mean.",
        is_flag=True,
        by_peer=True,
    )
    several_values: str = setting(
        "or",
        "For several values in a key that is no UID: match any of them, or refuse the request.",
        type=click.Choice(["or", "reject"]),
        by_peer=True,
    )
    default_charset: str | None = setting(
        None,
        "The character set of requests that name none and have 8-bit bytes, such as 'ISO_IR 100'.",
        metavar="TERM",
        by_peer=True,
    )
