"""The end of each source, and the final status of their query (PS3.4 C.4.1.1.4).

Success promises a response for every match (C.4.1.3.1). With a source that did not answer to its
end nobody knows that, so the query ends with a failure *after* the matches that there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from dicomquest.errors import LONGEST_COMMENT, DicomquestError, error_comment
from dicomquest.services.failures import Failure
from dicomquest.standard import statuses


class EndKind(Enum):
    """The ways in which a source ends; the value is a label of the metrics."""

    COMPLETE = "complete"
    UNREACHABLE = "unreachable"
    REJECTED = "rejected"
    TIMED_OUT = "timed out"
    LOST = "lost"
    CAPPED = "capped"
    FAILED = "failed"
    UNREADABLE = "unreadable answers"
    WRONG_TEXT = "wrong character set"
    UNFILTERED = "cannot be filtered"
    CANCELLED = "cancelled"

    @property
    def is_short(self) -> bool:
        """Tell whether matches may be missing."""
        return self not in {EndKind.COMPLETE, EndKind.CANCELLED}

    @property
    def is_gone(self) -> bool:
        """Tell whether further questions would only wait."""
        return self in {
            EndKind.UNREACHABLE,
            EndKind.REJECTED,
            EndKind.TIMED_OUT,
            EndKind.LOST,
        }


class SourceEnd(NamedTuple):
    """The end of one source: ``detail`` is for the operator, without values of keys."""

    name: str
    kind: EndKind
    detail: str = ""
    matches: int = 0
    seconds: float = 0.0


def final_of(ends: Sequence[SourceEnd]) -> Failure:
    """Return the final response: Success, or C003 and the names of those that fell short."""
    short = [end for end in ends if end.kind.is_short]
    if not short:
        return Failure(statuses.SUCCESS)
    return Failure(statuses.INCOMPLETE, incomplete(short))


def incomplete(short: Sequence[SourceEnd]) -> str:
    """Return an Error Comment that names the sources that fell short, or as many as it can."""
    names = [end.name for end in short]
    ways = [f"incomplete: {comment_of(short)}", f"incomplete: {', '.join(names)}"]
    ways += [
        f"incomplete: {', '.join(names[:count])} and {len(names) - count} more"
        for count in range(len(names) - 1, 0, -1)
    ]
    way = next((each for each in ways if len(each) <= LONGEST_COMMENT), ways[-1])
    return error_comment(way)


def comment_of(short: Sequence[SourceEnd]) -> str:
    """Name the sources that fell short, those that fell short alike together."""
    by_kind: dict[EndKind, list[str]] = {}
    for end in short:
        by_kind.setdefault(end.kind, []).append(end.name)
    return "; ".join(f"{', '.join(names)} {kind.value}" for kind, names in by_kind.items())


class SourceError(DicomquestError):
    """A source that falls short; the message is for the operator."""

    def __init__(self, kind: EndKind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
