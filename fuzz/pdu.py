"""Invariant: any bytes are PDUs or RemoteProtocolError, in whatever pieces they arrive."""

from __future__ import annotations

from dicomquest.errors import RemoteProtocolError
from dicomquest.pdu.pdus import PDU
from dicomquest.pdu.reader import PduReader

LIMIT = 1 << 20


def check(data: bytes) -> None:
    """Read a stream at once and in pieces of seven bytes; both give the same."""
    assert read([data]) == read([data[start : start + 7] for start in range(0, len(data), 7)])


def read(pieces: list[bytes]) -> list[PDU | str]:
    """Return the PDUs up to the first fault, and the fault."""
    reader, found = PduReader(LIMIT, LIMIT), list[PDU | str]()
    for piece in pieces:
        reader.feed(piece)
        try:
            while (pdu := reader.next_pdu()) is not None:
                found.append(pdu)
        except RemoteProtocolError as error:
            return [*found, str(error)]
    return found
