"""The outcome of a retrieve while it runs, and its last words (PS3.4 C.4.2.2.1)."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from time import monotonic

from dicomquest.cli.counting import counted
from dicomquest.standard.levels import Level

NAMED = 3
"""UIDs named for each reason of a failure; --verbose names all."""


@dataclass(slots=True)
class Tally:
    """The counts so far, which threads share.

    ``expected`` are the instances to come as far as they are announced, ``there`` those that were
    in the folder before. ``failed`` has, by reason, the UIDs or the names of what did not come.
    ``incomplete`` is the failure of a request whose instances came as far as they are known.
    """

    expected: int = 0
    arrived: int = 0
    size: int = 0
    there: int = 0
    warned: int = 0
    failed: dict[str, list[str]] = field(default_factory=dict)
    failed_count: int = 0
    fatal: str = ""
    incomplete: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)
    started: float = field(default_factory=monotonic)

    def expect(self, count: int) -> None:
        """Announce instances that are to come; less than none take some back."""
        with self.lock:
            self.expected += count

    def arrive(self, size: int = 0, count: int = 1) -> None:
        """Count instances that have come."""
        with self.lock:
            self.arrived += count
            self.size += size

    def skip(self, count: int) -> None:
        """Count instances that need not come."""
        with self.lock:
            self.there += count

    def warn(self, count: int) -> None:
        """Count instances that the peer sent with a warning."""
        with self.lock:
            self.warned += count

    def fail(self, reason: str, what: str, count: int = 1) -> None:
        """Count instances that do not come, with the UID or the name of the group that has them."""
        with self.lock:
            self.failed.setdefault(reason, []).append(what)
            self.failed_count += count

    def give_up(self, reason: str) -> None:
        """Note why nothing more can come; the first reason counts."""
        with self.lock:
            self.fatal = self.fatal or reason

    def fall_short(self, reason: str) -> None:
        """Note that more may exist than has come; the first reason counts."""
        with self.lock:
            self.incomplete = self.incomplete or reason

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return monotonic() - self.started

    @property
    def remaining(self) -> int:
        """The number of announced instances that have neither come nor failed."""
        return max(self.expected - self.arrived - self.failed_count, 0)


def size_in_words(size: float) -> str:
    """Write bytes in the unit that people read: ``812 kB``, ``41.5 MB``, ``1.2 GB``."""
    if size < 1e6:
        return f"{size / 1e3:,.0f} kB"
    return f"{size / 1e6:,.1f} MB" if size < 1e9 else f"{size / 1e9:,.2f} GB"


def summary(tally: Tally, place: str, verb: str, *, has_size: bool) -> str:
    """Return the last line: ``84 instances (43.1 MB) fetched in 2.1 s into scans, 40/s, ...``."""
    seconds = tally.seconds
    if tally.there and not (tally.arrived or tally.failed_count or tally.remaining):
        are = "is" if tally.there == 1 else "are"
        return f"Nothing is left to fetch: {counted(tally.there, Level.IMAGE)} {are} there already"
    size = f" ({size_in_words(tally.size)})" if has_size and tally.size else ""
    words = f"{counted(tally.arrived, Level.IMAGE)}{size} {verb} in {seconds:,.1f} s{place}"
    if tally.arrived:
        words += f": {tally.arrived / max(seconds, 1e-3):,.0f}/s"
        if has_size:
            words += f", {size_in_words(tally.size / max(seconds, 1e-3))}/s"
    further = []
    if tally.there:
        further.append(f"{tally.there:,} {'were' if tally.there != 1 else 'was'} there already")
    if tally.warned:
        further.append(f"{tally.warned:,} with a warning")
    if tally.failed_count:
        further.append(f"{tally.failed_count:,} failed")
    return "; ".join([words, *further])


def failures(failed: Mapping[str, list[str]], *, is_all: bool) -> Iterator[str]:
    """Yield a line for each reason, and the UIDs that it holds for."""
    for reason, names in failed.items():
        yield f"failed: {reason}"
        shown = names if is_all else names[:NAMED]
        for name in shown:
            yield f"  {name}"
        if len(shown) < len(names):
            yield f"  and {len(names) - len(shown):,} more (--verbose names all)"
