"""The processes that render: hostile files cost a picture, and nothing else (PS3.18 10.4)."""

from __future__ import annotations

import random
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import JPEG2000Lossless

from dicomquest.store.rendering_job import RenderingFault, RenderingJob
from dicomquest.store.rendering_processes import (
    RenderingError,
    RenderingLimits,
    RenderingProcesses,
)
from dicomquest.store.stored_instance import StoredInstance
from fixtures.storing import syntax_files
from fixtures.timing import LONG

CT = Path(str(get_testdata_file("CT_small.dcm")))
J2K = Path(str(get_testdata_file("JPEG2000.dcm")))


@pytest.fixture(scope="module")
def processes() -> Iterator[RenderingProcesses]:
    found = RenderingProcesses(RenderingLimits(at_once=1, pixels=4_000_000, seconds=60))
    yield found
    found.close()


def job(path: Path, pixels: int = 4_000_000) -> RenderingJob:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        uid = str(dcmread(path, stop_before_pixels=True, force=True).SOPInstanceUID)
    with StoredInstance.open(str(path), uid) as stored:
        return RenderingJob(str(path), uid, stored.state, 1, "image/jpeg", pixels)


def saved(path: Path, dataset: Dataset) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.save_as(path)
    return path


def test_one_process_makes_many_pictures(processes: RenderingProcesses) -> None:
    assert len({processes.render(job(CT)) for _ in range(3)}) == 1
    assert processes.render(job(J2K)).startswith(b"\xff\xd8")


def test_a_process_that_is_gone_is_replaced(processes: RenderingProcesses) -> None:
    processes.render(job(CT))
    processes._idle[0]._process.kill()
    processes._idle[0]._process.wait(LONG)
    assert processes.render(job(CT)).startswith(b"\xff\xd8")


def test_a_crash_costs_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    processes = RenderingProcesses(RenderingLimits())
    with pytest.raises(RenderingError, match="crashed") as caught:
        processes.render(job(CT))
    assert caught.value.fault is RenderingFault.NOT_DECODABLE
    monkeypatch.undo()
    assert processes.render(job(CT)).startswith(b"\xff\xd8")
    processes.close()


def test_a_slow_picture_is_ended() -> None:
    processes = RenderingProcesses(RenderingLimits(seconds=0.001))
    with pytest.raises(RenderingError, match="longer than 0") as caught:
        processes.render(job(CT))
    assert caught.value.fault is RenderingFault.TOO_SLOW
    assert not processes._idle
    processes.close()


def test_too_many_pixels_are_not_read(processes: RenderingProcesses, tmp_path: Path) -> None:
    made = dcmread(CT)
    made.Rows, made.Columns = 65535, 65535
    with pytest.raises(RenderingError, match="65535 x 65535") as caught:
        processes.render(job(saved(tmp_path / "a.dcm", made)))
    assert caught.value.fault is RenderingFault.TOO_LARGE


def test_a_codestream_may_not_lie(processes: RenderingProcesses, tmp_path: Path) -> None:
    """One that says to be larger than its image would be decoded into memory at its word."""
    made = dcmread(J2K)
    frame = bytearray(next(generate_frames(made.PixelData, number_of_frames=1)))
    at = frame.index(b"\xff\x4f\xff\x51") + 8
    frame[at : at + 8] = (60_000).to_bytes(4, "big") * 2
    made.PixelData = encapsulate([bytes(frame)])
    made.file_meta.TransferSyntaxUID = JPEG2000Lossless
    with pytest.raises(RenderingError, match="60000 x 60000") as caught:
        processes.render(job(saved(tmp_path / "a.dcm", made)))
    assert caught.value.fault is RenderingFault.NOT_DECODABLE


def test_a_file_that_changed_has_no_picture(processes: RenderingProcesses, tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(CT.read_bytes())
    asked = job(path)
    path.write_bytes(CT.read_bytes() + b"\0\0")
    with pytest.raises(RenderingError, match="changed") as caught:
        processes.render(asked)
    assert caught.value.fault is RenderingFault.NO_FILE


@pytest.mark.parametrize("path", syntax_files(), ids=lambda path: path.name)
def test_damage_costs_a_picture_alone(
    processes: RenderingProcesses, tmp_path: Path, path: Path
) -> None:
    draw = random.Random(path.name)
    data = path.read_bytes()
    for number in range(6):
        changed = bytearray(data)
        for _ in range(8):
            changed[draw.randrange(len(data) // 2, len(data))] = draw.randrange(256)
        copy = tmp_path / f"{number}.dcm"
        copy.write_bytes(changed)
        try:
            asked = job(copy)
        except Exception:  # noqa: BLE001  the damage is in front of the pixels
            continue
        with suppress(RenderingError):
            assert processes.render(asked).startswith(b"\xff\xd8")
    assert processes.render(job(CT)).startswith(b"\xff\xd8")
