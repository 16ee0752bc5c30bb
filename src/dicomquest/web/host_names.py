"""The names under which a server answers by HTTP, against DNS rebinding (RFC 9110 15.5.20).

A page of another site can give its own name the address of this machine. The browser then takes
our answers for that site's own; the header Host alone still has its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

LONGEST_SHOWN = 80
"""Characters of a refused name that are shown: nothing limits what a client sends."""


_HOST = re.compile(r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[^\s/\\@?#\[\]:]*?)\.?)(?::[0-9]*)?")


@dataclass(frozen=True, slots=True)
class HostNames:
    """The names and addresses besides those of loopback; ``any_address`` allows all addresses."""

    names: frozenset[str] = frozenset()
    any_address: bool = False

    def allow(self, host: str) -> bool:
        """Tell whether a header Host, with a port or without, names this server."""
        name = name_of(host)
        if not name or name == "localhost" or name in self.names:
            # A request without a name is no browser's.
            return name is not None
        try:
            address = ip_address(name)
        except ValueError:
            return False
        return self.any_address or address.is_loopback


def host_names(listens_on: str, public_url: str, names: Iterable[str]) -> HostNames | None:
    """Return the names of a server that listens on a host; None if it answers to each.

    That is one on an address of a network whose operator gives it no ``names``: people may reach it
    by any that their DNS has for it.
    """
    given = [name for each in names if (name := name_of(each))]
    own = name_of(f"[{listens_on}]" if ":" in listens_on else listens_on) or ""
    try:
        address = ip_address(own)
        is_loopback, any_address = address.is_loopback, address.is_unspecified
    except ValueError:
        is_loopback, any_address = own == "localhost", False
    if not is_loopback and not given:
        return None
    public = name_of(urlsplit(public_url).netloc.rpartition("@")[2])
    allowed = {own, *given, *filter(None, [public])}
    return HostNames(frozenset(allowed), any_address)


def name_of(host: str) -> str | None:
    """Return the name or address of a header Host, "" if it is empty, None if it is none."""
    found = _HOST.fullmatch(host.strip().lower())
    if found is None or found["address"] is None:
        return found and found["name"]
    try:
        return str(ip_address(found["address"]))
    except ValueError:
        return None


def shown(host: str) -> str:
    """Return a header Host for a log or an answer, cut and without what could act."""
    return ascii(host[:LONGEST_SHOWN])
