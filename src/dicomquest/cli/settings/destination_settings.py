"""The keys that only a table [destinations.TITLE] has (PS3.4 C.4.2)."""

from __future__ import annotations

from dataclasses import dataclass

import click

from dicomquest.cli.shared_options import setting


@dataclass(frozen=True, slots=True)
class DestinationSettings:
    """The choices for the sub-operations to a destination."""

    transfer_syntaxes: tuple[str, ...] = setting(
        (),
        "The transfer syntaxes to offer first for what is not compressed.",
        multiple=True,
        metavar="UID",
    )
    only_transfer_syntaxes: tuple[str, ...] = setting(
        (),
        "Offer these transfer syntaxes alone, in one context for each SOP class.",
        multiple=True,
        metavar="UID",
    )
    most_associations: int | None = setting(
        None,
        "Hold at most so many associations with it in a process; further retrieves wait.",
        type=click.IntRange(1),
    )
