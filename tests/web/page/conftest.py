"""The page over three studies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomquest.index import open_index
from fixtures.web import Browser, three_studies


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A client of the page, in memory."""
    folder: Path = tmp_path_factory.mktemp("page")
    with open_index(folder / "index.sqlite", create=True) as index:
        three_studies(index)
        yield Browser(index)
