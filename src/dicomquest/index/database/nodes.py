"""How a PostgreSQL database on one server or on several is reached, and how soon a dead server is noticed.

A location is a libpq URL and may name several servers; libpq takes the first that is as ``target_session_attrs`` wants
it. So nothing here follows a failover: who connects anew arrives at whatever server is the primary then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum

from dicomquest.errors import IndexDatabaseError

SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
"""What a URL of PostgreSQL may begin with; the last is SQLAlchemy's."""

DEFAULTS: Mapping[str, str] = {
    "application_name": "dicomquest",
    # Seconds an address; libpq's own waits are the kernel's, of minutes.
    "connect_timeout": "3",
    # A server whose machine has gone says nothing: seen after 5 + 3 * 2 seconds, or after 10 of no acknowledgement.
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""What libpq gets where the URL does not say otherwise."""


class Use(Enum):
    """What a connection is for; the value is its ``target_session_attrs`` where the URL does not say."""

    WRITE = "read-write"
    READ = "any"
    """A reader beside writers: with several servers it must be the writers' own, to see what they have written."""
    READ_REPLICA = "prefer-standby"


def is_postgresql(location: str) -> bool:
    """Whether this is a URL of a PostgreSQL database."""
    scheme, separator, _ = location.partition("://")
    return bool(separator) and scheme in SCHEMES


def parameters(location: str, use: Use) -> dict[str, str]:
    """Read the URL as libpq does; return all that is to be given to it. IndexDatabaseError if it is none."""
    from psycopg import ProgrammingError  # noqa: PLC0415  an index in SQLite needs none of it
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    rest = location.partition("://")[2]
    if "@" in _behind_user(rest).partition("?")[0]:
        # libpq would take a part of the password for the host, the port or the database, which a message shows.
        raise IndexDatabaseError(
            "the database URL has an @ or a / too many: in user and password write %40 and %2F"
        )
    try:
        given = {
            name: str(value) for name, value in conninfo_to_dict(f"postgresql://{rest}").items()
        }
    except ProgrammingError as error:
        # Neither the URL nor the part that libpq quotes of it: it may be the password.
        words = one_line(error) if "@" not in rest else one_line(error).partition(":")[0]
        raise IndexDatabaseError(f"the database URL is not understood: {words}") from None
    has_several = "," in given.get("host", "")
    attributes = Use.WRITE if use is Use.READ and has_several else use
    return {**DEFAULTS, "target_session_attrs": attributes.value, **given}


def _behind_user(rest: str) -> str:
    """What libpq reads hosts and database in: it looks for the user's @ up to the first slash."""
    end = re.search("[@/]", rest)
    return rest[end.end() :] if end is not None and end[0] == "@" else rest


def described(location: str) -> str:
    """Say which database this is, without user and password."""
    given = parameters(location, Use.READ)
    hosts = given.get("host", "").split(",")
    ports = given.get("port", "").split(",")
    # One port may hold for all hosts.
    pairs = zip(hosts, ports if len(ports) == len(hosts) else ports[:1] * len(hosts), strict=True)
    servers = ", ".join(f"{host or 'localhost'} port {port or 5432}" for host, port in pairs)
    return f"PostgreSQL database {given.get('dbname', '')!r} on {servers}"


def one_line(error: Exception) -> str:
    """The driver's words, which take a line for each server that was tried and indented hints below it."""
    return "; ".join(
        line.strip().removeprefix("- ") for line in str(error).splitlines() if line.strip()
    )
