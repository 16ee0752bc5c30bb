"""The archives behind the server, and the meeting of their answers (PS3.4 C.4.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

import click

from dicomquest.cli.shared_options import FiniteRange, ae_title, setting

UPSTREAM = re.compile(r"([A-Za-z0-9_-]+)=([^@=]+)@(\[[^\]]+\]|[^:\[\]@]+):(\d+)")
"""NAME=AET@HOST:PORT; an IPv6 address stands in brackets."""


def upstream_text(text: str) -> str:
    """Check the text of an upstream."""
    found = UPSTREAM.fullmatch(text.strip())
    if found is not None and not 0 < int(found[4]) < 65536:
        raise click.BadParameter(
            f"{text!r}: port {found[4]} does not exist; write one of 1 to 65535"
        )
    if found is None:
        raise click.BadParameter(
            f"{text!r} is no upstream: write NAME=AET@HOST:PORT, such as main=ARCHIVE@10.1.2.3:104"
        )
    ae_title(found[2])
    return text.strip()


@dataclass(frozen=True)
class FederationSettings:
    """The archives that each query goes to."""

    upstream: tuple[str, ...] = setting(
        (),
        "Ask this archive, too, in each query; several times for several. Tables "
        "[upstreams.NAME] of the configuration file say more of each.",
        type=upstream_text,
        multiple=True,
        metavar="NAME=AET@HOST:PORT",
    )
    upstreams_only: bool = setting(
        False, "Ask the upstreams alone, and not the index.", is_flag=True
    )
    merge_wait: float = setting(
        0.2,
        "Let an answer wait at most so long for those of other archives about the same entity, so "
        "that one response names all holders.",
        type=FiniteRange(min=0),
        metavar="SECONDS",
        needs=("upstream",),
    )
    incomplete_is_success: bool = setting(
        False,
        "End with Success though an archive has not answered to its end, for viewers that discard "
        "all answers otherwise; the log says so.",
        is_flag=True,
        by_peer=True,
        needs=("upstream",),
    )


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """The keys that only a table [upstreams.NAME] has."""

    models: tuple[str, ...] = setting(
        (),
        "The information models that it holds: study, patient, psonly.",
        type=click.Choice(("study", "patient", "psonly")),
        multiple=True,
    )
    levels: tuple[str, ...] = setting(
        (),
        "The levels that it answers.",
        type=click.Choice(("PATIENT", "STUDY", "SERIES", "IMAGE"), case_sensitive=False),
        multiple=True,
    )
    issuer: str | None = setting(
        None, "The issuer of its Patient IDs (Issuer of Patient ID), where its answers name none."
    )
    relational: bool = setting(
        False,
        "Send it relational queries, though it does not negotiate them; else it is asked level by "
        "level.",
        is_flag=True,
    )
    most_associations: int = setting(
        4,
        "Hold at most so many associations with it in a process; further queries wait.",
        type=click.IntRange(1),
    )
    retrieve_timeout: float = setting(
        120.0,
        "Wait so long for the next instance of a C-GET from it; then the next holder is asked.",
        type=FiniteRange(min=0),
        metavar="SECONDS",
    )
    retry_after: float = setting(
        5.0,
        "Do not try to reach it again for so long after it could not be reached.",
        type=FiniteRange(min=0),
        metavar="SECONDS",
    )
