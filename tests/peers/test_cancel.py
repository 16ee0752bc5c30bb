"""C-CANCEL by other clients while more answers stream than all buffers between can hold."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.index import Index
from peers import ours
from peers.dcmtk import findscu
from peers.processes import Peer

INSTANCES = 3000
COMMENT = "x" * 10_000
STUDY, SERIES = "1.2.3", "1.2.3.1"


def instances() -> Iterator[DataSet]:
    for number in range(1, INSTANCES + 1):
        yield {
            0x00080016: Element("UI", ("1.2.840.10008.5.1.4.1.1.2",)),
            0x00080018: Element("UI", (f"{SERIES}.{number}",)),
            0x00080060: Element("CS", ("CT",)),
            0x00100020: Element("LO", ("P",)),
            0x0020000D: Element("UI", (STUDY,)),
            0x0020000E: Element("UI", (SERIES,)),
            0x00200013: Element("IS", (str(number),)),
            0x00204000: Element("LT", (COMMENT,)),
        }


@pytest.fixture(scope="module")
def scp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    location = tmp_path_factory.mktemp("cancel") / "index.sqlite"
    with Index(location) as index:
        assert index.ingest_data_sets(instances()).indexed == INSTANCES
    with ours.serve(location) as peer:
        yield peer


KEYS = {
    "StudyInstanceUID": STUDY,
    "SeriesInstanceUID": SERIES,
    "SOPInstanceUID": "",
    "ImageComments": "",
}


@pytest.mark.requirement("QR-160", "QR-165", "UL-080")
@pytest.mark.peer("findscu")
@pytest.mark.parametrize("options", ["", "--max-pdu 4096"])
def test_findscu_cancels_after_five_responses(scp: Peer, options: str) -> None:
    outcome = findscu(scp, "IMAGE", KEYS, "--cancel", "5", *options.split())
    assert outcome.final.startswith("Cancel"), outcome.output[-1000:]
    assert 5 <= len(outcome.answers) < INSTANCES
    assert outcome.output.count("Received Final Find Response") == 1


@pytest.mark.requirement("QR-171")
@pytest.mark.peer("findscu")
def test_findscu_that_does_not_cancel_gets_them_all(scp: Peer) -> None:
    outcome = findscu(scp, "IMAGE", {**KEYS, "ImageComments": ""})
    assert outcome.final == "Success"
    assert len(outcome.answers) == INSTANCES


@pytest.mark.requirement("QR-163")
def test_our_client_stops_after_a_limit(scp: Peer) -> None:
    command = ["find", scp.host, str(scp.port), "-L", "IMAGE", "--limit", "7", "--format", "jsonl"]
    done = ours.run(*command, *ours.texts(KEYS))
    assert done.status == 0, done.err
    assert len(done.out.splitlines()) == 7


@pytest.mark.requirement("QR-164")
def test_client_that_goes_away_does_no_harm(scp: Peer) -> None:
    command = [
        "find",
        scp.host,
        str(scp.port),
        "-L",
        "IMAGE",
        "--format",
        "jsonl",
        *ours.texts(KEYS),
    ]
    done = ours.run_to_head(2, *command)
    assert len(done.out.splitlines()) == 2
    assert done.err == ""
    assert ours.run("echo", scp.host, str(scp.port)).status == 0
