"""P9: ``dicomquest index`` beside dcmqridx and Orthanc's REST upload: files a second."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from measure import Claim, Figure, alternate, median, number, spread
from servers import resident_bytes, scans_of, scratch

from peers.orthanc import orthanc  # isort: skip - servers makes this importable
from fixtures.programs import program  # isort: skip

if TYPE_CHECKING:
    from sizes import Size


PEAKS: list[int] = []
"""The largest resident memory of each run of ours, all its processes together, in bytes."""


def by_index(files: list[Path]) -> float:
    folder = scratch()
    started = time.perf_counter()
    command = [
        sys.executable,
        "-m",
        "dicomquest",
        "index",
        "--index",
        f"{folder}/i.sqlite",
        str(files[0].parent),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.5)
        with suppress(subprocess.CalledProcessError):
            peak = max(peak, resident_bytes(process.pid))
    if process.returncode:
        raise AssertionError(f"dicomquest index ended with {process.returncode}")
    PEAKS.append(peak)
    return len(files) / (time.perf_counter() - started)


def by_dcmqridx(files: list[Path]) -> float:
    folder = scratch()
    started = time.perf_counter()
    for at in range(0, len(files), 400):
        command = [program("dcmqridx"), "-n", str(folder), *map(str, files[at : at + 400])]
        subprocess.run(command, check=True, capture_output=True)
    return len(files) / (time.perf_counter() - started)


def by_rest(files: list[Path]) -> float:
    with orthanc(scratch(), []) as peer:
        started = time.perf_counter()
        for path in files:
            url = f"http://127.0.0.1:{peer.http_port}/instances"
            with urllib.request.urlopen(urllib.request.Request(url, path.read_bytes())) as response:
                response.read()
        return len(files) / (time.perf_counter() - started)


def run(size: Size) -> Claim:
    files = scans_of(size.scans)
    claim = Claim(
        "P9",
        f"indexing {len(files):,} files with headers of 112 elements, in files a second",
        "at least 8x Orthanc's upload, and dcmqridx's rate",
    )
    few, some = files[: max(10, len(files) // 100)], files[: max(10, len(files) // 100)]
    figures = alternate(
        {
            "dicomquest": lambda: by_index(files),
            "Orthanc": lambda: by_rest(few),
            "dcmqridx": lambda: by_dcmqridx(some),
        },
        min(size.runs, 3),
    )
    base = median(figures["dicomquest"])
    claim.is_met = base >= 8 * median(figures["Orthanc"]) and base >= median(figures["dcmqridx"])
    claim.figures = [
        Figure(
            "dicomquest index",
            spread(figures["dicomquest"]),
            f"{number(max(PEAKS) / 2**20)} MiB at most, in all processes",
        ),
        Figure(
            f"Orthanc, REST upload of {len(few):,}",
            spread(figures["Orthanc"]),
            f"{number(base / median(figures['Orthanc']))}x",
        ),
        Figure(
            f"dcmqridx, {len(some):,}",
            spread(figures["dcmqridx"]),
            f"{number(base / median(figures['dcmqridx']))}x",
        ),
    ]
    return claim
