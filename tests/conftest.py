"""Markers, Hypothesis profiles, and the PostgreSQL server of all tests."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterable, Iterator

import hypothesis
import pytest

from fixtures.postgresql_cluster import PROGRAMS, Cluster
from fixtures.programs import find_program

hypothesis.settings.register_profile("dev", max_examples=50, deadline=None)
hypothesis.settings.register_profile(
    "ci", max_examples=200, deadline=None, derandomize=True, print_blob=True
)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "dev")
)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs with SIGINT ignored. A program that a test interrupts would
    # inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)

REQUIREMENT_NUMBER = re.compile(r"(UL|QR|EN)-\d{3}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for marker in item.iter_markers("requirement"):
            for number in marker.args:
                if not REQUIREMENT_NUMBER.fullmatch(number):
                    raise pytest.UsageError(
                        f"{item.nodeid}: requirement({number!r}) is no number such as UL-010"
                    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose peers are missing; in the continuous integration fail it."""
    _require(program for marker in item.iter_markers("peer") for program in marker.args)


def _require(programs: Iterable[str]) -> None:
    missing = sorted({program for program in programs if find_program(program) is None})
    if missing:
        message = f"not installed: {', '.join(missing)}"
        if os.environ.get("CI") == "true":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """A PostgreSQL server for the databases of all tests."""
    _require(PROGRAMS)
    cluster = Cluster()
    try:
        yield cluster.start()
    finally:
        cluster.stop()


@pytest.fixture
def postgresql_database(postgresql: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database for one test; an indirect parameter names its template."""
    with postgresql.database(getattr(request, "param", None)) as url:
        yield url
