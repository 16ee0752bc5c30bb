"""Where the programs of other people are that the tests talk to."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path


def find_program(name: str) -> str | None:
    """Look in PATH, and where Debian keeps the servers, which is not in every user's PATH."""
    folders = [os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin", *_postgresql_folders()]
    return shutil.which(name, path=":".join(folders))


def program(name: str) -> str:
    """As ``find_program``, for a test that is marked with this program and so does not run without it."""
    path = find_program(name)
    assert path is not None, f"{name} is not installed, and this test is not marked peer({name!r})"
    return path


def _postgresql_folders() -> list[str]:
    """PostgreSQL's programs, the newest version first."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if re.fullmatch(r"\d+", path.parent.name)]
    return [str(path) for path in sorted(found, key=lambda path: int(path.parent.name), reverse=True)]
