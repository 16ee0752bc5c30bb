"""Where the programs of other people are that the tests talk to."""

from __future__ import annotations

import os
import shutil


def find_program(name: str) -> str | None:
    """Look in PATH, and where Debian keeps the servers, which is not in every user's PATH."""
    return shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin")


def program(name: str) -> str:
    """As ``find_program``, for a test that is marked with this program and so does not run without it."""
    path = find_program(name)
    assert path is not None, f"{name} is not installed, and this test is not marked peer({name!r})"
    return path
