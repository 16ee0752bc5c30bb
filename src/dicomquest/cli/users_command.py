"""``dicomquest users``: the file of those who may ask with a passcode (PS3.7 D.3.3.7)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from dicomquest.cli.help_page import PageGroup
from dicomquest.cli.messages import give_up, say
from dicomquest.cli.shared_options import USERS_FILE
from dicomquest.errors import AccessError

DEFAULT_FILE = "dicomquest.users"

_file_option = click.option(
    "--users-file",
    type=USERS_FILE,
    default=DEFAULT_FILE,
    show_default=True,
    envvar="DICOMQUEST_USERS_FILE",
    show_envvar=True,
    metavar="FILE",
    help="The file of users, the same as of `serve`.",
)


@click.group(cls=PageGroup)
def users() -> None:
    """Keep the file of users: names, and argon2 hashes of their passcodes.

    A server that is started with `--users-file` lets in who gives a name and its passcode (user
    identity negotiation). It reads the file again whenever that has changed.

    \b
      dicomquest users add ann
      dicomquest users list
      dicomquest serve --users-file dicomquest.users
    """  # noqa: D301


@users.command(short_help="Add a user, or change the passcode of one.")
@click.argument("name")
@_file_option
def add(name: str, users_file: str) -> None:
    """Add a user, or give one a new passcode, which is asked for or comes from standard input.

    \b
      dicomquest users add ann
      pwgen 20 1 | tee ann.txt | dicomquest users add ann
    """  # noqa: D301
    from dicomquest.services.passcodes import check_name, hasher

    path = Path(users_file)
    with _failures(path):
        check_name(name)
        hash_of = hasher().hash
        known = _read(path)
        words = f"the passcode of {name} is changed" if name in known else f"{name} is added"
        _write(path, known | {name: hash_of(_passcode(name))})
    say(f"{path}: {words}.")


@users.command(short_help="Take users out of the file.")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@_file_option
def remove(names: tuple[str, ...], users_file: str) -> None:
    """Take users out of the file; their next association is refused.

    \b
      dicomquest users remove ann bob
    """  # noqa: D301
    path = Path(users_file)
    with _failures(path):
        known = _read(path)
        for name in names:
            if name not in known:
                raise give_up(f"{path} has no user {name!r}; `dicomquest users list` shows them")
        _write(path, {name: hashed for name, hashed in known.items() if name not in names})
    say(f"{path}: {', '.join(names)} removed.")


@users.command("list", short_help="Print the names.")
@_file_option
def list_(users_file: str) -> None:
    """Print the names, one a line.

    \b
      dicomquest users list
    """  # noqa: D301
    from dicomquest.services.passcodes import read_users

    path = Path(users_file)
    with _failures(path):
        for name in sorted(read_users(path)):
            click.echo(name)


def _passcode(name: str) -> str:
    if sys.stdin.isatty():
        asked: str = click.prompt(
            f"Passcode of {name}", hide_input=True, confirmation_prompt="Once more", err=True
        )
        return asked
    passcode = sys.stdin.readline().rstrip("\r\n")
    if not passcode:
        raise give_up("standard input has no passcode: its first line is empty")
    return passcode


def _read(path: Path) -> dict[str, str]:
    from dicomquest.services.passcodes import read_users

    return read_users(path) if path.exists() else {}


def _write(path: Path, known: dict[str, str]) -> None:
    from dicomquest.services.passcodes import write_users

    write_users(path, known)


@contextmanager
def _failures(path: Path) -> Iterator[None]:
    try:
        yield
    except AccessError as error:
        raise give_up(str(error)) from error
    except OSError as error:
        raise give_up(f"cannot write {path}: {error.strerror or error}") from error
