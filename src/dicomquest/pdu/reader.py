"""From the byte stream of a connection to whole PDUs (PS3.8 9.3.1)."""

from __future__ import annotations

from dicomquest.errors import RemoteProtocolError
from dicomquest.pdu.items import INVALID_VALUE
from dicomquest.pdu.pdus import PDU, PDU_HEADER, UNRECOGNIZED_PDU, PduType, decode

FIXED_LENGTHS = {
    PduType.A_ASSOCIATE_RJ: 4,
    PduType.A_RELEASE_RQ: 4,
    PduType.A_RELEASE_RP: 4,
    PduType.A_ABORT: 4,
}


class PduReader:
    """Collects bytes and gives PDUs; a PDU that its header condemns is skipped without ever being stored.

    ``association_limit`` and ``p_data_limit`` bound the PDU-length field, in bytes.
    """

    __slots__ = ("_buffer", "_needed", "_offset", "_skip", "association_limit", "p_data_limit")

    def __init__(self, association_limit: int, p_data_limit: int) -> None:
        self.association_limit = association_limit
        self.p_data_limit = p_data_limit
        # The bytes of one call are read where they are; only what a PDU's rest is still missing for is copied.
        self._buffer: bytes | bytearray = b""
        self._offset = 0
        self._needed = PDU_HEADER.size
        self._skip = 0

    @property
    def is_inside_pdu(self) -> bool:
        """Whether a PDU has begun to arrive and is not complete."""
        return self._skip > 0 or self._offset < len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take the next bytes, in pieces of any size."""
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        if self._offset == len(self._buffer):
            self._buffer = data
            self._offset = 0
            return
        if isinstance(self._buffer, bytes):
            self._buffer = bytearray(self._buffer[self._offset :])
            self._offset = 0
        self._buffer += data

    def next_pdu(self) -> PDU | None:
        """Return the next PDU, or None until more bytes come.

        Raises RemoteProtocolError for one that is refused; the reader is past it then and can go on.
        """
        available = len(self._buffer) - self._offset
        if available < self._needed:
            self._drop_read()
            return None
        pdu_type, length = PDU_HEADER.unpack_from(self._buffer, self._offset)
        if self._needed == PDU_HEADER.size:
            if error := self._fault(pdu_type, length):
                self._skip_pdu(PDU_HEADER.size + length)
                raise error
            self._needed += length
            if available < self._needed:
                self._drop_read()
                return None
        start = self._offset + PDU_HEADER.size
        self._offset = start + length
        self._needed = PDU_HEADER.size
        with memoryview(self._buffer) as view, view[start : self._offset] as body:
            return decode(pdu_type, body)

    def _fault(self, pdu_type: int, length: int) -> RemoteProtocolError | None:
        """Say why a PDU is refused by its header alone."""
        if pdu_type == PduType.P_DATA_TF:
            if length > self.p_data_limit:
                return RemoteProtocolError(
                    f"P-DATA-TF of {length} bytes: at most {self.p_data_limit} are received", reason=INVALID_VALUE
                )
        elif pdu_type in FIXED_LENGTHS:
            expected = FIXED_LENGTHS[PduType(pdu_type)]
            if length != expected:
                return RemoteProtocolError(
                    f"PDU of type {pdu_type:02X}H with length {length}: expected {expected}", reason=INVALID_VALUE
                )
        elif pdu_type not in (PduType.A_ASSOCIATE_RQ, PduType.A_ASSOCIATE_AC):
            return RemoteProtocolError(f"PDU type {pdu_type:02X}H: expected 01H to 07H", reason=UNRECOGNIZED_PDU)
        elif length > self.association_limit:
            return RemoteProtocolError(
                f"PDU of type {pdu_type:02X}H with {length} bytes: at most {self.association_limit} are received",
                reason=INVALID_VALUE,
            )
        return None

    def _skip_pdu(self, size: int) -> None:
        present = min(size, len(self._buffer) - self._offset)
        self._offset += present
        self._skip = size - present

    def _drop_read(self) -> None:
        if self._offset == len(self._buffer):
            self._buffer = b""
            self._offset = 0
        elif self._offset and isinstance(self._buffer, bytearray):
            del self._buffer[: self._offset]
            self._offset = 0
