"""Archives that are asked for a study, and what it costs each of them: time, processor, memory."""

from __future__ import annotations

import contextlib
import os
import struct
import subprocess
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from client import EXPLICIT_VR_LITTLE_ENDIAN
from measure import Claim, Figure, alternate, median, number, spread
from retrieve_client import CT_IMAGE, Destination, get
from servers import CACHE, scratch

from dicomquest.dataset.elements import Element
from dicomquest.dataset.encoder import encode
from dicomquest.dataset.part10 import encode_file_meta

from peers.dcmtk import dcmqrscp  # isort: skip - servers makes this importable
from peers.orthanc import orthanc  # isort: skip
from peers.processes import Peer, free_port, server  # isort: skip
from peers.pynetdicom_programs import qrscp  # isort: skip


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from retrieve_client import Retrieved
    from sizes import Size

STUDY = "2.25.19"
_TICKS = os.sysconf("SC_CLK_TCK")


def image(number: int, side: int) -> bytes:
    """A CT image of so many rows and columns, as a file."""
    uid = f"{STUDY}.1.{number}"
    elements = {
        0x00080016: Element("UI", (CT_IMAGE,)),
        0x00080018: Element("UI", (uid,)),
        0x00080020: Element("DA", ("20260101",)),
        0x00080060: Element("CS", ("CT",)),
        0x00100010: Element("PN", ("CITIZEN^Jan",)),
        0x00100020: Element("LO", ("P19",)),
        0x0020000D: Element("UI", (STUDY,)),
        0x0020000E: Element("UI", (f"{STUDY}.1",)),
        0x00200010: Element("SH", ("1",)),
        0x00200011: Element("IS", ("1",)),
        0x00200013: Element("IS", (str(number),)),
        0x00280002: Element("US", (1,)),
        0x00280004: Element("CS", ("MONOCHROME2",)),
        0x00280010: Element("US", (side,)),
        0x00280011: Element("US", (side,)),
        0x00280100: Element("US", (16,)),
        0x00280101: Element("US", (12,)),
        0x00280102: Element("US", (11,)),
        0x00280103: Element("US", (0,)),
        0x7FE00010: Element("OW", (struct.pack("<H", number % 4096) * (side * side),)),
    }
    meta = encode_file_meta(
        CT_IMAGE,
        uid,
        EXPLICIT_VR_LITTLE_ENDIAN,
        implementation=("1.2.826.0.1.3680043.9.9999", "BENCH"),
        source_ae_title="BENCH",
    )
    return bytes(128) + b"DICM" + meta + encode(elements, EXPLICIT_VR_LITTLE_ENDIAN)


def study_of(count: int, side: int) -> list[Path]:
    """The files of a study of so many images, made once."""
    folder = CACHE / f"study-{count}-{side}"
    if not folder.exists():
        building = folder.with_suffix(".building")
        building.mkdir(parents=True, exist_ok=True)
        for each in range(1, count + 1):
            (building / f"{each:06}.dcm").write_bytes(image(each, side))
        building.rename(folder)
    return sorted(folder.iterdir())


def multi_frame(frames: int) -> Path:
    """The file of an image with so many frames of 512 KB, made once."""
    folder = CACHE / f"frames-{frames}"
    if not folder.exists():
        building = folder.with_suffix(".building")
        building.mkdir(parents=True, exist_ok=True)
        single = image(1, 512)
        before_rows, pixels = single.index(b"\x28\0\x10\0US"), single.index(b"\xe0\x7f\x10\0OW")
        number_of_frames = b"\x28\0\x08\0IS" + struct.pack("<H", 6) + b"%6d" % frames
        with (building / "multi.dcm").open("wb") as file:
            file.write(single[:before_rows] + number_of_frames + single[before_rows:pixels])
            file.write(b"\xe0\x7f\x10\0OW\0\0" + struct.pack("<I", frames << 19))
            for frame in range(frames):
                file.write(struct.pack("<H", frame % 4096) * (512 * 512))
        building.rename(folder)
    return folder / "multi.dcm"


def memory_beside(path: Path) -> tuple[float, float]:
    """The most memory that our server had while it sent a study of one file, and MB a second."""
    folder = scratch()
    with ours(folder, [path], []) as peer:
        started = time.perf_counter()
        done = get(peer.port, peer.aet, STUDY)
        seconds = time.perf_counter() - started
        if (done.instances, done.status) != (1, 0):
            raise AssertionError(f"{done} of {path}")
        return usage(folder)[1], done.received / seconds / 1e6


@contextlib.contextmanager
def ours(folder: Path, paths: Sequence[Path], destinations: Sequence[Peer]) -> Iterator[Peer]:
    index, port = folder / "index.sqlite", free_port()
    program = [sys.executable, "-m", "dicomquest"]
    subprocess.run(
        [*program, "index", "--index", index, paths[0].parent], check=True, capture_output=True
    )
    configuration = folder / "dicomquest.toml"
    configuration.write_text(
        "".join(
            f'[destinations.{each.aet}]\nhost = "{each.host}"\nport = {each.port}\n'
            for each in destinations
        )
    )
    command = [*program, "serve", "--index", str(index), "--port", str(port)]
    command += ["--config", str(configuration), "--log-level", "error"]
    with server(command, port, folder / "log"):
        yield Peer("127.0.0.1", port, "DICOMQUEST")


@contextlib.contextmanager
def orthanc_peer(
    folder: Path, paths: Sequence[Path], destinations: Sequence[Peer]
) -> Iterator[Peer]:
    modalities = {each.aet: [each.aet, each.host, each.port] for each in destinations}
    settings = {"DicomAlwaysAllowGet": True, "DicomAlwaysAllowMove": True}
    with orthanc(folder, paths, DicomModalities=modalities, **settings) as peer:
        yield peer


ARCHIVES: dict[
    str, Callable[[Path, Sequence[Path], Sequence[Peer]], contextlib.AbstractContextManager[Peer]]
] = {
    "dicomquest": ours,
    "Orthanc": orthanc_peer,
    "dcmqrscp": dcmqrscp,
    "pynetdicom qrscp": qrscp,
}
FEWER = {"pynetdicom qrscp": 10}
"""The slow ones have one instance in so many."""


@dataclass(slots=True)
class Costs:
    """The costs of each retrieve: instances and megabytes a second, processor time, memory."""

    rates: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)
    memory: float = 0.0


def usage(folder: Path) -> tuple[float, float]:
    """Processor seconds of the processes that name a folder, and the bytes they had at most."""
    seconds = peak = 0.0
    named: set[str] = set()
    for process in sorted(Path("/proc").glob("[0-9]*"), key=lambda each: int(each.name)):
        with contextlib.suppress(OSError):
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            # A child that has just ended has no command line any more.
            if str(folder).encode() not in (process / "cmdline").read_bytes() and (
                fields[1] not in named
            ):
                continue
            named.add(process.name)
            # User and system time, its own and that of children that it has waited for.
            seconds += sum(map(int, fields[11:15])) / _TICKS
            _, _, most = (process / "status").read_text().partition("VmHWM:")
            peak += int(most.split()[0]) * 1024 if most else 0
    return seconds, peak


def measure(
    folder: Path, costs: Costs, count: int, retrieve: Callable[[], Retrieved]
) -> Callable[[], float]:
    """A measure of instances a second; its other figures go to ``costs``."""

    def once() -> float:
        before, _ = usage(folder)
        started = time.perf_counter()
        done = retrieve()
        seconds = time.perf_counter() - started
        if (done.instances, done.status) != (count, 0):
            raise AssertionError(f"{done} of {count} instances from {folder}")
        after, peak = usage(folder)
        costs.rates.append(count / seconds)
        costs.megabytes.append(done.received / seconds / 1e6)
        costs.processor.append((after - before) / count * 1e6)
        costs.memory = max(costs.memory, peak)
        return count / seconds

    return once


def compared(
    claim: Claim, size: Size, take: Callable[[Destination, int, str, str], Retrieved]
) -> Claim:
    """Measure all archives with small and with large images, by a client that delays nothing."""
    for count, side in ((max(20, size.stored // 5), 70), (max(5, size.stored // 50), 512)):
        all_costs = {name: Costs() for name in ARCHIVES}
        with contextlib.ExitStack() as stack:
            destination = stack.enter_context(contextlib.closing(Destination()))
            reached = [Peer("127.0.0.1", destination.port, Destination.TITLE)]
            measures = {}
            for name, archive in ARCHIVES.items():
                fewer = max(5, count // FEWER.get(name, 1))
                folder = scratch()
                peer = stack.enter_context(archive(folder, study_of(fewer, side), reached))
                retrieve = partial(take, destination, peer.port, peer.aet, STUDY)
                measures[name] = measure(folder, all_costs[name], fewer, retrieve)
            figures = alternate(measures, size.runs)
        words = "10 KB" if side == 70 else "512 KB"
        base = median(figures["dicomquest"])
        for name, costs in all_costs.items():
            ratio = "" if name == "dicomquest" else f"{number(base / median(figures[name]))}x"
            claim.figures.append(
                Figure(f"{name}, images of {words}, a second", spread(figures[name]), ratio)
            )
            claim.figures.append(
                Figure(
                    f"{name}, {words}: MB/s; processor time of an instance; memory",
                    f"{number(median(costs.megabytes))}; {number(median(costs.processor))} us; "
                    f"{costs.memory / 1e6:.0f} MB",
                )
            )
    return claim
