"""What the numbers of A-ASSOCIATE-RJ and A-ABORT mean (PS3.8 9.3.4, 9.3.8)."""

from __future__ import annotations

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
"""By source (1 user, 2 provider's ACSE, 3 provider's presentation part) and reason; all others are reserved."""

REJECT_WORDS = {
    (result, source, reason): f"{result_words}: {words}"
    for result, result_words in _RESULTS.items()
    for (source, reason), words in _REASONS.items()
}
"""The meaning of every (result, source, reason) that A-ASSOCIATE-RJ may have."""

ABORT_WORDS = {
    0: "reason not specified",
    1: "unrecognized PDU",
    2: "unexpected PDU",
    4: "unrecognized PDU parameter",
    5: "unexpected PDU parameter",
    6: "invalid PDU parameter value",
}
"""The meaning of the reason of an A-ABORT whose source is the service provider (2)."""


def reject_words(result: int, source: int, reason: int) -> str:
    """Return what an A-ASSOCIATE-RJ says, reserved numbers included."""
    return REJECT_WORDS.get(
        (result, source, reason), f"rejected: result {result}, source {source}, reason {reason}"
    )


def abort_words(source: int, reason: int) -> str:
    """Return what an A-ABORT says; the reason counts only when its source is the service provider."""
    if source == 0:
        return "aborted by the service user"
    words = ABORT_WORDS.get(reason, f"reason {reason}")
    return (
        f"aborted by the service provider: {words}"
        if source == 2
        else f"aborted: source {source}, {words}"
    )
