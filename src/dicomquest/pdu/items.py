"""Items: presentation contexts, UIDs, and the header of all items (PS3.8 9.3.2, 9.3.3, Annex F)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from struct import Struct

from dicomquest.errors import LocalProtocolError, RemoteProtocolError
from dicomquest.pdu.reasons import AbortReason

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
"""The only application context name of DICOM (PS3.7 A.2.1)."""

LONGEST_UID_SENT = 64
LONGEST_UID_RECEIVED = 256
"""More than the 64 characters of the Standard (PS3.8 Annex F), as some peers send longer ones."""

MAXIMUM_CONTEXTS = 128
"""The number of odd IDs in one byte (PS3.8 9.3.2.2)."""

_UID = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*", re.ASCII)
_ITEM_HEADER = Struct(">BxH")
_CONTEXT_RQ = Struct(">Bxxx")
_CONTEXT_AC = Struct(">BxBx")
_LONGEST_ITEM = 0xFFFF


class ItemType(IntEnum):
    """The items of A-ASSOCIATE-RQ and -AC; ``user_information`` has the sub-items of the last."""

    APPLICATION_CONTEXT = 0x10
    PRESENTATION_CONTEXT_RQ = 0x20
    PRESENTATION_CONTEXT_AC = 0x21
    ABSTRACT_SYNTAX = 0x30
    TRANSFER_SYNTAX = 0x40
    USER_INFORMATION = 0x50


class ContextResult(IntEnum):
    """The acceptor's answer to one presentation context (PS3.8 table 9-18)."""

    ACCEPTANCE = 0
    USER_REJECTION = 1
    NO_REASON = 2
    ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
    TRANSFER_SYNTAXES_NOT_SUPPORTED = 4


@dataclass(frozen=True, slots=True)
class PresentationContextRQ:
    """A proposed presentation context; its ID is an odd number of 1 to 255."""

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PresentationContextAC:
    """The answer to a presentation context; the transfer syntax only counts if the result is 0."""

    context_id: int
    result: int
    transfer_syntax: str = ""


@lru_cache(maxsize=1024)
def encode_uid(uid: str) -> bytes:
    """Return the bytes of a UID; LocalProtocolError for a text that is no UID.

    UIDs of PDUs have no padding, other than those of data sets (PS3.8 Annex F).
    """
    if not _UID.fullmatch(uid) or len(uid) > LONGEST_UID_SENT:
        raise LocalProtocolError(
            f"{uid!r} is no UID: expected numbers and dots, at most {LONGEST_UID_SENT} characters"
        )
    return uid.encode("ascii")


def decode_uid(data: bytes) -> str:
    """Return the text of a UID, without the padding that some peers add, whatever its grammar."""
    # A UID is only compared with known ones, so a malformed one matches nothing and does no harm.
    if len(data) > LONGEST_UID_RECEIVED:
        raise RemoteProtocolError(
            f"a UID of {len(data)} bytes: at most {LONGEST_UID_RECEIVED} are accepted",
            reason=AbortReason.INVALID_VALUE,
        )
    return data.rstrip(b"\0 ").decode("ascii", "backslashreplace")


def encode_item(item_type: int, content: bytes) -> bytes:
    """Return an item or sub-item: its header and its content."""
    if len(content) > _LONGEST_ITEM:
        raise LocalProtocolError(
            f"item {item_type:02X}H has {len(content)} bytes: at most {_LONGEST_ITEM} fit"
        )
    return _ITEM_HEADER.pack(item_type, len(content)) + content


def iterate_items(data: bytes, inside: str) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of each item; ``inside`` names the place for an error's words."""
    offset = 0
    end = len(data)
    while offset < end:
        start = offset + 4
        if start > end:
            raise RemoteProtocolError(
                f"{end - offset} bytes at the end of the {inside}: an item header has 4",
                reason=AbortReason.INVALID_VALUE,
            )
        item_type, length = _ITEM_HEADER.unpack_from(data, offset)
        offset = start + length
        if offset > end:
            raise RemoteProtocolError(
                f"item {item_type:02X}H of {length} bytes overruns the {inside},"
                f" which has {end - start} left",
                reason=AbortReason.INVALID_VALUE,
            )
        yield item_type, data[start:offset]


def encode_context_rq(context: PresentationContextRQ) -> bytes:
    """Return a presentation context item of A-ASSOCIATE-RQ (PS3.8 9.3.2.2)."""
    if not context.transfer_syntaxes:
        raise LocalProtocolError(
            f"presentation context {context.context_id} offers no transfer syntax"
        )
    return encode_item(
        ItemType.PRESENTATION_CONTEXT_RQ,
        _CONTEXT_RQ.pack(context.context_id)
        + encode_item(ItemType.ABSTRACT_SYNTAX, encode_uid(context.abstract_syntax))
        + b"".join(
            encode_item(ItemType.TRANSFER_SYNTAX, encode_uid(uid))
            for uid in context.transfer_syntaxes
        ),
    )


def decode_context_rq(content: bytes) -> PresentationContextRQ:
    """Return the presentation context of an item of A-ASSOCIATE-RQ."""
    context_id, syntaxes = _decode_context(content, _CONTEXT_RQ)
    abstract = [uid for item_type, uid in syntaxes if item_type == ItemType.ABSTRACT_SYNTAX]
    transfer = tuple(uid for item_type, uid in syntaxes if item_type == ItemType.TRANSFER_SYNTAX)
    if len(abstract) != 1:
        raise RemoteProtocolError(
            f"presentation context {context_id[0]} has {len(abstract)} abstract syntaxes:"
            " expected 1",
            reason=AbortReason.INVALID_VALUE,
        )
    return PresentationContextRQ(context_id[0], abstract[0], transfer)


def encode_context_ac(context: PresentationContextAC) -> bytes:
    """Return a presentation context item of A-ASSOCIATE-AC (PS3.8 9.3.3.2)."""
    return encode_item(
        ItemType.PRESENTATION_CONTEXT_AC,
        _CONTEXT_AC.pack(context.context_id, context.result)
        + encode_item(ItemType.TRANSFER_SYNTAX, encode_uid(context.transfer_syntax)),
    )


def decode_context_ac(content: bytes) -> PresentationContextAC:
    """Return the presentation context of an item of A-ASSOCIATE-AC."""
    (context_id, result), syntaxes = _decode_context(content, _CONTEXT_AC)
    transfer = [uid for item_type, uid in syntaxes if item_type == ItemType.TRANSFER_SYNTAX]
    # Some peers leave the transfer syntax of a rejected context out.
    if result == ContextResult.ACCEPTANCE and len(transfer) != 1:
        raise RemoteProtocolError(
            f"presentation context {context_id} is accepted with {len(transfer)} transfer"
            " syntaxes: expected 1",
            reason=AbortReason.INVALID_VALUE,
        )
    return PresentationContextAC(context_id, result, transfer[0] if transfer else "")


def _decode_context(
    content: bytes, header: Struct
) -> tuple[tuple[int, ...], list[tuple[int, str]]]:
    """Return the fields of an item's header, and its syntaxes; unknown sub-items are skipped."""
    if len(content) < header.size:
        raise RemoteProtocolError(
            f"a presentation context item of {len(content)} bytes: expected {header.size} or more",
            reason=AbortReason.INVALID_VALUE,
        )
    syntaxes = [
        (item_type, decode_uid(uid))
        for item_type, uid in iterate_items(content[header.size :], "presentation context item")
        if item_type in (ItemType.ABSTRACT_SYNTAX, ItemType.TRANSFER_SYNTAX)
    ]
    return header.unpack_from(content), syntaxes
