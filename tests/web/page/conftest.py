"""The page over three studies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomquest.index import open_index
from dicomquest.web.page import study_answer
from fixtures.web import Browser, three_studies


@pytest.fixture(autouse=True)
def patient_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The head of each page waits for the number of studies, however busy the machine is."""
    monkeypatch.setattr(study_answer, "FIRST_WAIT", 60)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A client of the page, in memory."""
    folder: Path = tmp_path_factory.mktemp("page")
    with open_index(folder / "index.sqlite", create=True) as index:
        three_studies(index)
        yield Browser(index)
