"""Which key excludes everything: 20 prepared queries against our SCP, Orthanc and dcmqrscp."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from dicomquest.cli import main
from fixtures.nothing_found import CASES, Case
from peers import ours
from peers.processes import Peer


@pytest.fixture(scope="module")
def ours_scp(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    location = tmp_path_factory.mktemp("why") / "index.sqlite"
    ours.index(location, archive)
    with ours.serve(location) as peer:
        yield peer


@pytest.fixture(
    params=[
        "ours_scp",
        pytest.param("dcmqrscp", marks=pytest.mark.peer("dcmqrscp", "dcmqridx")),
        pytest.param("orthanc", marks=pytest.mark.peer("Orthanc")),
    ]
)
def peer(request: pytest.FixtureRequest) -> Peer:
    found: Peer = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_cause_is_found_at_a_peer(peer: Peer, case: Case) -> None:
    """The finding names the key at fault, after 12 questions at most."""
    done = CliRunner().invoke(
        main,
        ["find", peer.host, str(peer.port), "--aec", peer.aet, "-L", case.level,
         "-m", case.root, *ours.texts(case.keys), "--explain"],
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    if peer.aet == "QRSCP" and "ModalitiesInStudy" in case.keys:
        # It ignores the key and answers, which is said.
        assert "QRSCP ignored Modalities in Study" in done.stderr
        return
    assert done.stdout == ""
    assert "more questions (at most 100 answers each)" in done.stderr
    assert case.words in done.stderr
    assert sum(line.startswith("  without") for line in done.stderr.splitlines()) <= 12
