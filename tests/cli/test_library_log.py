"""Messages of libraries as lines of the log."""

from __future__ import annotations

import logging
import warnings
from io import StringIO

import pytest

from dicomquest.cli import library_log
from dicomquest.cli.library_log import CountedRecords, log_libraries
from dicomquest.escaping import EscapingFormatter


def record(text: str, *args: object, level: int = logging.ERROR) -> logging.LogRecord:
    return logging.LogRecord("pydicom", level, "", 0, text, args, None)


def test_same_text_is_counted() -> None:
    counted = CountedRecords()
    shown = [each for each in (record("bad frame") for _ in range(100)) if counted.filter(each)]
    assert [each.getMessage() for each in shown] == [
        "bad frame",
        "bad frame (10 times)",
        "bad frame (100 times)",
    ]
    assert counted.filter(record("other"))


def test_traceback_is_left_out() -> None:
    made = record("cannot decode\n%s", "frame")
    made.exc_info = (ValueError, ValueError("x"), None)
    assert CountedRecords().filter(made)
    line = EscapingFormatter("%(levelname)s %(message)s").format(made)
    assert line == "WARNING cannot decode frame"


def test_texts_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_log, "MOST_TEXTS", 10)
    counted = CountedRecords()
    for number in range(100):
        assert counted.filter(record(f"text {number}"))
    assert len(counted._times) <= 10


def test_own_messages_pass_as_they_are() -> None:
    counted = CountedRecords()
    own = record("lost", level=logging.ERROR)
    own.name = "dicomquest.server"
    assert [counted.filter(own) for _ in range(3)] == [True] * 3
    assert own.levelno == logging.ERROR


def test_warnings_are_lines_of_the_log() -> None:
    output = StringIO()
    handler = logging.StreamHandler(output)
    handler.setFormatter(EscapingFormatter("%(levelname)s %(message)s"))
    logging.root.addHandler(handler)
    try:
        with warnings.catch_warnings():
            log_libraries(handler)
            warnings.simplefilter("always", UserWarning)
            for _ in range(10):
                warnings.warn("odd value \x1b[31m", UserWarning, stacklevel=1)
    finally:
        logging.root.removeHandler(handler)
    first, tenth = output.getvalue().splitlines()
    assert first.startswith("WARNING UserWarning: odd value ")
    assert "\x1b" not in first
    assert tenth == f"{first} (10 times)"
