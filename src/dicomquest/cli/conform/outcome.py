"""Outcomes of checks of a peer, and the words that go with them (PS3.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dicomquest.cli.conform.holdings import Holdings
    from dicomquest.cli.conform.questioner import Asks


class Outcome(Enum):
    """The outcome of a check; NOT_DECIDED if the peer's data or services cannot show it."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_DECIDED = "not decided"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome, and what was seen."""

    outcome: Outcome
    words: str


def passed(words: str) -> Verdict:
    """Return the verdict on a peer that did what the clause says."""
    return Verdict(Outcome.PASSED, words)


def failed(words: str) -> Verdict:
    """Return the verdict on a peer that did something else."""
    return Verdict(Outcome.FAILED, words)


def not_decided(words: str) -> Verdict:
    """Return the verdict if nothing can be said; ``words`` has the reason."""
    return Verdict(Outcome.NOT_DECIDED, words)


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the table of checks; ``clause`` is one of PS3.4 if it names no other part."""

    identifier: str
    clause: str
    words: str
    judge: Callable[[Asks, Holdings], Verdict]


@dataclass(frozen=True, slots=True)
class Result:
    """A check, the verdict, and the seconds it took."""

    check: Check
    verdict: Verdict
    seconds: float
