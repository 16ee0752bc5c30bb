"""P14: answers that are not all plain ASCII columns, and the plain path: matches a second."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from client import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    USUAL_KEYS,
    Client,
    find_rq,
    identifier,
)
from measure import Claim, Figure, alternate, median, number, spread
from servers import ours

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import Served
    from sizes import Size

DEFLATED = "1.2.840.10008.1.2.1.99"

IMAGE_KEYS = {
    0x00080016: b"UI",
    0x00080018: b"UI",
    0x0020000D: b"UI",
    0x0020000E: b"UI",
    0x00200013: b"IS",
}
ROWS = 0x00280010


def asking_for(charset: str) -> bytes:
    """The usual query in a character set."""
    return identifier({0x00080005: charset}, USUAL_KEYS | {0x00080005: b"CS"})


QUERIES: tuple[tuple[str, bytes, str], ...] = (
    ("STUDY, 11 keys, explicit VR", identifier({}), EXPLICIT_VR_LITTLE_ENDIAN),
    ("the same, implicit VR", b"", IMPLICIT_VR_LITTLE_ENDIAN),
    (
        "the same, names in ISO 2022 IR 149",
        asking_for("\\ISO 2022 IR 149"),
        EXPLICIT_VR_LITTLE_ENDIAN,
    ),
    (
        "the same, ISO_IR 13 asked for: names that are not ASCII take the plain path",
        asking_for("ISO_IR 13"),
        EXPLICIT_VR_LITTLE_ENDIAN,
    ),
    ("IMAGE, 5 keys with columns", identifier({}, IMAGE_KEYS, "IMAGE"), EXPLICIT_VR_LITTLE_ENDIAN),
    (
        "the same and one key that is kept as JSON",
        identifier({}, IMAGE_KEYS | {ROWS: b"US"}, "IMAGE"),
        EXPLICIT_VR_LITTLE_ENDIAN,
    ),
)


def implicit(explicit: bytes) -> bytes:
    """An identifier of short elements from explicit to implicit VR."""
    data, at = b"", 0
    while at < len(explicit):
        length = int.from_bytes(explicit[at + 6 : at + 8], "little")
        data += (
            explicit[at : at + 4]
            + length.to_bytes(4, "little")
            + explicit[at + 8 : at + 8 + length]
        )
        at += 8 + length
    return data


def rate(served: Served, data: bytes, transfer_syntax: str) -> float:
    client = Client(served.port, served.aet, transfer_syntax=transfer_syntax)
    answer = client.drain(find_rq(data))
    client.release()
    if answer.status != 0 or answer.matches < served.studies:
        raise AssertionError(f"{answer.matches} matches, status {answer.status:04X}")
    return answer.matches / answer.total


def run(size: Size) -> Claim:
    claim = Claim(
        "P14", "answers that are not all ASCII columns, in matches a second", "none: stated"
    )
    with ours(size.fallback) as served:
        measures: dict[str, Callable[[], float]] = {
            name: partial(rate, served, data or implicit(identifier({})), syntax)
            for name, data, syntax in QUERIES
        }
        figures = alternate(measures, size.runs)
    base = median(figures[QUERIES[0][0]])
    claim.figures = [
        Figure(name, spread(mine), f"{number(median(mine) / base)} of the first")
        for name, mine in figures.items()
    ]
    return claim
