"""The options of ``dicomquest find`` that would do nothing beside others (PS3.4 C.4.1)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import click

from dicomquest.cli.option_needs import given_option
from dicomquest.cli.output.formats import format_of
from dicomquest.cli.peer import PeerSettings
from dicomquest.query.identifier.entry_models import ENTRY_MODELS

if TYPE_CHECKING:
    from dicomquest.cli.find_settings import FindSettings

OF_ALL_PEERS = frozenset({"aet", "connection_timeout", "acse_timeout", "dimse_timeout"})
"""The options about a peer that hold for each of several."""

_LIKE_A_PEER = re.compile(r"[A-Za-z0-9._-]+(?::\d+)?|\[[0-9a-f:]+\]", re.ASCII)

_OF_A_PEER = frozenset(PeerSettings.__slots__)


class Idle(NamedTuple):
    """Options that do nothing: their names, and the reason with the remedy."""

    names: Collection[str]
    words: str


def check_idle(ctx: click.Context, settings: FindSettings) -> None:
    """Raise UsageError for an option of the command line that would do nothing."""
    for row in _idle(settings):
        if name := given_option(ctx, row.names):
            raise click.UsageError(f"{name} {row.words}", ctx)


def _idle(settings: FindSettings) -> Iterator[Idle]:
    target, output = settings.target, settings.output
    if target.index is not None:
        yield Idle(
            _OF_A_PEER | {"charset"}, "is for a peer, and --index asks none: leave one of both out"
        )
    elif settings.several:
        yield Idle(
            _OF_A_PEER - OF_ALL_PEERS,
            "is for one peer: set it in the table [peers.TITLE] of each",
        )
    if settings.model in ENTRY_MODELS:
        row = ENTRY_MODELS[settings.model]
        yield Idle(("level",), f"is for archives: {row.kind} has one level, so leave -L out")
    if not _asks_by_file(settings):
        yield Idle(
            ("associations",),
            "is for the values of a file, of one peer: write KEY=@FILE, or leave it out",
        )
    if output.count:
        shown = {"format", "output", "sort"} | (set() if output.unique else {"columns"})
        yield Idle(shown, "shows matches, and --count prints their number alone: leave one out")
    if output.count or format_of(output.format, output.output) != "csv":
        yield Idle(("csv_dialect", "csv_safe"), "is for CSV: add -f csv, or leave it out")


def check_words(ctx: click.Context, words: Iterable[str]) -> None:
    """Raise UsageError for a word behind the first peer that is neither attribute nor peer."""
    from dicomquest.query.identifier.key_arguments import KeyTextError, parse_key

    for word in words:
        try:
            if "=" not in word:
                parse_key(word)
        except KeyTextError as error:
            if "did you mean" in str(error) or not _LIKE_A_PEER.fullmatch(word):
                return
            raise click.UsageError(
                f"{word!r} is no attribute and no named peer. Several peers are asked by their "
                "names: dicomquest peers add NAME HOST PORT gives one",
                ctx,
            ) from error


def _asks_by_file(settings: FindSettings) -> bool:
    is_one_peer = settings.target.index is None and not settings.several
    files = (key.partition("=")[2] for key in settings.keys)
    return is_one_peer and any(value.startswith("@") for value in files)
