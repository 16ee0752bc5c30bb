"""Markers, Hypothesis profiles, quick schemas, and the PostgreSQL server of all tests."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Generator

import hypothesis
import pytest

from fixtures.postgresql import postgresql, postgresql_database
from fixtures.programs import require
from fixtures.replayed_schema import replayed_schema

__all__ = ["postgresql", "postgresql_database", "replayed_schema"]

hypothesis.settings.register_profile("dev", max_examples=50, deadline=None)
hypothesis.settings.register_profile(
    "ci", max_examples=200, deadline=None, derandomize=True, print_blob=True
)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "dev")
)

# A program that a test starts would compile all modules anew, which takes it half a second.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs with SIGINT ignored. A program that a test interrupts would
    # inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)

REQUIREMENT_NUMBER = re.compile(r"(UL|QR|EN|RT|QI|WS|WL|NP|DN|MP|UP|RQ)-\d{3}")


def pytest_configure(config: pytest.Config) -> None:
    """Leave the order of the files to the hook below: xdist starts a lone long test last."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        sizes = Counter(item.path for item in items)
        long = {item.path for item in items if item.get_closest_marker("long")}
        items.sort(key=lambda item: (item.path not in long, -sizes[item.path]))
    for item in items:
        for marker in item.iter_markers("requirement"):
            for number in marker.args:
                if not REQUIREMENT_NUMBER.fullmatch(number):
                    raise pytest.UsageError(
                        f"{item.nodeid}: requirement({number!r}) is no number such as UL-010"
                    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let nothing else run beside a test that is marked ``alone``."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    is_alone = item.get_closest_marker("alone") is not None
    with (item.config.rootpath / "pyproject.toml").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX if is_alone else fcntl.LOCK_SH)
        return (yield)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose peers are missing; in the continuous integration fail it."""
    require(program for marker in item.iter_markers("peer") for program in marker.args)
