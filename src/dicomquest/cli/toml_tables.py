"""Tables of a TOML file added and removed in its text, so that comments and order stay."""

from __future__ import annotations

import os
import tempfile
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from dicomquest.cli.configuration import table_header, toml_value
from dicomquest.errors import ConfigurationError


def with_table(text: str, kind: str, title: str, values: Mapping[str, Any]) -> str:
    """Return the text with a further table ``[kind.title]`` at its end."""
    lines = [f"[{table_header(kind, title)}]"]
    lines.extend(f"{key} = {toml_value(value)}" for key, value in values.items())
    before = f"{text.rstrip()}\n\n" if text.strip() else ""
    return before + "\n".join(lines) + "\n"


def without_table(text: str, kind: str, title: str) -> str:
    """Return the text without a table; ConfigurationError if its form is not the usual one."""
    expected = tomllib.loads(text)
    del expected[kind][title]
    if not expected[kind]:
        del expected[kind]
    kept: list[str] = []
    is_inside = False
    for line in text.splitlines(keepends=True):
        if line.lstrip().startswith("["):
            is_inside = _names(line, kind, title)
            if is_inside:
                continue
        # A comment above the next table is about that one; it comes after an empty line.
        elif is_inside and line.strip().startswith("#") and kept and not kept[-1].strip():
            is_inside = False
        if is_inside and line.strip():
            continue
        kept.append(line)
    left = "".join(kept)
    if _loaded(left) != expected:
        raise ConfigurationError([f"[{table_header(kind, title)}] is not in the usual form"])
    left = left.strip("\n")
    return f"{left}\n" if left else ""


def _names(line: str, kind: str, title: str) -> bool:
    """Tell whether the line is the header of the table."""
    loaded = _loaded(line)
    table = loaded.get(kind) if loaded else None
    return isinstance(table, dict) and title in table


def _loaded(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def write_whole(path: Path, text: str) -> None:
    """Replace a file at once, or make it; a reader sees the old text or the new."""
    place = path.resolve()
    number, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
        if place.exists():
            Path(name).chmod(place.stat().st_mode & 0o777)
        Path(name).replace(place)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
