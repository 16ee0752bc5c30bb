"""Nodes answer rightly while attributes come and go and instances arrive."""

from __future__ import annotations

import contextlib
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dicomquest import find
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.index import Index
from fixtures.timing import LONG
from nodes.served import Load, node
from peers.ours import COMMAND, ENVIRONMENT
from peers.processes import Peer

OLD, NEW = 3000, 3000
EACH = 100


def instance(number: int) -> DataSet:
    return {
        0x00080016: Element("UI", ("1.2.840.10008.5.1.4.1.1.2",)),
        0x00080018: Element("UI", (f"1.2.3.{number}",)),
        0x00080060: Element("CS", ("CT",)),
        0x00100010: Element("PN", ("CITIZEN^JAN",)),
        0x00100020: Element("LO", ("P1",)),
        0x00181160: Element("SH", (f"FILTER {number % EACH}",)),
        0x0020000D: Element("UI", ("1.2.4.1",)),
        0x0020000E: Element("UI", ("1.2.5.1",)),
    }


EXPECTED = {f"1.2.3.{number}" for number in range(7, OLD, EACH)}


def ask(peer: Peer) -> str:
    """Find by the attribute: all old instances, and of the new ones those that have it."""
    keys: dict[str, Any] = {
        "StudyInstanceUID": "1.2.4.1",
        "SeriesInstanceUID": "1.2.5.1",
        "SOPInstanceUID": None,
        "FilterType": "FILTER 7",
    }
    found = {
        each.SOPInstanceUID
        for each in find(peer.host, peer.port, level="IMAGE", model="study", **keys)
    }
    assert found >= EXPECTED, f"without {len(EXPECTED - found)}"
    assert {int(uid.rpartition(".")[2]) % EACH for uid in found} == {7}
    return ""


def attribute(location: str, *arguments: str) -> str:
    done = subprocess.run(
        [*COMMAND, "attribute", *arguments, "--index", location],
        env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=6 * LONG,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "index.sqlite")
    url: str = request.getfixturevalue("postgresql_database")
    return url


def test_no_find_fails_while_attributes_come_and_go(location: str, tmp_path: Path) -> None:
    with Index(location) as index, contextlib.ExitStack() as stack:
        index.ingest_data_sets(map(instance, range(OLD)))
        peers = [stack.enter_context(node(location, tmp_path)) for _ in range(2)]
        numbers = iter(range(OLD, OLD + NEW, 10))

        def ingest() -> str:
            first = next(numbers, None)
            if first is not None:
                index.ingest_data_sets(map(instance, range(first, first + 10)))
            return ""

        with contextlib.ExitStack() as loads:
            finds = [
                loads.enter_context(Load(f"finds at {peer.port}", partial(ask, peer)))
                for peer in peers
            ]
            loads.enter_context(Load("ingest", ingest))
            for _ in range(2):
                attribute(location, "add", "FilterType")
                assert " ready " in attribute(location, "list")
                attribute(location, "drop", "FilterType")
            attribute(location, "add", "FilterType")
        assert all(
            load.attempts and not any(each.failure for each in load.attempts) for load in finds
        )
        assert index.check().examples == []
