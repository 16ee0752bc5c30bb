"""The messages of the commands on standard error, and their exit statuses."""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from dicomquest.errors import IndexDatabaseError, MissingIndexError
from dicomquest.escaping import escaped

FAILED = 1
"""The exit status when peer or index refused or failed."""

WRONG_COMMAND_LINE = 2
"""The exit status of a wrong command line, which is click's own."""

INTERRUPTED = 130
"""The exit status after Ctrl-C, the one that shells report for SIGINT."""


def say(message: str) -> None:
    """Tell the user something that is not a result; names and comments of peers are escaped."""
    # The log is buffered and on the same stream: its earlier lines come first.
    for handler in logging.getLogger().handlers:
        handler.flush()
    lines = [escaped(line) for line in message.split("\n")]
    if sys.stderr.isatty():
        lines = [part for line in lines for part in _fitting(line)]
    click.echo("\n".join(lines), err=True)


def _fitting(line: str) -> list[str]:
    """Break a line at blanks, so that the terminal breaks no word."""
    width = shutil.get_terminal_size().columns
    if len(line) <= width // 2:
        return [line]
    from dicomquest.cli.output.cells import wrapped

    text = line.lstrip(" ")
    indent = len(line) - len(text)
    # What goes on below an indented line stands further in than its next line.
    more = indent + 2 * (indent > 0)
    first, *rest = wrapped(text, max(width - more, 1))
    return [" " * indent + first, *(" " * more + part for part in rest)]


def give_up(message: str, status: int = FAILED) -> click.exceptions.Exit:
    """Print the reason of a failure, and return the exception that ends the command."""
    say(f"Error: {message}")
    return click.exceptions.Exit(status)


MAKES_AN_INDEX = "`dicomquest index PATH...` makes one"
MAKES_A_WORKLIST = "`dicomquest worklist add FILE...` and `dicomquest serve --worklist` make one"


def index_failure(error: IndexDatabaseError, remedy: str = MAKES_AN_INDEX) -> click.exceptions.Exit:
    """Print why the index failed, and return the exception that ends the command."""
    return give_up(f"{error}; {remedy}" if isinstance(error, MissingIndexError) else str(error))


@contextmanager
def index_failures(interrupted: str, remedy: str = MAKES_AN_INDEX) -> Iterator[None]:
    """Turn failures of the index, and Ctrl-C with the words ``interrupted``, into messages."""
    try:
        yield
    except IndexDatabaseError as error:
        raise index_failure(error, remedy) from error
    except KeyboardInterrupt:
        raise give_up(f"interrupted; {interrupted}", INTERRUPTED) from None
