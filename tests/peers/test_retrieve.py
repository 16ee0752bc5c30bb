"""C-GET and C-MOVE of real peers from ``dicomquest serve``."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from fixtures.programs import program
from fixtures.storing import ROOT, SYNTAXES, data_set_bytes, instance, syntax_files, write
from peers import orthanc, ours
from peers.dcmtk import dcmqrscp
from peers.gdcm import gdcmscu_move
from peers.processes import Outcome, Peer, client, free_port, server

STUDY = f"{ROOT}.1"
CT_COUNT = 12

DESTINATIONS = {title: free_port() for title in ("PYNETDICOM", "ORTHANC")}
"""The ports of peers that receive by themselves, while they ask for C-MOVE."""

GDCM_PORT = free_port()
"""gdcmscu decodes all instances in the transfer syntax of the last context that it accepted."""


@dataclass(frozen=True)
class Received:
    """A storescp that keeps what it gets in a folder, byte for byte."""

    port: int
    folder: Path

    def files(self) -> dict[str, Path]:
        """The received files by SOP Instance UID."""
        return received(self.folder)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The indexed files by SOP Instance UID: a study of CT images, and one file a syntax."""
    folder = tmp_path_factory.mktemp("files")
    paths = write(folder, [instance(1, number) for number in range(1, CT_COUNT + 1)])
    for path in syntax_files():
        copy = folder / path.name
        copy.write_bytes(path.read_bytes())
        paths.append(copy)
    return {str(dcmread(path, stop_before_pixels=True).SOPInstanceUID): path for path in paths}


@pytest.fixture(scope="module")
def archive(files: dict[str, Path], destination: Received, folder: Path) -> Iterator[Peer]:
    location = folder / "index.sqlite"
    ours.index(location, next(iter(files.values())).parent)
    config = folder / "dicomquest.toml"
    ports = {"STORE": destination.port, **DESTINATIONS}
    config.write_text(
        "".join(
            f'[destinations.{title}]\nhost = "127.0.0.1"\nport = {port}\n'
            for title, port in ports.items()
        )
        + f'[destinations.GDCM]\nhost = "127.0.0.1"\nport = {GDCM_PORT}\n'
        'only-transfer-syntaxes = ["1.2.840.10008.1.2"]\n'
    )
    with ours.serve(location, "--config", str(config)) as peer:
        yield peer


@pytest.fixture
def log(archive: Peer, folder: Path) -> Path:
    """The log of the archive."""
    return folder / f"serve-{archive.port}.log"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the index."""
    return tmp_path_factory.mktemp("index")


@pytest.fixture(scope="module")
def destination(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Received]:
    folder, port = tmp_path_factory.mktemp("destination"), free_port()
    kept = folder / "kept"
    kept.mkdir()
    # Of the offered transfer syntaxes it prefers the first that it knows, compressed ones too.
    command = [program("storescp"), "+B", "+xa", "-od", str(kept), str(port)]
    with server(command, port, folder / "log"):
        yield Received(port, kept)


@pytest.fixture
def emptied(destination: Received) -> Received:
    for path in destination.folder.iterdir():
        path.unlink()
    return destination


def getscu(peer: Peer, folder: Path, *options: str, **keys: str) -> Outcome:
    """Retrieve with getscu, which writes each instance byte for byte."""
    folder.mkdir(exist_ok=True)
    texts = [text for key, value in keys.items() for text in ("-k", f"{key}={value}")]
    return client(
        [
            *(program("getscu"), "-v", "-S", "-aec", peer.aet, "+B", "-od", str(folder)),
            *options,
            *texts,
            *(peer.host, str(peer.port)),
        ]
    )


def received(folder: Path) -> dict[str, Path]:
    """The received files by SOP Instance UID."""
    return {
        str(dcmread(path, stop_before_pixels=True).SOPInstanceUID): path
        for path in folder.iterdir()
    }


def counts(outcome: Outcome) -> dict[str, int]:
    """The counts of the final response, by the first letter of their names."""
    lines = [line for line in outcome.output.splitlines() if "Suboperations" in line]
    return {line.split()[3]: int(line.split(":")[-1]) for line in lines[-4:]}


@pytest.mark.peer("getscu")
@pytest.mark.requirement("RT-001", "RT-041", "RT-060", "RT-063", "RT-065", "RT-083")
def test_getscu_gets_a_study(archive: Peer, files: dict[str, Path], tmp_path: Path) -> None:
    outcome = getscu(archive, tmp_path, QueryRetrieveLevel="STUDY", StudyInstanceUID=STUDY)
    assert outcome.status == 0, outcome.output
    assert counts(outcome)["Completed"] == CT_COUNT
    found = received(tmp_path)
    assert len(found) == CT_COUNT
    for uid, path in found.items():
        assert data_set_bytes(path) == data_set_bytes(files[uid])
        assert dcmread(path) == dcmread(files[uid])


@pytest.mark.peer("getscu")
@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("+xb", "ExplVR_BigEnd.dcm"),
        ("+xd", "image_dfl.dcm"),
        ("+xs", "SC_rgb_jpeg_gdcm.dcm"),
        ("+xv", "GDCMJ2K_TextGBR.dcm"),
        ("+xy", "SC_jpeg_no_color_transform.dcm"),
    ],
)
@pytest.mark.requirement("RT-041")
def test_getscu_gets_each_syntax_as_stored(
    archive: Peer, files: dict[str, Path], tmp_path: Path, option: str, name: str
) -> None:
    uid, path = next((uid, path) for uid, path in files.items() if path.name == name)
    keys = {"QueryRetrieveLevel": "IMAGE", "SOPInstanceUID": uid}
    outcome = getscu(archive, tmp_path, option, **keys)
    assert counts(outcome)["Completed"] == 1, outcome.output
    got = received(tmp_path)[uid]
    # A deflated data set of odd length is padded (PS3.5 A.5).
    assert data_set_bytes(got).rstrip(b"\0") == data_set_bytes(path).rstrip(b"\0")
    assert dcmread(got) == dcmread(path)


@pytest.mark.peer("getscu")
@pytest.mark.requirement("RT-030", "RT-045")
def test_image_that_no_decoder_takes(
    archive: Peer, files: dict[str, Path], log: Path, tmp_path: Path
) -> None:
    """The log has a line for the instance and none of the traceback of its decoders."""
    uid = next(uid for uid, path in files.items() if path.name == "JPEG-lossy.dcm")
    outcome = getscu(archive, tmp_path, QueryRetrieveLevel="IMAGE", SOPInstanceUID=uid)
    assert counts(outcome)["Failed"] == 1, outcome.output
    lines = log.read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if f"{uid} not sent" in line]) == 1
    assert not [line for line in lines if line.startswith(" ")]


@pytest.mark.peer("getscu", "dcmqrscp")
@pytest.mark.requirement("RT-026", "RT-027")
@pytest.mark.parametrize("program_name", ["dcmqrscp", "dicomquest"])
def test_getscu_reads_no_failed_list(
    files: dict[str, Path], tmp_path: Path, program_name: str
) -> None:
    """It aborts at its release after any A702 with a list: dcmqrscp's as well as ours."""
    path = tmp_path / "gone.dcm"
    shutil.copy(files[f"{STUDY}.1.1"], path)
    if program_name == "dcmqrscp":
        serving = dcmqrscp(tmp_path, [path])
    else:
        ours.index(tmp_path / "index.sqlite", path)
        serving = ours.serve(tmp_path / "index.sqlite")
    keys = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": STUDY}
    with serving as peer:
        path.unlink()
        for copy in tmp_path.glob("area/*.dcm"):
            copy.unlink()
        for _ in range(2):
            outcome = getscu(peer, tmp_path / "got", **keys)
            assert "Refused: OutOfResourcesSubOperations" in outcome.output
            assert (counts(outcome)["Completed"], counts(outcome)["Failed"]) == (0, 1)
            assert "DUL P-Data PDU arrived" in outcome.output


@pytest.mark.peer("getscu")
@pytest.mark.requirement("RT-010")
def test_getscu_gets_nothing(archive: Peer, tmp_path: Path) -> None:
    outcome = getscu(archive, tmp_path, QueryRetrieveLevel="STUDY", StudyInstanceUID="1.2.3")
    assert outcome.status == 0, outcome.output
    assert counts(outcome)["Completed"] == 0


@pytest.mark.peer("getscu")
@pytest.mark.requirement("RT-002", "RT-006")
def test_getscu_asks_by_another_key(archive: Peer, tmp_path: Path) -> None:
    outcome = getscu(
        archive, tmp_path, QueryRetrieveLevel="STUDY", StudyInstanceUID=STUDY, Modality="CT"
    )
    assert "DoesNotMatchSOPClass" in outcome.output, outcome.output
    assert not list(tmp_path.iterdir())


def movescu(peer: Peer, to: str, *, model: str = "-S", **keys: str) -> Outcome:
    texts = [text for key, value in keys.items() for text in ("-k", f"{key}={value}")]
    command = [program("movescu"), "-v", model, "-aec", peer.aet, "-aem", to, *texts]
    return client([*command, peer.host, str(peer.port)])


@pytest.mark.peer("movescu")
@pytest.mark.peer("storescp")
@pytest.mark.requirement("RT-001", "RT-041", "RT-083")
def test_movescu_moves_a_study(archive: Peer, emptied: Received, files: dict[str, Path]) -> None:
    outcome = movescu(archive, "STORE", QueryRetrieveLevel="STUDY", StudyInstanceUID=STUDY)
    assert "Final Move Response (Success)" in outcome.output, outcome.output
    found = emptied.files()
    assert len(found) == CT_COUNT
    for uid, path in found.items():
        assert data_set_bytes(path) == data_set_bytes(files[uid])


@pytest.mark.peer("movescu")
@pytest.mark.peer("storescp")
@pytest.mark.requirement("RT-041", "RT-043")
def test_movescu_moves_each_transfer_syntax(
    archive: Peer, emptied: Received, files: dict[str, Path]
) -> None:
    """A destination that takes all transfer syntaxes gets each instance as it is stored."""
    named = {uid: path for uid, path in files.items() if path.name in SYNTAXES}
    keys = {"QueryRetrieveLevel": "IMAGE", "SOPInstanceUID": "\\".join(named)}
    outcome = movescu(archive, "STORE", **keys)
    assert "Final Move Response (Success)" in outcome.output, outcome.output
    found = emptied.files()
    assert found.keys() == named.keys()
    for uid, path in found.items():
        stored = data_set_bytes(named[uid])
        # A deflated data set of odd length is padded (PS3.5 A.5).
        assert data_set_bytes(path) == stored + bytes(len(stored) % 2)


@pytest.mark.peer("movescu")
@pytest.mark.requirement("RT-029")
def test_movescu_names_an_unknown_destination(archive: Peer) -> None:
    outcome = movescu(archive, "NOWHERE", QueryRetrieveLevel="STUDY", StudyInstanceUID=STUDY)
    assert "MoveDestinationUnknown" in outcome.output


def pynetdicom(name: str, peer: Peer, folder: Path, *options: str, **keys: str) -> Outcome:
    """Run an application of pynetdicom, which writes what it gets into the folder."""
    texts = [text for key, value in keys.items() for text in ("-k", f"{key}={value}")]
    command = [sys.executable, "-m", "pynetdicom", name, peer.host, str(peer.port), "-S"]
    return client([*command, "-aec", peer.aet, *options, "-od", str(folder), *texts])


def assert_has_study(folder: Path, files: dict[str, Path], outcome: Outcome) -> None:
    found = received(folder)
    assert len(found) == CT_COUNT, outcome.output
    for uid, path in found.items():
        assert dcmread(path) == dcmread(files[uid])


@pytest.mark.requirement("RT-083")
def test_getscu_of_pynetdicom(archive: Peer, files: dict[str, Path], tmp_path: Path) -> None:
    keys = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": STUDY}
    outcome = pynetdicom("getscu", archive, tmp_path, **keys)
    assert_has_study(tmp_path, files, outcome)


@pytest.mark.requirement("RT-083")
def test_movescu_of_pynetdicom(archive: Peer, files: dict[str, Path], tmp_path: Path) -> None:
    port = str(DESTINATIONS["PYNETDICOM"])
    options = ("-aem", "PYNETDICOM", "--store", "--store-port", port, "--store-aet", "PYNETDICOM")
    keys = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": STUDY}
    outcome = pynetdicom("movescu", archive, tmp_path, *options, **keys)
    assert_has_study(tmp_path, files, outcome)


@pytest.mark.peer("gdcmscu")
@pytest.mark.requirement("RT-042", "RT-083")
def test_gdcmscu_moves_to_itself(archive: Peer, files: dict[str, Path], tmp_path: Path) -> None:
    outcome = gdcmscu_move(archive, "GDCM", GDCM_PORT, tmp_path, {"20,d": STUDY})
    found = received(tmp_path)
    assert len(found) == CT_COUNT, outcome.output
    for uid, path in found.items():
        sent, stored = dcmread(path), dcmread(files[uid])
        assert sent.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2"
        assert sent == stored


@pytest.mark.peer("Orthanc")
@pytest.mark.requirement("RT-083")
def test_orthanc_retrieves(archive: Peer, files: dict[str, Path], tmp_path: Path) -> None:
    """Orthanc finds the study here, and has it sent to itself by C-MOVE."""
    ours = [archive.aet, archive.host, archive.port]
    with orthanc.orthanc(
        tmp_path, [], DicomPort=DESTINATIONS["ORTHANC"], DicomModalities={"ours": ours}
    ) as peer:
        orthanc.retrieve(peer, "ours", "Study", StudyInstanceUID=STUDY)
        found = [dcmread(BytesIO(each)) for each in orthanc.stored_files(peer)]
    assert len(found) == CT_COUNT
    for each in found:
        assert each == dcmread(files[each.SOPInstanceUID])
