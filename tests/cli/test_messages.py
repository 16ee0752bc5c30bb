"""A command that fails says why on standard error, and its exit status says how."""

from __future__ import annotations

import click
import pytest

from dicomquest.cli.messages import give_up, index_failures, say
from dicomquest.errors import IndexDatabaseError, MissingIndexError


def test_reason_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert give_up("the disk is full").exit_code == 1
    assert capsys.readouterr() == ("", "Error: the disk is full\n")


@pytest.mark.parametrize(
    ("failure", "status", "message"),
    [
        (IndexDatabaseError("no server"), 1, "Error: no server\n"),
        (
            MissingIndexError("no index at x.sqlite"),
            1,
            "Error: no index at x.sqlite; `dicomquest index PATH...` makes one\n",
        ),
        (KeyboardInterrupt(), 130, "Error: interrupted; nothing is lost\n"),
    ],
    ids=["database", "missing", "interrupted"],
)
def test_failure_of_the_index_ends_the_command(
    failure: BaseException, status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(click.exceptions.Exit) as ended, index_failures("nothing is lost"):
        raise failure
    assert ended.value.exit_code == status
    assert capsys.readouterr() == ("", message)


def test_other_failures_pass_through() -> None:
    with pytest.raises(ZeroDivisionError), index_failures("nothing is lost"):
        raise ZeroDivisionError


def test_messages_steer_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say("skipped: a\x1b[2J\u202eb\nsecond line")
    assert capsys.readouterr().err == "skipped: a\\x1b[2J\\u202eb\nsecond line\n"


def test_terminal_breaks_no_word(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    say(
        "Warning: the peer ignored Modality = CT: 3 of 4 studies have another.\n"
        "  Name the title of it: --aec TITLE, please"
    )
    assert capsys.readouterr().err.splitlines() == [
        "Warning: the peer ignored Modality = CT:",
        "3 of 4 studies have another.",
        "  Name the title of it: --aec TITLE,",
        "    please",
    ]
