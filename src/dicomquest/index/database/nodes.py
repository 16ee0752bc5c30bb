"""The location of a PostgreSQL database on one or several servers, and the limits of its silence.

A location is a libpq URL and may name several servers: libpq takes the first one that fits
``target_session_attrs``. So no code here follows a failover: a new connection arrives at the server
that is the primary by then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum

from dicomquest.errors import IndexDatabaseError

SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
"""The schemes of a PostgreSQL URL; the last is SQLAlchemy's."""

DEFAULTS: Mapping[str, str] = {
    "application_name": "dicomquest",
    # Seconds an address; libpq's own waits are the kernel's, of minutes.
    "connect_timeout": "3",
    # A machine that is gone says nothing. These notice it after 5 + 3 * 2 seconds of silence, or
    # after 10 seconds without an acknowledgement.
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""The parameters of libpq, unless the URL has others."""


class Use(Enum):
    """The use of a connection; the value is ``target_session_attrs``, unless the URL has it."""

    WRITE = "read-write"
    READ = "any"
    """Reading beside writers: of several servers only theirs has all that they wrote."""
    READ_REPLICA = "prefer-standby"


def is_postgresql(location: str) -> bool:
    """Tell whether a location is the URL of a PostgreSQL database."""
    scheme, separator, _ = location.partition("://")
    return bool(separator) and scheme in SCHEMES


def parameters(location: str, use: Use) -> dict[str, str]:
    """Return the parameters of libpq for a URL; IndexDatabaseError if it is malformed."""
    from psycopg import ProgrammingError  # noqa: PLC0415  an index in SQLite needs none of it
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    rest = location.partition("://")[2]
    if "@" in _behind_user(rest).partition("?")[0]:
        # libpq would read a part of the password as host, port or database, which messages show.
        raise IndexDatabaseError(
            "the database URL has an unescaped @ or /: in user and password write %40 and %2F"
        )
    try:
        given = {
            name: str(value) for name, value in conninfo_to_dict(f"postgresql://{rest}").items()
        }
    except ProgrammingError as error:
        # The message has neither the URL nor libpq's quotation: both may hold the password.
        words = one_line(error) if "@" not in rest else one_line(error).partition(":")[0]
        raise IndexDatabaseError(f"the database URL is malformed: {words}") from None
    has_several = "," in given.get("host", "")
    attributes = Use.WRITE if use is Use.READ and has_several else use
    return {**DEFAULTS, "target_session_attrs": attributes.value, **given}


def _behind_user(rest: str) -> str:
    """Return the part behind the user: libpq looks for the @ up to the first slash."""
    end = re.search("[@/]", rest)
    return rest[end.end() :] if end is not None and end[0] == "@" else rest


def described(location: str) -> str:
    """Return the database and its servers in words, without user and password."""
    given = parameters(location, Use.READ)
    hosts = given.get("host", "").split(",")
    ports = given.get("port", "").split(",")
    # One port may hold for all hosts.
    pairs = zip(hosts, ports if len(ports) == len(hosts) else ports[:1] * len(hosts), strict=True)
    servers = ", ".join(f"{host or 'localhost'} port {port or 5432}" for host, port in pairs)
    return f"PostgreSQL database {given.get('dbname', '')!r} on {servers}"


def one_line(error: Exception) -> str:
    """Return the driver's words, which have a line a server and indented hints, in one line."""
    return "; ".join(
        line.strip().removeprefix("- ") for line in str(error).splitlines() if line.strip()
    )
