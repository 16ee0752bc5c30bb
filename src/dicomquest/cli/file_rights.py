"""The rights of new files: the index and the store hold patient data, so they are private."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import click

PRIVATE = "077"
"""The mask that leaves all rights to the owner, and none to others: files 0600, folders 0700."""

UMASK_WORDS = (
    "The rights that new files and folders of index and store lack, in octal: 027 lets the group "
    "read them."
)


def octal_mask(given: str | int) -> str:
    """Check a mask of file rights; the owner must keep all of them."""
    value = str(given)  # a configuration file may have a number, which is no octal one
    if not (value.isdigit() and len(value) in {3, 4} and set(value) <= set("01234567")):
        raise click.BadParameter(f'{given!r} is no mask: write three octal digits, as "027"')
    if int(value, 8) & ~0o077:
        raise click.BadParameter(f"{value} takes rights from the owner: write 0 and two digits")
    return value


umask_option = click.option(
    "--umask",
    default=PRIVATE,
    show_default=True,
    envvar="DICOMQUEST_UMASK",
    show_envvar=True,
    type=octal_mask,
    metavar="MASK",
    help=UMASK_WORDS,
)


@contextmanager
def new_files_without(mask: str) -> Iterator[None]:
    """Let the files that this process makes meanwhile lack these rights; existing ones keep theirs.

    SQLite gives the files beside an index the rights of the index.
    """
    before = os.umask(int(mask, 8))
    try:
        yield
    finally:
        os.umask(before)
