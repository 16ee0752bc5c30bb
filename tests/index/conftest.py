"""Indexes for the tests: an empty one each, in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dicomquest.index import Index

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index(tmp_path / "index.sqlite") as opened:
        yield opened
