"""One server in front of dcmqrscp, Orthanc and dicomquest: whole answers, and faulty archives."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import pydicom
import pytest
from pydicom import Dataset

from dicomquest import AE
from dicomquest.dataset.elements import DataSet
from dicomquest.index import open_index
from dicomquest.sop_class import StudyRootQueryRetrieveInformationModelFind
from fixtures.building import text_of
from fixtures.federated_archives import TITLES
from fixtures.misbehaving import Serve, answering_each, hang_up, implicit, listening
from fixtures.serving import Running, serving
from fixtures.timing import LONG
from peers import dcmtk, ours
from peers.answers import only
from peers.processes import Peer
from peers.queries import QUERIES, KnownQuery

INCOMPLETE = 0xC003
PATIENCE = 2.0
"""Seconds that the upstreams of these tests get for a response."""


def upstream(name: str, peer: Peer) -> tuple[str, str]:
    return ("--upstream", f"{name}={peer.aet}@{peer.host}:{peer.port}")


def by_study(archive: Path) -> list[list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in sorted(archive.iterdir()):
        uid = str(pydicom.dcmread(path, stop_before_pixels=True).StudyInstanceUID)
        found.setdefault(uid, []).append(path)
    return [found[uid] for uid in sorted(found)]


@pytest.mark.peer("dcmqrscp", "Orthanc")
@pytest.mark.parametrize("known", QUERIES, ids=lambda known: known.name)
def test_three_archives_answer_as_one(federation: Peer, known: KnownQuery) -> None:
    """Archives of three makes and the own index, a part of each study, answer as one with all."""
    found = ours.find(federation, known.level, known.keys, model=known.model)
    assert only(found, *known.shown) == sorted(known.answers)


@pytest.mark.peer("dcmqrscp", "Orthanc", "findscu")
def test_numbers_and_holders_are_those_of_all(
    federation: Peer, archive: Path, places: list[Path]
) -> None:
    """A study in several places has the numbers and modalities of all, and their names."""
    for paths in by_study(archive):
        read = [pydicom.dcmread(path, stop_before_pixels=True) for path in paths]
        names = {path.name for path in paths}
        keys = {
            "StudyInstanceUID": str(read[0].StudyInstanceUID),
            "ModalitiesInStudy": "",
            "NumberOfStudyRelatedInstances": "",
        }
        (answer,) = dcmtk.findscu(federation, "STUDY", keys).answers
        holders = [
            title
            for title, place in zip(TITLES, places, strict=True)
            if names & {path.name for path in place.iterdir()}
        ]
        assert [answer["RetrieveAETitle"]] in ([[*dict.fromkeys(holders)]], holders)
        assert answer["NumberOfStudyRelatedInstances"] == str(len(paths))
        modalities = sorted({str(each.Modality) for each in read})
        assert [answer["ModalitiesInStudy"]] in ([modalities], modalities)


@dataclass(frozen=True, slots=True)
class Asked:
    """The answer of a node: the studies, the time of the first, and the final response."""

    uids: list[str]
    first: float
    status: int
    comment: str


def ask(
    port: int, *, cancel_after: int | None = None, title: str = "SCU", **keys: str | None
) -> Asked:
    ae = AE(ae_title=title)
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
    query = Dataset()
    query.QueryRetrieveLevel = "STUDY"
    query.StudyInstanceUID = None
    for keyword, value in keys.items():
        setattr(query, keyword, value)
    association = ae.associate("127.0.0.1", port)
    assert association.is_established
    began, first = monotonic(), 0.0
    uids: list[str] = []
    final = Dataset()
    for status, found in association.send_c_find(
        query, StudyRootQueryRetrieveInformationModelFind, msg_id=7
    ):
        final = status
        if found is not None:
            first = first or monotonic() - began
            uids.append(str(found.StudyInstanceUID))
            if len(uids) == cancel_after:
                association.send_c_cancel(7)
    association.release()
    return Asked(uids, first, final.Status, str(final.get("ErrorComment", "")))


@pytest.fixture
def halves(tmp_path: Path, archive: Path) -> Iterator[list[Running]]:
    """Two archives as processes, with other studies each."""
    locations = [tmp_path / "half0.sqlite", tmp_path / "half1.sqlite"]
    for number, location in enumerate(locations):
        with open_index(location, create=True) as index:
            index.ingest([path for files in by_study(archive)[number::2] for path in files])
    with (
        serving(locations[0], tmp_path) as first,
        serving(locations[1], tmp_path) as second,
    ):
        yield [first, second]


def configuration(folder: Path, ports: Mapping[str, int]) -> Path:
    """A file with a table for each archive, which has little time to answer."""
    path = folder / "node.toml"
    tables = [
        f'[upstreams.{name}]\naet = "DICOMQUEST"\nhost = "127.0.0.1"\nport = {port}\n'
        f"connection-timeout = {PATIENCE}\ndimse-timeout = {PATIENCE}\nretry-after = 0\n"
        for name, port in ports.items()
    ]
    path.write_text("\n".join(tables), encoding="utf-8")
    return path


def test_dead_archive_costs_its_own_time(
    halves: list[Running], tmp_path: Path, archive: Path
) -> None:
    """The other archive's answers come at once, and the end says which one is missing."""
    whole, other = halves
    path = configuration(tmp_path, {"half0": whole.port, "half1": other.port})
    everything = len(by_study(archive))
    options = ("--upstreams-only", "--config", str(path))
    with serving(tmp_path / "node.sqlite", tmp_path, *options) as running:

        def without_the_other(word: str) -> None:
            asked = ask(running.port)
            assert len(asked.uids) == (everything + 1) // 2
            assert asked.first < PATIENCE
            assert (asked.status, asked.comment) == (INCOMPLETE, f"incomplete: half1 {word}")
            running.log_with(f"the answer is not complete: half1: {word}")

        # Stopped before there is an association with it, then with one that is idle.
        os.killpg(other.process.pid, signal.SIGSTOP)
        without_the_other("timed out")
        os.killpg(other.process.pid, signal.SIGCONT)
        asked = ask(running.port)
        assert (len(asked.uids), asked.status) == (everything, 0x0000)
        os.killpg(other.process.pid, signal.SIGSTOP)
        without_the_other("timed out")
        os.killpg(other.process.pid, signal.SIGKILL)
        other.process.wait(LONG)
        without_the_other("unreachable")


GOOD = 30


def some_studies(
    prefix: str, count: int, *, status: int = 0x0000, name: bytes = b"DOE", charset: bytes = b""
) -> Serve:
    """An archive that ignores all keys, and answers with so many studies and a status."""

    def answer(asked: DataSet) -> tuple[list[bytes], int]:
        assert text_of(asked, "QueryRetrieveLevel") == "STUDY"
        found = []
        for number in range(count):
            uid = f"{prefix}.{number}".encode()
            terms = implicit(0x00080005, charset) if charset else b""
            found.append(
                terms
                + implicit(0x00100010, name + b" " * (len(name) % 2))
                + implicit(0x00100020, b"P%d " % (number % 2))
                + implicit(0x0020000D, uid + b"\0" * (len(uid) % 2))
            )
        return found, status

    return answering_each(answer)


FAULTY = {
    "capped": (some_studies("1.1", 10, status=0xA700), 10, "capped"),
    "refusing": (some_studies("1.2", 0, status=0xA900), 0, "failed"),
    "wrong": (
        some_studies("1.3", 5, name=b"M\xfcller^J\xfcrgen", charset=b"ISO_IR 192"),
        5,
        "wrong character set",
    ),
    "closing": (hang_up, 0, "lost"),
}
"""Archives with a fault, the answers that they send all the same, and what is said of them."""

ALL = GOOD + sum(sent for _, sent, _ in FAULTY.values())

PEERS = """
[peers.VIEWER]
incomplete-is-success = true

[peers.FEW]
result-limit = 7
"""


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server before one good archive, and one with each fault."""
    folder = tmp_path_factory.mktemp("faulty")
    with contextlib.ExitStack() as stack:
        ports = {"good": stack.enter_context(listening(some_studies("1.9", GOOD)))}
        for name, (serve, _, _) in FAULTY.items():
            ports[name] = stack.enter_context(listening(serve))
        path = configuration(folder, ports)
        path.write_text(path.read_text("utf-8") + PEERS, encoding="utf-8")
        options = ("--upstreams-only", "--config", str(path))
        yield stack.enter_context(serving(folder / "node.sqlite", folder, *options))


@pytest.mark.requirement("QR-141")
def test_faults_of_archives_are_said(faulty: Running) -> None:
    """All answers that there are arrive; the log and the Error Comment name the archives."""
    asked = ask(faulty.port, PatientName=None)
    assert len(asked.uids) == ALL
    assert asked.first < PATIENCE
    assert asked.status == INCOMPLETE
    assert asked.comment == "incomplete: capped, refusing, wrong, closing"
    for name, (_, _, reason) in FAULTY.items():
        faulty.log_with(f"the answer is not complete: {name}: {reason}")


@pytest.mark.requirement("QR-052")
def test_answer_in_wrong_set_is_made_right(faulty: Running) -> None:
    """Text that is not in its character set goes out in a right one, as far as it can be read."""
    found = ours.find(
        Peer("127.0.0.1", faulty.port, "DICOMQUEST"),
        "STUDY",
        {"PatientName": "", "StudyInstanceUID": ""},
        "--aet",
        "VIEWER",
    )
    names = {str(each["PatientName"]) for each in found}
    assert len(names) == 2
    assert "DOE" in names


def test_ignored_key_is_matched_by_the_node(faulty: Running) -> None:
    """Archives that ignore a key give more than was asked for: the node takes that out."""
    asked = ask(faulty.port, PatientID="P1")
    assert len(asked.uids) == GOOD // 2 + 10 // 2 + 5 // 2


@pytest.mark.requirement("QR-152")
def test_result_limit_holds_over_all_archives(faulty: Running) -> None:
    asked = ask(faulty.port, title="FEW")
    assert (len(asked.uids), asked.status) == (7, 0xA700)


def test_viewer_may_have_success_all_the_same(faulty: Running) -> None:
    """A viewer that discards answers at a failure has Success by a switch, and the log tells."""
    asked = ask(faulty.port, title="VIEWER")
    assert (len(asked.uids), asked.status) == (ALL, 0x0000)
    faulty.log_with("as incomplete-is-success says")


@pytest.mark.requirement("QR-160")
def test_cancel_ends_the_query(faulty: Running) -> None:
    assert ask(faulty.port, cancel_after=1).status in {0xFE00, INCOMPLETE}


def test_own_index_is_a_source_like_others(tmp_path: Path, archive: Path) -> None:
    """The index and an archive answer together, and what is stored here is found here."""
    location = tmp_path / "own.sqlite"
    with open_index(location, create=True) as index:
        index.ingest([archive])
    with (
        listening(some_studies("1.9", GOOD)) as good,
        serving(location, tmp_path, *upstream("good", Peer("127.0.0.1", good, "GOOD"))) as running,
    ):
        asked = ask(running.port)
        assert (len(asked.uids), asked.status) == (GOOD + len(by_study(archive)), 0x0000)
        cancelled = ask(running.port, cancel_after=1)
        assert cancelled.status in {0x0000, 0xFE00}
