"""Indexes for the tests: an empty one each, in either database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dicomquest.index import Index
from dicomquest.index.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from postgresql_cluster import Cluster

TEMPLATE = "empty_index"


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """Both, one after the other; what holds of one only: ``parametrize("backend", ["sqlite"], indirect=True)``."""
    return str(request.param)


@pytest.fixture(scope="session")
def postgresql_template(postgresql: Cluster) -> str:
    """The name of a database with an empty index, to be copied: sooner than to be made anew."""
    Database(postgresql.create_database(TEMPLATE)).close()
    return TEMPLATE


@pytest.fixture
def location(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the test may have its index: there is none yet, or an empty one."""
    if backend == "sqlite":
        yield str(tmp_path / "index.sqlite")
        return
    cluster: Cluster = request.getfixturevalue("postgresql")
    with cluster.database(request.getfixturevalue("postgresql_template")) as url:
        yield url


@pytest.fixture
def index(location: str) -> Iterator[Index]:
    with Index(location) as opened:
        yield opened
