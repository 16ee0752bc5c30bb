"""`dicomquest get` and `move` against other people's archives, and against our own server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from fixtures.storing import data_set_bytes, instance, stored_files, syntax_files, write
from peers import ours
from peers.dcmtk import dcmqrscp
from peers.orthanc import orthanc
from peers.processes import Peer, free_port

# pydicom warns of what is odd in its own files.
pytestmark = pytest.mark.filterwarnings("ignore")

UNCOMPRESSED = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1"}
WHOLE = [path for path in syntax_files() if "StudyInstanceUID" in dcmread(path)]
MULTI_FRAME = ("rtdose.dcm", "SC_rgb_rle_16bit_2frame.dcm")


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two studies, and files in other transfer syntaxes: compressed, and of several frames."""
    made = [instance(study, number) for study in (1, 2) for number in range(1, 11)]
    folder = tmp_path_factory.mktemp("sent")
    paths = [*write(folder, made), *WHOLE]
    for name in MULTI_FRAME:
        several = dcmread(str(get_testdata_file(name, download=False)))
        # pydicom's files share their UIDs.
        several.SOPInstanceUID = several.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        several.save_as(folder / name)
        paths.append(folder / name)
    return paths


@pytest.fixture(scope="module")
def own_port() -> int:
    """The port of our Storage SCP, which the archives know as LAB."""
    return free_port()


@contextlib.contextmanager
def our_server(folder: Path, paths: list[Path], own_port: int) -> Iterator[Peer]:
    configuration = folder / "dicomquest.toml"
    configuration.write_text(f'[destinations.LAB]\nhost = "127.0.0.1"\nport = {own_port}\n')
    ours.index(folder / "index.sqlite", *paths)
    with ours.serve(folder / "index.sqlite", "--config", str(configuration)) as peer:
        yield peer


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("Orthanc", marks=pytest.mark.peer("Orthanc")),
        pytest.param("dcmqrscp", marks=pytest.mark.peer("dcmqrscp")),
        "dicomquest",
    ],
)
def archive(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    sent: list[Path],
    own_port: int,
) -> Iterator[Peer]:
    folder = tmp_path_factory.mktemp("archive")
    lab = ["LAB", "127.0.0.1", own_port]
    match request.param:
        case "Orthanc":
            always = {"DicomAlwaysAllowGet": True, "DicomAlwaysAllowMove": True}
            opened = orthanc(folder, sent, DicomModalities={"lab": lab}, **always)
        case "dcmqrscp":
            # It accepts contexts of uncompressed syntaxes alone, and converts nothing.
            plain = [each for each in sent if syntax_of(each) in UNCOMPRESSED]
            opened = dcmqrscp(folder, plain, [Peer("127.0.0.1", own_port, "LAB")])
        case _:
            opened = our_server(folder, sent, own_port)
    with opened as peer:
        yield peer


def syntax_of(path: Path) -> str:
    return str(dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID)


def content(path: Path) -> Dataset:
    """The instance of a file, without what DCMTK writes anew: padding, lengths, pixel items."""
    read = dcmread(path)
    for element in list(read):
        if element.tag in {0xFFFCFFFC, 0x7FE00010} or element.tag.element == 0:
            del read[element.tag]
    return read


def run(command: str, peer: Peer, *arguments: str) -> ours.Done:
    return ours.run(command, peer.host, str(peer.port), "--aec", peer.aet, *arguments)


def check_files(got: dict[str, Path], archive: Peer, sent: list[Path]) -> None:
    """Hold what came against the archive's files: all are there, with the same content.

    The transfer syntax stays, except with dcmqrscp; from us the bytes are those of the file.
    """
    wanted = {
        str(dcmread(path, stop_before_pixels=True).SOPInstanceUID): path
        for path in sent
        if archive.aet != "QRSCP" or syntax_of(path) in UNCOMPRESSED
    }
    assert got.keys() == wanted.keys()
    for uid, path in wanted.items():
        assert content(got[uid]) == content(path)
        if archive.aet != "QRSCP":
            assert syntax_of(got[uid]) == syntax_of(path)
        if archive.aet == "DICOMQUEST":
            # No message has an odd length, though a deflated data set may (PS3.5 A.5).
            assert data_set_bytes(got[uid]).rstrip(b"\0") == data_set_bytes(path).rstrip(b"\0")


@pytest.mark.requirement("RT-083")
def test_get_brings_files_as_they_are(archive: Peer, sent: list[Path], tmp_path: Path) -> None:
    done = run("get", archive, "StudyInstanceUID=*", "-o", str(tmp_path / "got"), "--jobs", "2")
    assert done.status == 0, done.err
    got = stored_files(tmp_path / "got")
    check_files(got, archive, sent)
    again = run("get", archive, "StudyInstanceUID=*", "-o", str(tmp_path / "got"))
    assert f"Nothing is left to fetch: {len(got)} instances are there already" in again.err


@pytest.mark.requirement("RT-083")
def test_cohort_is_found_again(archive: Peer, tmp_path: Path) -> None:
    """A list of studies is made, fetched and indexed, and its studies are found locally."""
    found = run("find", archive, "PatientName=CITIZEN*", "-o", str(tmp_path / "cohort.csv"))
    assert found.status == 0, found.err
    cohort = str(tmp_path / "cohort")
    fetched = run("get", archive, f"StudyInstanceUID=@{tmp_path / 'cohort.csv'}", "-o", cohort)
    assert "\n20 instances (" in fetched.err, fetched.err
    ours.index(tmp_path / "index.sqlite", Path(cohort))
    again = ours.run(
        "find", "--index", str(tmp_path / "index.sqlite"), "PatientName=CITIZEN*", "--count"
    )
    assert again.out == "2\n"


@pytest.mark.requirement("RT-083")
def test_move_comes_to_our_storage_scp(
    archive: Peer, sent: list[Path], own_port: int, tmp_path: Path
) -> None:
    done = run(
        "move", archive, "StudyInstanceUID=*", "--aet", "LAB",
        "--storage-scp", f"127.0.0.1:{own_port}", "-o", str(tmp_path),
    )  # fmt: skip
    assert done.status == 0, done.err
    check_files(stored_files(tmp_path), archive, sent)


@pytest.mark.requirement("RT-083")
def test_move_to_unknown_destination_says_so(archive: Peer) -> None:
    """Orthanc answers C000 to it, without a word."""
    done = run("move", archive, "PatientID=P1", "--to", "NOWHERE")
    assert done.status == 1
    assert "know" in done.err
    assert "NOWHERE" in done.err
    assert "Traceback" not in done.err
