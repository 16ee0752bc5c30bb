"""The transfer syntaxes in which identifiers travel (PS3.5 10, A)."""

from __future__ import annotations

from typing import NamedTuple


class TransferSyntax(NamedTuple):
    """A transfer syntax: the layout of a data set in bytes."""

    uid: str
    name: str
    explicit_vr: bool
    little_endian: bool
    deflated: bool


IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1.99"
EXPLICIT_VR_BIG_ENDIAN = "1.2.840.10008.1.2.2"

TRANSFER_SYNTAXES = (
    TransferSyntax(IMPLICIT_VR_LITTLE_ENDIAN, "Implicit VR Little Endian", False, True, False),
    TransferSyntax(EXPLICIT_VR_LITTLE_ENDIAN, "Explicit VR Little Endian", True, True, False),
    TransferSyntax(
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, "Deflated Explicit VR Little Endian", True, True, True
    ),
    TransferSyntax(EXPLICIT_VR_BIG_ENDIAN, "Explicit VR Big Endian (Retired)", True, False, False),
)

ENCAPSULATED_UNCOMPRESSED = "1.2.840.10008.1.2.1.98"
"""Explicit VR little endian with frames in fragments, not compressed (PS3.5 A.4.11)."""

STREAM_SYNTAXES = frozenset(
    {
        *(
            f"1.2.840.10008.1.2.4.{number}{fragmentable}"
            for number in range(100, 107)
            for fragmentable in ("", ".1")
        ),
        "1.2.840.10008.1.2.4.107",
        "1.2.840.10008.1.2.4.108",
        "1.2.840.10008.1.2.7.1",
        "1.2.840.10008.1.2.7.2",
        "1.2.840.10008.1.2.7.3",
    }
)
"""Video and audio: all frames are one stream, however many fragments it has (PS3.5 8.2.5, A.4)."""
