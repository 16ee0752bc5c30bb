"""Instances to store, and a server that stores them, as the tests of both sides of C-STORE need them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from dicomquest.index import Index
from peers.ours import COMMAND, ENVIRONMENT
from peers.processes import Peer, free_port, wait_until_listening
from timing import LONG

ROOT = "1.2.826.0.1.3680043.8.498.13"

SYNTAXES = (
    "CT_small.dcm",  # Explicit VR Little Endian
    "MR_small_implicit.dcm",
    "ExplVR_BigEnd.dcm",
    "image_dfl.dcm",  # Deflated Explicit VR Little Endian
    "GDCMJ2K_TextGBR.dcm",  # JPEG 2000, lossless
    "693_J2KI.dcm",  # JPEG 2000
    "SC_rgb_jpeg_gdcm.dcm",  # JPEG Lossless
    "JPEG-lossy.dcm",
    "SC_jpeg_no_color_transform.dcm",  # JPEG Baseline
)
"""Files of pydicom's, each with another transfer syntax."""


def syntax_files() -> list[Path]:
    return [Path(str(get_testdata_file(name, download=False))) for name in SYNTAXES]


def instance(study: int, number: int, *, patient: str = "P", pixels: int = 512) -> Dataset:
    """A small CT image."""
    made = Dataset()
    made.SOPClassUID = CTImageStorage
    made.SOPInstanceUID = f"{ROOT}.{study}.1.{number}"
    made.StudyDate = "20240105"
    made.Modality = "CT"
    made.PatientName = "CITIZEN^Jan"
    made.PatientID = f"{patient}{study}"
    made.StudyInstanceUID = f"{ROOT}.{study}"
    made.SeriesInstanceUID = f"{ROOT}.{study}.1"
    made.InstanceNumber = str(number)
    made.add_new(0x7FE00010, "OW", bytes([number % 256]) * pixels)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


def write(folder: Path, instances: Sequence[Dataset]) -> list[Path]:
    """Write instances as files."""
    folder.mkdir(exist_ok=True, parents=True)
    paths = []
    for number, each in enumerate(instances):
        paths.append(folder / f"{number:05}.dcm")
        each.save_as(paths[-1], enforce_file_format=True)
    return paths


def data_set_bytes(path: Path) -> bytes:
    """What stands in a file behind the File Meta Information."""
    length = int(dcmread(path, stop_before_pixels=True).file_meta.FileMetaInformationGroupLength)
    return path.read_bytes()[128 + 4 + 12 + length :]


def stored_files(folder: Path) -> dict[str, Path]:
    """The files in place below a store, by SOP Instance UID."""
    paths = [path for path in folder.rglob("*.dcm") if ".dicomquest" not in path.parts]
    return {
        str(dcmread(path, stop_before_pixels=True, specific_tags=["SOPInstanceUID"]).SOPInstanceUID): path
        for path in paths
    }


def stored_data_sets(index: Index, folder: Path) -> dict[str, bytes]:
    """The data sets of the instances that the index has: each has one file, and no other file is below the folder."""
    with index._database.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT sop_instance_uid, path FROM instance LEFT JOIN file ON file.instance = instance.id"
        )
        known = sorted((uid, os.fsdecode(path or b"no file")) for uid, path in rows)
    paths = [path for path in folder.rglob("*.dcm") if ".dicomquest" not in path.parts]
    assert sorted(path for _, path in known) == sorted(map(str, paths))
    files = stored_files(folder)
    assert known == sorted((uid, str(path)) for uid, path in files.items())
    assert index.check_files().examples == []
    return {uid: data_set_bytes(path) for uid, path in files.items()}


class Store:
    """A running ``serve --store``."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], peer: Peer, log: Path) -> None:
        self.folder = folder / "store"
        self.index = folder / "index.sqlite"
        self.process = process
        self.peer = peer
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    @property
    def resident(self) -> int:
        """The most memory that the server has had, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(LONG)


@contextlib.contextmanager
def storing(folder: Path, *options: str) -> Iterator[Store]:
    """Run ``dicomquest serve --store``; unless it was killed it must end cleanly, without a traceback."""
    port = free_port()
    log = folder / f"serve-{port}.log"
    arguments = ["--index", str(folder / "index.sqlite"), "--store", str(folder / "store"), "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*COMMAND, "serve", *arguments, *options],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=ENVIRONMENT, start_new_session=True,
        )  # fmt: skip
    store = Store(folder, process, Peer("127.0.0.1", port, "DICOMQUEST"), log)
    try:
        wait_until_listening(process, port, log)
        yield store
        if process.poll() is None:
            process.terminate()
            assert process.wait(LONG) == 0, store.log
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(LONG)
    assert "Traceback" not in store.log, store.log
