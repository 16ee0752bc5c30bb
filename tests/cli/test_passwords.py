"""Passwords, which no output shows."""

from __future__ import annotations

import pytest

from dicomquest.cli.passwords import without_passwords


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("scans.sqlite", "scans.sqlite"),
        ("postgresql://me:secret@db/x", "postgresql://me:***@db/x"),
        ("postgresql://me@db/x?password=secret&a=1", "postgresql://me@db/x?password=***&a=1"),
        ("postgresql://me:s%40c:r@db1,db2/x", "postgresql://me:***@db1,db2/x"),
        ("host=db password=secret", "host=db password=***"),
        ("postgresql://:secret@db/x", "postgresql://:***@db/x"),
        ("postgresql://db:5432/x", "postgresql://db:5432/x"),
    ],
)
def test_password_is_hidden(text: str, shown: str) -> None:
    assert without_passwords(text) == shown
