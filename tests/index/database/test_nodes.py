"""Several PostgreSQL servers: their names and the ways to reach them, mostly without a server."""

from __future__ import annotations

import os
import socket

import psycopg
import pytest

from dicomquest.errors import IndexDatabaseError
from dicomquest.index.database.nodes import (
    DEFAULTS,
    Use,
    described,
    is_postgresql,
    one_line,
    parameters,
)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("postgresql://h/db", True),
        ("postgres://h/db", True),
        ("postgresql+psycopg://h/db", True),
        ("sqlite:///postgresql", False),
        ("postgresql", False),
        ("mysql://h/db", False),
    ],
)
def test_location_is_postgresql_url_by_its_scheme(location: str, expected: bool) -> None:
    assert is_postgresql(location) is expected


@pytest.mark.parametrize(
    ("location", "use", "attributes"),
    [
        ("postgresql://h/db", Use.WRITE, "read-write"),
        ("postgresql://h/db", Use.READ, "any"),
        ("postgresql://h/db", Use.READ_REPLICA, "prefer-standby"),
        # Readers of several servers must see the commits of the writers beside them.
        ("postgresql://h1,h2/db", Use.READ, "read-write"),
        ("postgresql://h1,h2/db", Use.READ_REPLICA, "prefer-standby"),
        ("postgresql://h1,h2/db?target_session_attrs=any", Use.READ, "any"),
        ("postgresql+psycopg://h1,h2/db?target_session_attrs=standby", Use.READ_REPLICA, "standby"),
    ],
)
def test_default_server_unless_url_names_one(location: str, use: Use, attributes: str) -> None:
    assert parameters(location, use)["target_session_attrs"] == attributes


def test_url_wins_over_the_defaults() -> None:
    found = parameters(
        "postgresql://me:secret@h1:1,h2:2/db?connect_timeout=9&sslmode=require", Use.WRITE
    )
    assert found == {
        **DEFAULTS, "target_session_attrs": "read-write", "user": "me", "password": "secret",
        "host": "h1,h2",
        "port": "1,2", "dbname": "db", "connect_timeout": "9", "sslmode": "require",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("postgresql://h/db?colour=red", 'is malformed: invalid URI query parameter: "colour"'),
        ("postgresql://me:sec%ret@h/db", "is malformed: invalid percent-encoded token$"),
    ],
)
def test_malformed_url_is_refused_without_password(location: str, message: str) -> None:
    """A malformed URL is refused, and the message does not show its password."""
    with pytest.raises(IndexDatabaseError, match=message):
        parameters(location, Use.WRITE)


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("postgresql://me:secret@h1:1,h2:2/db", "PostgreSQL database 'db' on h1 port 1, h2 port 2"),
        ("postgresql://h1,h2/db", "PostgreSQL database 'db' on h1 port 5432, h2 port 5432"),
        (
            "postgresql:///db?host=/run/postgresql",
            "PostgreSQL database 'db' on /run/postgresql port 5432",
        ),
        ("postgresql://", "PostgreSQL database '' on localhost port 5432"),
    ],
)
def test_database_is_named_without_user_and_password(location: str, words: str) -> None:
    assert described(location) == words


def test_errors_take_one_line() -> None:
    assert one_line(ValueError("last\nAll failures were:\n- one: refused\n\tIs it running?\n")) == (
        "last; All failures were:; one: refused; Is it running?"
    )


@pytest.mark.peer("postgres")
@pytest.mark.skipif(
    not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no such option"
)
def test_dead_machine_is_noticed(postgresql_database: str) -> None:
    """The socket would notice a dead peer: no peer on one machine can be silent for ever."""
    with (
        psycopg.connect(
            **parameters(postgresql_database, Use.READ)  # type: ignore[arg-type]
        ) as connection,
        socket.socket(fileno=os.dup(connection.fileno())) as shared,
    ):
        options = {
            name: shared.getsockopt(level, option)
            for name, level, option in (
                ("keepalive", socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                ("idle", socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
                ("interval", socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
                ("count", socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
                ("user", socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
            )
        }
    assert options == {"keepalive": 1, "idle": 5, "interval": 2, "count": 3, "user": 10_000}
