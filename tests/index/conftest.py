"""Indexes for the tests: an empty one each, in either database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from dicomquest.index import Index
from dicomquest.index.database.pool import Database
from dicomquest.index.tables.schema import METADATA, OLDEST_REVISION_SETTING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fixtures.postgresql_cluster import Cluster

EMPTY = (
    *(
        f"DELETE FROM {table.name}"
        for table in reversed(METADATA.sorted_tables)
        if table.name != "setting"
    ),
    f"DELETE FROM setting WHERE name <> '{OLDEST_REVISION_SETTING}'",
)


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """Both, one after the other; what holds of one only: ``parametrize("backend", ["sqlite"], indirect=True)``."""
    return str(request.param)


@pytest.fixture(scope="session")
def postgresql_template(postgresql: Cluster) -> str:
    """The name of a database with an empty index, to be copied."""
    Database(postgresql.create_database("empty_index")).close()
    return "empty_index"


@pytest.fixture(scope="session")
def postgresql_index(postgresql: Cluster, postgresql_template: str) -> str:
    """The URL of an index that is emptied after each test: a database of its own would take half a second."""
    return postgresql.create_database("shared_index", postgresql_template)


@pytest.fixture
def location(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the test may have its index, whose schema it must not change: there is none yet, or an empty one."""
    if backend == "sqlite":
        yield str(tmp_path / "index.sqlite")
        return
    url: str = request.getfixturevalue("postgresql_index")
    yield url
    with psycopg.connect(url, options="-c lock_timeout=5s") as connection:
        connection.execute("; ".join(EMPTY).encode())


@pytest.fixture
def own_location(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Where a test may have an index that it does everything to."""
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
