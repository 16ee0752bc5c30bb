"""The words about a retrieve, while it runs and at its end."""

from __future__ import annotations

import pytest

from dicomquest.cli.retrieving import progress_line
from dicomquest.cli.retrieving import tally as tallies
from dicomquest.cli.retrieving.progress_line import figures, time_in_words
from dicomquest.cli.retrieving.tally import Tally, failures, size_in_words, summary


@pytest.fixture
def tally(monkeypatch: pytest.MonkeyPatch) -> Tally:
    """A retrieve of 100 instances after 2 seconds, of which 40 have come and 3 have failed."""
    monkeypatch.setattr(Tally, "seconds", 2.0)
    made = Tally()
    made.expect(100)
    for _ in range(40):
        made.arrive(500_000)
    made.skip(12)
    made.fail("the peer did not send it: B000", "1.2.1")
    made.fail("the peer did not send it: B000", "2 of study 1.2", 2)
    return made


def test_summary_says_all_counts(tally: Tally) -> None:
    assert summary(tally, " into scans", "fetched", has_size=True) == (
        "40 instances (20.0 MB) fetched in 2.0 s into scans: 20/s, 10.0 MB/s; "
        "12 were there already; 3 failed"
    )


def test_summary_of_nothing_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tally, "seconds", 0.04)
    assert summary(Tally(), " to LAB", "sent", has_size=False) == "0 instances sent in 0.0 s to LAB"


def test_summary_of_what_is_there_is_short() -> None:
    made = Tally()
    made.skip(120)
    words = "Nothing is left to fetch: 120 instances are there already"
    assert summary(made, " into scans", "fetched", has_size=True) == words


def test_figures_say_what_remains(tally: Tally) -> None:
    assert figures(tally, has_size=True) == (
        "40 of 100 · 3 failed · 20.0 MB · 10.0 MB/s · 3 s left"
    )
    assert figures(tally, has_size=False) == "40 of 100 · 3 failed · 20/s · 3 s left"


def test_figures_without_a_total(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tally, "seconds", 2.0)
    made = Tally()
    made.arrive(10_000)
    assert figures(made, has_size=True) == "1 · 10 kB · 5 kB/s"
    assert figures(Tally(), has_size=True) == "waiting for the first instance"


def test_failures_are_named_by_reason() -> None:
    failed = {"B000": [f"1.2.{number}" for number in range(5)], "not kept": ["1.3"]}
    assert list(failures(failed, is_all=False)) == [
        "failed: B000", "  1.2.0", "  1.2.1", "  1.2.2", "  and 2 more (--verbose names all)",
        "failed: not kept", "  1.3",
    ]  # fmt: skip
    assert len(list(failures(failed, is_all=True))) == 8


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 kB"), (812_300, "812 kB"), (41_490_000, "41.5 MB"), (1_204_000_000, "1.20 GB")],
)
def test_sizes_in_words(size: int, words: str) -> None:
    assert size_in_words(size) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(4.2, "4 s"), (59.6, "1 min"), (200, "3 min"), (7500, "2 h 5 min"),
                           (7195, "2 h 0 min")]
)  # fmt: skip
def test_times_in_words(seconds: float, words: str) -> None:
    assert time_in_words(seconds) == words


def test_bar_is_shown_on_a_terminal_only(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_line.progress_line(tallies.Tally(), has_size=True, is_quiet=False):
        pass
    assert capsys.readouterr().err == ""
