"""Messages that cross no wire are whole; an Error Comment has room for 64 characters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from dicomquest.cli import main
from dicomquest.dimse.command_sets import decode_command, encode_command
from dicomquest.dimse.commands import CFindRSP
from dicomquest.errors import IdentifierError, StoreError, error_comment
from dicomquest.index import Index
from dicomquest.services.failures import failure_of
from fixtures.faces import HOST, serving

if TYPE_CHECKING:
    from pathlib import Path

# Longer than an Error Comment.
LONG_WORDS = "Referring Physician's Name: " + "a word and another one, " * 8 + "the end"
BAD_DATE = "2024-01-01 to 2024-02-29"
ABOUT_DATE = f"Study Date: '{BAD_DATE}' is no DA value: expected a range a-b, a- or -b"
ABOUT_WRITTEN_DATE = (
    f"Study Date: '{BAD_DATE}' is no date. Write 2024-01-05, 2024-01, 2024, 2024-01..2024-03, today"
    " or -7d."
)


def test_each_error_has_its_message_whole() -> None:
    for error in (IdentifierError(0xA900, LONG_WORDS), StoreError(0xA900, LONG_WORDS)):
        assert str(error) == LONG_WORDS
    # The log has it, too: it has no other word of why an instance was not stored.
    assert failure_of(StoreError(0xA900, LONG_WORDS)).comment == LONG_WORDS


def test_comment_leaves_clauses_out() -> None:
    """Dots stand for words that are missing within a clause, none for a whole clause."""
    long = "Study Time: '25' is no TM value: expected an hour of 00 to 23, a minute of 00 to 59"
    assert error_comment(long) == "Study Time: '25' is no TM value"
    assert error_comment(long, "Study Time: expected HHMMSS") == "Study Time: expected HHMMSS"
    comment = error_comment(LONG_WORDS)
    assert len(comment) <= 64
    assert LONG_WORDS.startswith((comment.replace("...", " "), comment.replace("...", ", ")))
    assert error_comment("x" * 70) == "x" * 61 + "..."
    assert error_comment("ä\\b\n") == "?/b "


def test_comment_on_the_wire_has_64_characters() -> None:
    response = CFindRSP(message_id_being_responded_to=1, status=0xA700, error_comment=LONG_WORDS)
    decoded = decode_command(encode_command(response))
    assert isinstance(decoded, CFindRSP)
    assert decoded.error_comment == error_comment(LONG_WORDS)


def test_open_index_tells_all(tmp_path: Path) -> None:
    with (
        Index(tmp_path / "index.sqlite") as index,
        pytest.raises(ValueError, match="is no date") as raised,
    ):
        index.find(StudyDate=BAD_DATE)
    assert str(raised.value) == ABOUT_WRITTEN_DATE


def test_commands_tell_all(tmp_path: Path) -> None:
    location = str(tmp_path / "index.sqlite")
    Index(location).close()
    key = f"StudyDate={BAD_DATE}"
    removed = CliRunner().invoke(main, ["remove", "--index", location, "--level", "STUDY", key])
    assert ABOUT_WRITTEN_DATE.replace("Date:", "Date") in removed.stderr
    with serving(lambda _: iter(())) as port:
        found = CliRunner().invoke(main, ["find", HOST, str(port), key, "--as-is", "--explain"])
    assert f"the Standard gives it no meaning: {ABOUT_DATE}\n" in found.stderr
    assert f"not valid: {ABOUT_DATE}\n" in found.stderr
