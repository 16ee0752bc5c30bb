"""Names of peers and files reach log and terminal escaped."""

from __future__ import annotations

import logging

import pytest

from dicomquest.escaping import EscapingFormatter, escaped


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("山田^太郎=Müller\\de", "山田^太郎=Müller\\de"),
        ("a\nb\r\tc\0", r"a\x0ab\x0d\x09c\x00"),
        ("\x1b[2J\x7f\x9b2J", r"\x1b[2J\x7f\x9b2J"),
        ("\u202egpj.exe\u2066\u200f", r"\u202egpj.exe\u2066\u200f"),
        ("a\u2028b\u2029c\x85d", r"a\u2028b\u2029c\x85d"),
        ("\udcff", r"\udcff"),
    ],
)
def test_escaped(text: str, shown: str) -> None:
    assert escaped(text) == shown


def formatted(message: str, *values: object, failure: BaseException | None = None) -> str:
    info = (type(failure), failure, failure.__traceback__) if failure is not None else None
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, message, values, info)
    return EscapingFormatter("%(levelname)s %(message)s").format(record)


def fail() -> None:
    raise ValueError("bad\nINFO forged\x1b[2J")


def test_a_message_is_one_line() -> None:
    assert formatted("from %s", "A\nINFO forged") == r"INFO from A\x0aINFO forged"


def test_traceback_keeps_its_lines_indented() -> None:
    with pytest.raises(ValueError, match="forged") as raised:
        fail()
    lines = formatted("failed", failure=raised.value).splitlines()
    assert lines[:2] == ["INFO failed", "  Traceback (most recent call last):"]
    assert lines[-2:] == ["  ValueError: bad", r"  INFO forged\x1b[2J"]
    assert all(line.startswith("  ") for line in lines[1:])
