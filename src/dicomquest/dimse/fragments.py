"""Messages to fragments and back (PS3.8 9.3.5, Annex E; PS3.7 6.3).

A message is a command set and, for some, a data set. Each travels in fragments, one a PDV, that say
which of the two they belong to and whether they are its last. A ``Reassembler`` puts the PDVs of
one direction together; ``encode_message`` cuts a message up, and a ``PendingFramer`` the thousands
of messages that answer one query, which differ in their identifiers only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Final, NamedTuple, TypeAlias

from dicomquest.dimse.command_sets import decode_command
from dicomquest.dimse.commands import Command, NormalizedRQ, name_of
from dicomquest.errors import LocalProtocolError, RemoteProtocolError
from dicomquest.pdu.pdus import (
    COMMAND,
    LAST,
    PDU_HEADER,
    PDV_HEADER,
    PDV_OVERHEAD,
    PduType,
    PresentationDataValue,
)
from dicomquest.pdu.reader import RepeatedPDVs
from dicomquest.pdu.reasons import AbortReason

_BITS: Final = COMMAND | LAST

_USUAL: Final = 256
"""Bytes of a command set that is worth remembering; that of a C-FIND-RQ has 90."""

HEADER_CACHE: Final = 1024
"""Lengths of identifiers whose header a framer keeps; in one query they differ by some tens."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The bytes that a peer's messages may have.

    A longer command set ends the association. A longer data set is read and thrown away, so that
    the request can be refused by a status. ``attributes`` is for DIMSE-N requests.
    """

    command_set: int = 64 * 1024
    data_set: int = 16 * 1024 * 1024
    attributes: int = 16 * 1024 * 1024


class Message(NamedTuple):
    """A command with its data set, None if it has none.

    The data set is missing, too, if it was longer than the limit (``is_oversized``), or if it
    follows as ``DataSetFragment`` (``is_streamed``).
    """

    context_id: int
    command: Command
    data_set: bytes | None = None
    is_oversized: bool = False
    is_streamed: bool = False


@dataclass(frozen=True, slots=True)
class DataSetFragment:
    """A part of a streamed data set; the last one may be empty."""

    context_id: int
    command: Command
    fragment: bytes
    is_last: bool


Streamed: TypeAlias = Callable[[Command], bool]


def _stream_nothing(command: Command) -> bool:
    del command
    return False


class Reassembler:
    """Puts the messages of one direction together, by context IDs and bits 0 and 1 of PDVs.

    ``streamed`` chooses the commands whose data sets are handed out fragment by fragment, without a
    limit.
    """

    def __init__(
        self, limits: Limits | None = None, *, streamed: Streamed = _stream_nothing
    ) -> None:
        self._limits = limits or Limits()
        self._is_streamed = streamed
        self._buffer = bytearray()
        # The message in progress: its context, and its command once this is complete and a data set
        # has to follow.
        self._context_id: int | None = None
        self._command: Command | None = None
        self._streams = False
        self._oversized = False
        # The context of a command that announced no data set: some peers send one all the same.
        self._stray_context_id: int | None = None
        # The Pending responses of a query have one and the same command set: it is decoded once.
        self._known_bytes = b""
        self._known_command: Command | None = None

    @property
    def is_idle(self) -> bool:
        """Tell whether no message is incomplete."""
        return self._context_id is None

    def receive(self, pdv: PresentationDataValue) -> Message | DataSetFragment | None:
        """Take the next PDV; return the message that it completes, or None if more is to come.

        Raises RemoteProtocolError for a PDV that cannot come now.
        """
        context_id, control, fragment = pdv
        # The messages of one direction are not interleaved (PS3.8 Annex E).
        if context_id != self._context_id and self._context_id is not None:
            raise RemoteProtocolError(
                f"a PDV on presentation context {context_id}"
                f" within a message on {self._context_id}",
                reason=AbortReason.INVALID_VALUE,
            )
        if control & COMMAND:
            return self._receive_command(context_id, control & LAST, fragment)
        return self._receive_data(context_id, control & LAST, fragment)

    @property
    def known_command(self) -> Command | None:
        """The command that came last; ``receive_repeated`` takes its repetitions."""
        return self._known_command

    def receive_repeated(
        self, context_id: int, pdvs: Sequence[PresentationDataValue | RepeatedPDVs], position: int
    ) -> tuple[list[bytes], int]:
        """Take messages that repeat the known command, each with a data set of one fragment.

        Return their data sets, and the position of the first PDV for ``receive``. It serves the
        Pending responses of a query, which repeat their command byte for byte: 0.4 us each, where
        ``receive`` takes 3 for the two PDVs, and next to nothing for those that the reader found.
        """
        data_sets: list[bytes] = []
        end = len(pdvs)
        if (
            self._context_id is not None
            or self._known_command is None
            or not self._known_command.has_data_set
        ):
            return data_sets, position
        known, longest = self._known_bytes, self._limits.data_set
        while position < end:
            first, second = pdvs[position], pdvs[position + 1] if position + 1 < end else None
            if isinstance(first, RepeatedPDVs):
                of_command = first.command == known and first.context_id == context_id
                if not of_command or max(map(len, first.data_sets)) > longest:
                    break
                data_sets += first.data_sets
                position += 1
                continue
            if second is None or isinstance(second, RepeatedPDVs):
                break
            command_context, command_control, command_set = first
            data_context, data_control, data_set = second
            if (
                command_set != known
                or not command_context == data_context == context_id
                or command_control & _BITS != COMMAND | LAST
                or data_control & _BITS != LAST
                or len(data_set) > longest
            ):
                break
            data_sets.append(data_set)
            position += 2
        # As ``receive`` leaves it behind a command that announced its data set.
        if data_sets:
            self._stray_context_id = None
        return data_sets, position

    def _receive_command(self, context_id: int, last: int, fragment: bytes) -> Message | None:
        if self._command is not None:
            raise RemoteProtocolError(
                f"a command fragment before the end of the data set of {name_of(self._command)}",
                reason=AbortReason.UNEXPECTED_PARAMETER,
            )
        self._context_id = context_id
        size = len(self._buffer) + len(fragment)
        if size > self._limits.command_set:
            raise RemoteProtocolError(
                f"a command set of {size} bytes or more: {self._limits.command_set} are accepted",
                reason=AbortReason.INVALID_VALUE,
                limit="command_set",
            )
        if not last:
            self._buffer += fragment
            return None
        command = self._decode(self._take(fragment))
        if not command.has_data_set:
            self._context_id = None
            self._stray_context_id = context_id
            return Message(context_id, command)
        self._command = command
        self._stray_context_id = None
        self._oversized = False
        self._streams = self._is_streamed(command)
        return Message(context_id, command, is_streamed=True) if self._streams else None

    def _receive_data(
        self, context_id: int, last: int, fragment: bytes
    ) -> Message | DataSetFragment | None:
        command = self._command
        if command is None:
            self._receive_stray(context_id, last)
            return None
        if last:
            self._command = self._context_id = None
        if self._streams:
            return DataSetFragment(context_id, command, fragment, bool(last))
        # A data set over the limit is read to its last fragment and not kept: what the peer sends
        # next is found only behind it.
        of_instance = isinstance(command, NormalizedRQ)
        longest = self._limits.attributes if of_instance else self._limits.data_set
        if self._oversized or len(self._buffer) + len(fragment) > longest:
            self._oversized = True
            self._buffer.clear()
            return Message(context_id, command, is_oversized=True) if last else None
        if not last:
            self._buffer += fragment
            return None
        return Message(context_id, command, self._take(fragment))

    def _receive_stray(self, context_id: int, last: int) -> None:
        """Throw away a data set that its command did not announce."""
        if self._context_id is not None:
            raise RemoteProtocolError(
                "a data set fragment before the end of the command set",
                reason=AbortReason.UNEXPECTED_PARAMETER,
            )
        if context_id != self._stray_context_id:
            raise RemoteProtocolError(
                f"a data set fragment on presentation context {context_id} without a command",
                reason=AbortReason.UNEXPECTED_PARAMETER,
            )
        if last:
            self._stray_context_id = None

    def _take(self, fragment: bytes) -> bytes:
        """Return all fragments together, the last one included, and collect anew."""
        # Nearly every command set and identifier is one fragment, which need not be copied.
        if not self._buffer:
            return fragment
        self._buffer += fragment
        whole = bytes(self._buffer)
        self._buffer.clear()
        return whole

    def _decode(self, data: bytes) -> Command:
        # Longer ones are decoded each time: the cache is bounded in bytes, too.
        if self._known_command is None or data != self._known_bytes:
            self._known_command = (
                _known_command(data) if len(data) <= _USUAL else decode_command(data)
            )
            self._known_bytes = data
        return self._known_command


@lru_cache(maxsize=256)
def _known_command(data: bytes) -> Command:
    """Decode a command set that may come again: those of queries differ in Message IDs alone."""
    return decode_command(data)


def longest_fragment(maximum_length: int, *, counts_pdu_header: bool = False) -> int:
    """Return the most bytes of a fragment for a peer's maximum length; 0 if none fits (PS3.8 D.1).

    ``counts_pdu_header`` is for peers that wrongly count the 6 bytes of the PDU header too.
    Fragments are even, so an odd maximum is rounded down.
    """
    length = maximum_length - PDV_OVERHEAD - (PDU_HEADER.size if counts_pdu_header else 0)
    return max(length // 2 * 2, 0)


def fragment_pdus(
    context_id: int,
    control: int,
    data: bytes | memoryview,
    longest: int,
    *,
    is_end: bool = True,
) -> Iterator[bytes | memoryview]:
    """Yield header and fragment of each P-DATA-TF for one command set or data set.

    No fragment has more than ``longest`` bytes. ``control`` is COMMAND or 0; the bit for the last
    fragment is added here, unless more data follows (``is_end`` is False).
    """
    _check_length(len(data))
    for start in range(0, len(data), longest):
        fragment = data[start : start + longest]
        last = LAST if is_end and start + longest >= len(data) else 0
        yield _pdu_header(context_id, control | last, len(fragment))
        yield fragment


def encode_message(
    context_id: int, command_set: bytes, data_set: bytes | None, longest: int
) -> bytes:
    """Return the P-DATA-TF PDUs of one message.

    Raises LocalProtocolError for a data set of no or an odd number of bytes (PS3.5 7.1).
    """
    if data_set is None and 0 < len(command_set) <= longest and not len(command_set) % 2:
        return _pdu_header(context_id, COMMAND | LAST, len(command_set)) + command_set
    parts = chain(
        fragment_pdus(context_id, COMMAND, command_set, longest),
        () if data_set is None else fragment_pdus(context_id, 0, data_set, longest),
    )
    return b"".join(parts)


class PendingFramer:
    """Turns the identifiers of Pending responses into P-DATA-TF PDUs, many at a time.

    All Pending responses of a query have the same command set, so the bytes before an identifier
    depend on its length alone. They are made once for each length: the whole command PDU, and the
    header of the data PDU. Joining two sequences is all that is left, and that loop runs in C.
    """

    def __init__(
        self, context_id: int, command_set: bytes, longest: int, *, shares_pdu: bool = False
    ) -> None:
        self._context_id = context_id
        self._longest = longest
        self._command_pdus = b"".join(fragment_pdus(context_id, COMMAND, command_set, longest))
        self._prefixes = _Prefixes(
            context_id, command_set, self._command_pdus, longest if shares_pdu else 0
        )

    def frame(self, identifiers: Sequence[bytes]) -> bytes:
        """Return the PDUs of one response for each identifier; raise as ``encode_message`` does."""
        # One identifier over the peer's maximum length sends the batch to the loop that cuts up.
        if max(map(len, identifiers), default=0) > self._longest:
            return b"".join(chain.from_iterable(map(self._parts, identifiers)))
        prefixes = map(self._prefixes.__getitem__, map(len, identifiers))
        return b"".join(chain.from_iterable(zip(prefixes, identifiers, strict=True)))

    def _parts(self, identifier: bytes) -> Iterator[bytes | memoryview]:
        if len(identifier) <= self._longest:
            yield self._prefixes[len(identifier)]
            yield identifier
        else:
            yield self._command_pdus
            yield from fragment_pdus(self._context_id, 0, identifier, self._longest)


class _Prefixes(dict[int, bytes]):
    """All that is sent before an identifier, by its length, if it fits in one PDU."""

    def __init__(
        self, context_id: int, command_set: bytes, command_pdus: bytes, shared_length: int
    ) -> None:
        super().__init__()
        self._context_id = context_id
        self._command_pdus = command_pdus
        self._command_pdv = (
            PDV_HEADER.pack(len(command_set) + 2, context_id, COMMAND | LAST) + command_set
        )
        # The longest PDU for both PDVs together; 0 if they are not to share one, which is the
        # default: not every peer is known to take both in one.
        self._shared_length = shared_length + PDV_OVERHEAD if shared_length else 0

    def __missing__(self, length: int) -> bytes:
        _check_length(length)
        # Identifiers of ever new lengths do not grow the table for ever.
        if len(self) >= HEADER_CACHE:
            self.clear()
        shared = len(self._command_pdv) + PDV_OVERHEAD + length
        if shared <= self._shared_length:
            prefix = (
                PDU_HEADER.pack(PduType.P_DATA_TF, shared)
                + self._command_pdv
                + PDV_HEADER.pack(length + 2, self._context_id, LAST)
            )
        else:
            prefix = self._command_pdus + _pdu_header(self._context_id, LAST, length)
        self[length] = prefix
        return prefix


def _pdu_header(context_id: int, control: int, length: int) -> bytes:
    return PDU_HEADER.pack(PduType.P_DATA_TF, length + PDV_OVERHEAD) + PDV_HEADER.pack(
        length + 2, context_id, control
    )


def _check_length(length: int) -> None:
    if length == 0 or length % 2:
        raise LocalProtocolError(f"a data set of {length} bytes: expected an even number, not 0")
