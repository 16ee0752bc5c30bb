"""Peers that take other transfer syntaxes than the stored ones get the same values (RT-041 ff.)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom import AE, build_context, build_role, evt

from dicomquest.dataset.part10 import encode_file_meta, read_file_start
from fixtures.programs import program
from peers import orthanc, ours
from peers.processes import Peer, client, ports_of_servers, server

# pydicom warns of what is odd in its own files.
pytestmark = pytest.mark.filterwarnings("ignore")

STUDY = "2.25.16"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
# Explicit, implicit, big endian, deflated; multi-frame, colour; each kind of compression.
NAMES = (
    "CT_small.dcm",
    "MR_small_implicit.dcm",
    "MR_small_bigendian.dcm",
    "image_dfl.dcm",
    "rtdose.dcm",
    "rtdose_rle.dcm",
    "SC_rgb_rle_16bit_2frame.dcm",
    "JPGExtended.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "SC_rgb_dcmtk_+eb+cy+s2.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "MR_small_jp2klossless.dcm",
)
# Known before the archive starts; each has a server in one test.
DESTINATIONS = dict(
    zip(("ALL", "IMPLICIT", "EXPLICIT", "ORTHANC"), ports_of_servers(4), strict=True)
)
UNCOMPRESSED = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files by SOP Instance UID, all of one study."""
    folder, found = tmp_path_factory.mktemp("files"), {}
    for number, name in enumerate(NAMES):
        dataset = dcmread(str(get_testdata_file(name)))
        uid = f"{STUDY}.{number}"
        dataset.PatientID, dataset.StudyInstanceUID = "16", STUDY
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(uid)
        dataset.SeriesInstanceUID = f"{STUDY}.1{number}"
        found[uid] = folder / name
        dataset.save_as(found[uid])
    return found


@pytest.fixture(scope="module")
def archive(files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    folder = tmp_path_factory.mktemp("index")
    ours.index(folder / "index.sqlite", next(iter(files.values())).parent)
    configuration = folder / "dicomquest.toml"
    configuration.write_text(
        "".join(
            f'[destinations.{title}]\nhost = "127.0.0.1"\nport = {port}\n'
            for title, port in DESTINATIONS.items()
        )
    )
    with ours.serve(folder / "index.sqlite", "--config", str(configuration)) as peer:
        yield peer


@contextlib.contextmanager
def storescp(title: str, folder: Path, *options: str) -> Iterator[None]:
    """Run storescp, which writes each instance byte for byte."""
    folder.mkdir()
    port = DESTINATIONS[title]
    command = [program("storescp"), "-aet", title, "+B", "-od", str(folder), *options, str(port)]
    with server(command, port, folder.parent / f"{title}.log"):
        yield


def movescu(archive: Peer, title: str) -> str:
    return client(
        [
            *(program("movescu"), "-v", "-S", "-aec", archive.aet, "-aem", title),
            *("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={STUDY}"),
            *(archive.host, str(archive.port)),
        ]
    ).output


def data_set_of(path: Path) -> bytes:
    data = path.read_bytes()
    stored = data[read_file_start(data).start :]
    # A deflate stream of odd length is sent with the zero that its writer forgot.
    is_deflated = dcmread(path).file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian
    return stored + b"\0" * (len(stored) & 1) if is_deflated else stored


def check_values(sent: Dataset, stored: Dataset) -> None:
    """Hold an instance against its file by what pydicom reads in both."""
    assert sent.SOPInstanceUID == stored.SOPInstanceUID
    if sent.original_encoding == (False, False) and sent.BitsAllocated == 32:
        # OW has words of 16 bits (PS3.5 6.2), which pydicom takes for 32 in big endian.
        sent_words, words = (
            np.frombuffer(sent.PixelData, ">u2"),
            np.frombuffer(stored.PixelData, "<u2"),
        )
        assert np.array_equal(sent_words, words)
    else:
        assert np.array_equal(sent.pixel_array, stored.pixel_array)
    is_implicit = sent.original_encoding[0]
    changed = {"PixelData", "PhotometricInterpretation", "PlanarConfiguration"}
    for element in stored:
        # Implicit VR does not tell the VR of private elements, whose bytes are the same.
        if element.keyword in changed or (is_implicit and element.tag.is_private):
            continue
        assert sent[element.tag].value == element.value


def got(
    archive: Peer, pairs: Iterable[tuple[str, str]]
) -> tuple[dict[str, tuple[str, bytes]], Dataset]:
    """Get the study by pynetdicom, with a context for each pair of class and transfer syntax.

    Return transfer syntaxes and data sets by UID, and the final response.
    """
    contexts = [build_context(STUDY_ROOT_GET, ImplicitVRLittleEndian)]
    contexts += [build_context(*pair) for pair in sorted(pairs)]
    taken: dict[str, tuple[str, bytes]] = {}

    def take(event: Any) -> int:
        data = event.request.DataSet.getvalue()
        taken[event.request.AffectedSOPInstanceUID] = (event.context.transfer_syntax, data)
        return 0x0000

    identifier = Dataset()
    identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", STUDY
    roles: list[Any] = [
        build_role(uid, scp_role=True) for uid in {sop_class for sop_class, _ in pairs}
    ]
    association = AE().associate(
        archive.host, archive.port, ae_title=archive.aet, contexts=contexts, ext_neg=roles,
        evt_handlers=[(evt.EVT_C_STORE, take)],
    )  # fmt: skip
    assert association.is_established
    statuses = [status for status, _ in association.send_c_get(identifier, STUDY_ROOT_GET)]
    association.release()
    return taken, statuses[-1]


def as_read(stored: Dataset, syntax: str, data: bytes) -> Dataset:
    """Return a received data set as pydicom reads it from a file."""
    meta = encode_file_meta(
        stored.SOPClassUID,
        stored.SOPInstanceUID,
        syntax,
        implementation=("1.2", "TEST"),
        source_ae_title="TEST",
    )
    return dcmread(BytesIO(bytes(128) + b"DICM" + meta + data))


@pytest.mark.requirement("RT-041", "RT-043", "RT-083")
def test_stored_syntaxes_arrive_as_stored(archive: Peer, files: dict[str, Path]) -> None:
    """A peer that takes every syntax, uncompressed ones too, gets the bytes of the files."""
    stored = {uid: dcmread(path) for uid, path in files.items()}
    pairs = {(each.SOPClassUID, each.file_meta.TransferSyntaxUID) for each in stored.values()}
    pairs |= {(sop_class, ExplicitVRLittleEndian) for sop_class, _ in pairs}

    taken, final = got(archive, pairs)
    assert (final.Status, final.NumberOfCompletedSuboperations) == (0, len(files))
    for uid, path in files.items():
        assert taken[uid] == (stored[uid].file_meta.TransferSyntaxUID, data_set_of(path))


@pytest.mark.requirement("RT-042", "RT-043", "RT-045")
@pytest.mark.parametrize("syntax", UNCOMPRESSED, ids=lambda uid: uid.name)
def test_other_syntax_has_the_same_values(
    archive: Peer, files: dict[str, Path], syntax: UID
) -> None:
    """A peer that takes one uncompressed syntax gets what can be had in it, and no more."""
    stored = {uid: dcmread(path) for uid, path in files.items()}
    taken, final = got(archive, {(each.SOPClassUID, syntax) for each in stored.values()})
    is_plain = syntax in {ExplicitVRLittleEndian, ImplicitVRLittleEndian}
    expected = {
        uid
        for uid, each in stored.items()
        if is_plain or not each.file_meta.TransferSyntaxUID.is_encapsulated
    }
    assert taken.keys() == expected
    assert final.Status == (0x0000 if expected == files.keys() else 0xB000)
    for uid in expected:
        check_values(as_read(stored[uid], syntax, taken[uid][1]), stored[uid])


@pytest.mark.peer("storescp", "movescu")
@pytest.mark.requirement("RT-041", "RT-083")
def test_move_to_a_peer_that_takes_all(
    archive: Peer, files: dict[str, Path], tmp_path: Path
) -> None:
    with storescp("ALL", tmp_path / "moved", "+xa"):
        output = movescu(archive, "ALL")
    moved = {dcmread(path).SOPInstanceUID: path for path in (tmp_path / "moved").iterdir()}
    assert moved.keys() == files.keys(), output
    for uid, path in files.items():
        assert data_set_of(moved[uid]) == data_set_of(path)


@pytest.mark.peer("storescp", "movescu")
@pytest.mark.requirement("RT-042", "RT-043", "RT-083")
@pytest.mark.parametrize(("title", "option"), [("IMPLICIT", "+xi"), ("EXPLICIT", "+xe")])
def test_move_to_a_peer_that_takes_little(
    archive: Peer, files: dict[str, Path], tmp_path: Path, title: str, option: str
) -> None:
    with storescp(title, tmp_path / "moved", option):
        output = movescu(archive, title)
    moved = {each.SOPInstanceUID: each for each in map(dcmread, (tmp_path / "moved").iterdir())}
    assert moved.keys() == files.keys(), output
    for uid, path in files.items():
        check_values(moved[uid], dcmread(path))


# The option by which getscu prefers the transfer syntax of a file. It proposes uncompressed ones
# in the same context, of which an archive may choose one for the SOP class: no file of MR is here.
PREFERENCES = {
    "CT_small.dcm": "+xe",
    "image_dfl.dcm": "+xd",
    "SC_rgb_rle_16bit_2frame.dcm": "+xr",
    "JPGExtended.dcm": "+xx",
    "SC_rgb_jpeg_gdcm.dcm": "+xs",
    "SC_rgb_dcmtk_+eb+cy+s2.dcm": "+xy",
}


@pytest.mark.peer("getscu")
@pytest.mark.requirement("RT-041", "RT-083")
@pytest.mark.parametrize("name", PREFERENCES)
def test_getscu_gets_what_it_prefers(
    archive: Peer, files: dict[str, Path], tmp_path: Path, name: str
) -> None:
    [(uid, path)] = [each for each in files.items() if each[1].name == name]
    outcome = getscu(archive, tmp_path, PREFERENCES[name], uid)
    [got_path] = tmp_path.iterdir()
    assert data_set_of(got_path) == data_set_of(path), outcome
    assert dcmread(got_path) == dcmread(path)


@pytest.mark.peer("getscu")
@pytest.mark.requirement("RT-042", "RT-043", "RT-083")
def test_getscu_gets_all_by_itself(archive: Peer, files: dict[str, Path], tmp_path: Path) -> None:
    """Without an option getscu takes uncompressed instances alone."""
    output = getscu(archive, tmp_path, "+xe", *files)
    got = {each.SOPInstanceUID: each for each in map(dcmread, tmp_path.iterdir())}
    assert got.keys() == files.keys(), output
    for uid, path in files.items():
        check_values(got[uid], dcmread(path))


def getscu(archive: Peer, folder: Path, option: str, *uids: str) -> str:
    return client(
        [
            *(program("getscu"), "-v", "-S", "-aec", archive.aet, "+B", "-od", str(folder), option),
            *("-k", "QueryRetrieveLevel=IMAGE", "-k", "SOPInstanceUID=" + "\\".join(uids)),
            *(archive.host, str(archive.port)),
        ]
    ).output


@pytest.mark.peer("Orthanc")
@pytest.mark.requirement("RT-041", "RT-083")
def test_orthanc_gets_each_as_it_is(archive: Peer, files: dict[str, Path], tmp_path: Path) -> None:
    # Orthanc cannot understand its SOP Class UID, which has VR UN.
    wanted = {uid: path for uid, path in files.items() if path.name != "rtdose_rle.dcm"}
    modality = [archive.aet, archive.host, archive.port]
    with orthanc.orthanc(
        tmp_path, [], DicomPort=DESTINATIONS["ORTHANC"], DicomModalities={"ours": modality}
    ) as peer:
        orthanc.retrieve(peer, "ours", "Instance", SOPInstanceUID="\\".join(wanted))
        found = [dcmread(BytesIO(each)) for each in orthanc.stored_files(peer)]
    assert {each.SOPInstanceUID for each in found} == wanted.keys()
    for each in found:
        stored = dcmread(files[each.SOPInstanceUID])
        assert each.file_meta.TransferSyntaxUID == stored.file_meta.TransferSyntaxUID
        # DCMTK writes the items of encapsulated pixel data anew.
        check_values(each, stored)
