"""The rules for a calling AE title that only its table [peers.TITLE] can have (PS3.8 9.3.4)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_network

import click

from dicomquest.cli.shared_options import setting

FINGERPRINT = re.compile(r"(?i)sha256:([0-9a-f]{2}(:?[0-9a-f]{2}){31})")


def _list_of(check: Callable[[str], str]) -> Callable[[object], tuple[str, ...]]:
    """Make a reader of one text or a list of texts, each of them checked."""

    def parse(given: object) -> tuple[str, ...]:
        given = given if isinstance(given, list) else [given]
        texts = [text for text in given if isinstance(text, str) and text]
        if not texts or len(texts) < len(given):
            raise click.BadParameter('write a text, or a list as ["A", "B"]')
        return tuple(map(check, texts))

    return parse


def network(text: str) -> str:
    """Read an address or a network."""
    try:
        return str(ip_network(text))
    except ValueError as error:
        raise click.BadParameter(
            f"{error}; write an address (10.1.2.3, 2001:db8::7) or a network (10.1.0.0/16)"
        ) from error


def _certificate(text: str) -> str:
    if found := FINGERPRINT.fullmatch(text):
        return f"sha256:{found[1].replace(':', '').lower()}"
    if text.startswith("CN=") and text.removeprefix("CN=").strip():
        return text
    raise click.BadParameter(
        f"{text!r} names no certificate; write sha256: and its 64 hexadecimal digits, or CN=name"
    )


@dataclass(frozen=True, slots=True)
class CallerSettings:
    """The keys of [peers.TITLE] that bind the title to those who may use it."""

    addresses: tuple[str, ...] = setting(
        (), "The addresses and networks that the title calls from.", parse=_list_of(network)
    )
    certificate: tuple[str, ...] = setting(
        (), "The certificates of which the peer has to show one.", parse=_list_of(_certificate)
    )
    users: tuple[str, ...] = setting(
        (), "The names of the users who may ask by this title.", parse=_list_of(str)
    )
