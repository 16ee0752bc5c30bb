"""Numbers of entities and files in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dicomquest.standard.levels import Level, Noun


def counted(count: int, level: Level | Noun) -> str:
    """Write a number of entities: ``1 study``, ``2,000 studies``."""
    return f"{count:,} {level.entity if count == 1 else level.entities}"


def counted_each(counts: Mapping[Level, int]) -> str:
    """Write the numbers of several levels."""
    return ", ".join(counted(count, level) for level, count in counts.items())


def counted_files(count: int) -> str:
    """Write a number of files: ``1 file``, ``2,000 files``."""
    return number_of(count, "file")


def number_of(count: int, noun: str) -> str:
    """Write a number of things whose plural ends in ``s``."""
    return f"{count:,} {noun}{'s' * (count != 1)}"
