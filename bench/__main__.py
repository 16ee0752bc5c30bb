"""``python -m bench``: measure the claims and write docs/explanation/benchmarks.md."""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import subprocess
import sys
import time
from contextlib import nullcontext
from importlib import import_module, metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from servers import SHARED, missing_programs
from sizes import SIZES

CLAIMS = (
    "p01_stream", "p02_workers", "p03_lookup", "p04_associations", "p05_growth", "p06_first_match",
    "p07_memory", "p08_fairness", "p09_ingest", "p10_scu", "p11_idle", "p12_start", "p13_store",
    "p14_fallback", "p15_postgresql", "p16_senders", "p17_visibility", "p18_sight",
    "p19_get", "p20_move", "p21_qido", "p22_overview", "p23_http_stream", "p24_page",
    "p25_worklist", "p26_federation", "p27_writers", "limits",
)  # fmt: skip


def machine() -> str:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    return f"{os.cpu_count()} cores of {model}, {platform.system()} {platform.release()}"


def versions() -> str:
    names = [f"Python {platform.python_version()}", f"SQLite {sqlite3.sqlite_version}"]
    names += [
        f"{name} {metadata.version(name)}"
        for name in ("dicomquest", "pydicom", "pynetdicom", "uvloop")
    ]
    for command in (["dcmqrscp", "--version"], ["/usr/sbin/Orthanc", "--version"]):
        printed = subprocess.run(command, capture_output=True, text=True, check=False)
        names.append(
            next(
                (line.strip("$ ") for line in printed.stdout.splitlines() if line.strip("$ ")),
                command[0],
            )
        )
    return ", ".join(names)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--size",
        choices=SIZES,
        default="full",
        help="medium: minutes; toy: seconds, and no figure worth a look",
    )
    parser.add_argument(
        "--only",
        metavar="NAME",
        nargs="*",
        help="claims by the beginning of their file's name, as p01",
    )
    parser.add_argument(
        "--output",
        type=Path,
        help="the page to write (default: docs/explanation/benchmarks.md after a full run)",
    )
    options = parser.parse_args()
    missing = missing_programs()
    if missing:
        sys.exit(
            f"bench: not installed: {', '.join(missing)} "
            "(Debian: apt-get install dcmtk orthanc orthanc-dicomweb postgresql)"
        )
    chosen = [name for name in CLAIMS if not options.only or name.startswith(tuple(options.only))]
    if not chosen:
        names = ", ".join(name.partition("_")[0] for name in CLAIMS)
        sys.exit(f"bench: no claim begins with {' or '.join(options.only)}: there are {names}")
    output = options.output
    if output is None and options.size != "toy" and len(chosen) == len(CLAIMS):
        output = Path("docs/explanation/benchmarks.md")
    page = [
        "# Benchmarks", "",
        ("`make bench` writes this page: medians of alternating runs, "
        "with minimum and maximum in brackets."),
        ("The same raw-socket client drives every peer; "
        "it has no DICOM library in it (`bench/client.py`)."),
        ("Study Root, STUDY level, 11 return keys, Explicit VR Little Endian, "
        "unless said otherwise."),
        ("[Performance](performance.md) says what limits each figure, "
        "and why a target is missed."),
        "", f"Size of the run: {options.size} (`bench/sizes.py`).", f"Machine: {machine()}.",
        f"Versions: {versions()}.", "",
    ]  # fmt: skip
    # Figures of a toy mean nothing, so no server has to be a fresh one.
    with SHARED.all() if options.size == "toy" else nullcontext():
        for number, name in enumerate(chosen, 1):
            print(f"{number} of {len(chosen)}: {name} ...", file=sys.stderr, flush=True)
            started = time.perf_counter()
            claim = import_module(name).run(SIZES[options.size])
            print(claim.markdown(), flush=True)
            print(f"({name}: {time.perf_counter() - started:.0f} s)", file=sys.stderr, flush=True)
            page.append(claim.markdown())
            # Written as it grows, so that a run that is cut off is not lost.
            if output is not None:
                output.write_text("\n".join(page), encoding="utf-8")


if __name__ == "__main__":
    main()
