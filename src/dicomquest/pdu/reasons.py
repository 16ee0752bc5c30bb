"""The numbers of A-ASSOCIATE-RJ and A-ABORT, in words (PS3.8 9.3.4, 9.3.8)."""

from __future__ import annotations

from enum import IntEnum


class AbortSource(IntEnum):
    """The source of an A-ABORT; 1 is reserved."""

    SERVICE_USER = 0
    SERVICE_PROVIDER = 2


class AbortReason(IntEnum):
    """The reason of an A-ABORT whose source is the service provider; 3 is reserved."""

    NOT_SPECIFIED = 0
    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    UNRECOGNIZED_PARAMETER = 4
    UNEXPECTED_PARAMETER = 5
    INVALID_VALUE = 6


_RESULTS = {1: "rejected permanently", 2: "rejected for now"}

_REASONS = {
    (1, 1): "no reason given",
    (1, 2): "application context name not supported",
    (1, 3): "calling AE title not recognized",
    (1, 7): "called AE title not recognized",
    (2, 1): "no reason given by the service provider (ACSE)",
    (2, 2): "protocol version not supported",
    (3, 1): "temporary congestion",
    (3, 2): "local limit exceeded",
}
"""The words by source (1 user, 2 ACSE, 3 presentation) and reason; other numbers are reserved."""

REJECT_WORDS = {
    (result, source, reason): f"{result_words}: {words}"
    for result, result_words in _RESULTS.items()
    for (source, reason), words in _REASONS.items()
}
"""The meaning of every (result, source, reason) that A-ASSOCIATE-RJ may have."""

ABORT_WORDS: dict[int, str] = {
    AbortReason.NOT_SPECIFIED: "reason not specified",
    AbortReason.UNRECOGNIZED_PDU: "unrecognized PDU",
    AbortReason.UNEXPECTED_PDU: "unexpected PDU",
    AbortReason.UNRECOGNIZED_PARAMETER: "unrecognized PDU parameter",
    AbortReason.UNEXPECTED_PARAMETER: "unexpected PDU parameter",
    AbortReason.INVALID_VALUE: "invalid PDU parameter value",
}


def reject_words(result: int, source: int, reason: int) -> str:
    """Return an A-ASSOCIATE-RJ in words, reserved numbers included."""
    return REJECT_WORDS.get(
        (result, source, reason), f"rejected: result {result}, source {source}, reason {reason}"
    )


def abort_words(source: int, reason: int) -> str:
    """Return an A-ABORT in words; the reason of a service user means nothing."""
    if source == AbortSource.SERVICE_USER:
        return "aborted by the service user"
    words = ABORT_WORDS.get(reason, f"reason {reason}")
    return (
        f"aborted by the service provider: {words}"
        if source == AbortSource.SERVICE_PROVIDER
        else f"aborted: source {source}, {words}"
    )
