"""The options of ``find`` for how a peer is asked, and for a look at what it answers."""

from __future__ import annotations

from dataclasses import dataclass

import click

from dicomquest.cli.shared_options import setting


@dataclass(frozen=True, slots=True)
class AskingSettings:
    """The ways to ask and to look at the answers; each field is an option."""

    explain: bool = setting(
        False,
        "Explain the query and the answers; if nothing is found, ask on (12 queries at most) "
        "which key excludes everything.",
        is_flag=True,
    )
    show_bytes: bool = setting(
        False, "Print the identifier that is sent, byte by byte.", is_flag=True
    )
    filter_here: bool = setting(
        False, "Drop the answers that do not match the keys: some peers ignore keys.", is_flag=True
    )
    split: str | None = setting(
        None,
        "auto: ask in parts (by date, time and name) if the peer cuts its answers off.",
        type=click.Choice(["auto"]),
    )
    charset_of_peer: str | None = setting(
        None,
        "Read the answers in this character set, whatever they name, such as 'ISO_IR 192'.",
        metavar="TERMS",
    )
    associations: int = setting(
        4,
        "Ask for the values of a file (KEY=@FILE) over so many associations.",
        type=click.IntRange(1, 16),
        metavar="N",
    )
