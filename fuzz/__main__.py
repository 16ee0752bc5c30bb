"""``python -m fuzz``: run the fuzzers, and keep the input that breaks an invariant.

Each file of this folder with a function ``check`` is a target; its first line says what must hold.
Besides, no input takes longer than 0.2 s of the processor, 10 s in all, or 50 MB.
``fuzz/corpus`` has what real peers sent.
"""

from __future__ import annotations

import argparse
import gc
import resource
import sys
import time
import traceback
from collections.abc import Callable
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from random import Random

from fuzz.mutation import mutated

FOLDER = Path(__file__).parent
TARGETS = (
    "pdu",
    "items",
    "command_set",
    "identifier",
    "file_header",
    "response",
    "session",
    "http_request",
)
LONGEST = 0.2
"""Seconds of the processor for one input: other programs of the machine do not count."""
LONGEST_WAIT = 10.0
"""Seconds of one input by the clock: beyond, it hangs."""
LARGEST = 50 << 10
"""KiB by which one input may make the process grow."""
TRIES = 3
"""A slow input is slow each time; a collection of garbage or a pause of the machine is not."""


def corpus(target: str) -> list[bytes]:
    """Return the records of a target, in the order of their names."""
    return [path.read_bytes() for path in sorted((FOLDER / "corpus" / target).iterdir())]


def run(
    target: str, seconds: float, executions: int, seed: int, failures: Path
) -> tuple[int, bool]:
    """Run one target for some time or number of inputs; return the number, and True if all held."""
    check: Callable[[bytes], None] = import_module(f"fuzz.{target}").check
    records, random = corpus(target), Random(seed)
    for record in records:
        check(record)
    ends, count = time.monotonic() + seconds, 0
    while count < executions and time.monotonic() < ends:
        data = mutated(random, records)
        count += 1
        if (fault := fault_of(check, data)) is not None:
            failures.mkdir(parents=True, exist_ok=True)
            path = failures / f"{target}-{blake2b(data, digest_size=6).hexdigest()}"
            path.write_bytes(data)
            print(f"{target}: {fault}\n{target}: the input is in {path}")
            return count, False
    return count, True


def fault_of(check: Callable[[bytes], None], data: bytes) -> str | None:
    """Return how an input breaks the invariant, None if it does not."""
    fault = None
    for _ in range(TRIES):
        before, began, clock = memory(), time.process_time(), time.perf_counter()
        try:
            check(data)
        except Exception:  # noqa: BLE001
            return traceback.format_exc()
        took, grown = time.process_time() - began, memory() - before
        waited = time.perf_counter() - clock
        if grown > LARGEST:
            return f"the process grew by {grown >> 10} MB"
        if took <= LONGEST and waited <= LONGEST_WAIT:
            return None
        gc.collect()
        fault = f"{took:.3f} s of the processor in {waited:.3f} s, {TRIES} times over the limit"
    return fault


def memory() -> int:
    """Return the greatest resident size so far, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> int:
    """Run the targets that are named; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=60.0, help="for all targets (60)")
    parser.add_argument("--executions", type=int, default=sys.maxsize, help="most of a target")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="any number")
    parser.add_argument("--failures", type=Path, default=Path("build", "fuzz"), metavar="FOLDER")
    arguments = parser.parse_args()
    targets = arguments.targets or TARGETS
    if unknown := sorted(set(targets) - set(TARGETS)):
        parser.error(f"no target {unknown[0]!r}: {', '.join(TARGETS)}")
    total, all_held = 0, True
    for target in targets:
        began = time.monotonic()
        count, holds = run(
            target, arguments.seconds / len(targets), arguments.executions, arguments.seed,
            arguments.failures,
        )  # fmt: skip
        took = time.monotonic() - began
        words = "the invariant holds" if holds else "BROKEN"
        print(f"{target}: {count:,} inputs in {took:.1f} s, seed {arguments.seed}: {words}")
        total, all_held = total + count, all_held and holds
    print(f"{total:,} inputs")
    return 0 if all_held else 1


if __name__ == "__main__":
    sys.exit(main())
