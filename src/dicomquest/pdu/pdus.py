"""The seven PDUs of the upper layer protocol, as values and as bytes (PS3.8 9.3).

``encode`` and ``decode`` are pure functions. The encoder holds a value to the letter of the
Standard and raises LocalProtocolError. The decoder is as liberal as it can be without doubt: it
skips unknown items, tests no reserved byte, takes padded UIDs and AE titles; else it raises
RemoteProtocolError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct
from typing import NamedTuple, TypeAlias, assert_never

from dicomquest.errors import LocalProtocolError, RemoteProtocolError
from dicomquest.pdu.items import (
    APPLICATION_CONTEXT,
    MAXIMUM_CONTEXTS,
    ItemType,
    PresentationContextAC,
    PresentationContextRQ,
    decode_context_ac,
    decode_context_rq,
    decode_uid,
    encode_context_ac,
    encode_context_rq,
    encode_item,
    encode_uid,
    iterate_items,
)
from dicomquest.pdu.reasons import REJECT_WORDS, AbortReason, abort_words, reject_words
from dicomquest.pdu.user_information import (
    UserInformation,
    decode_user_information,
    encode_user_information,
)

PROTOCOL_VERSION = 1
"""Version 1 is bit 0, the only bit that a receiver tests (PS3.8 9.3.2)."""

COMMAND = 0x01
"""Bit 0 of the message control header: a fragment of the command set (PS3.8 E.2)."""

LAST = 0x02
"""Bit 1 of the message control header: the last fragment of its set (PS3.8 E.2)."""

PDU_HEADER = Struct(">BxI")
"""PDU type, and the length of what follows."""

PDV_HEADER = Struct(">IBB")
"""Item length (of what follows it), presentation context ID, message control header."""

PDV_OVERHEAD = PDV_HEADER.size
"""Bytes of a PDV before its fragment."""

_ASSOCIATE = Struct(">Hxx16s16s32s")
_REJECT = Struct(">xBBB")
_ABORT = Struct(">xxBB")
_RELEASE_BODY = bytes(4)
_AE_TITLE_LENGTH = 16

# Requests that are remembered, and the bytes of the longest: a storage SCU that proposes 128
# contexts sends 15,000. Both together bound the memory in bytes.
_MOST_KNOWN = 64
_LONGEST_KNOWN = 16384


class PduType(IntEnum):
    """The first byte of each PDU."""

    A_ASSOCIATE_RQ = 0x01
    A_ASSOCIATE_AC = 0x02
    A_ASSOCIATE_RJ = 0x03
    P_DATA_TF = 0x04
    A_RELEASE_RQ = 0x05
    A_RELEASE_RP = 0x06
    A_ABORT = 0x07


# A NamedTuple, where the PDUs are dataclasses: a stream of responses has two for each match.
class PresentationDataValue(NamedTuple):
    """One PDV: a fragment of a command set or data set (PS3.8 9.3.5.1, E.2)."""

    context_id: int
    control: int
    fragment: bytes

    @property
    def is_command(self) -> bool:
        """Tell whether the fragment belongs to the command set."""
        return self.control & COMMAND != 0

    @property
    def is_last(self) -> bool:
        """Tell whether the fragment ends its command set or data set."""
        return self.control & LAST != 0


@dataclass(frozen=True, slots=True)
class AAssociateRQ:
    """The request for an association; AE titles without their padding.

    ``echo`` are bytes 10 to 73 as received, which the acceptor sends back unchanged (PS3.8 9.3.3);
    it is empty in a request to send.
    """

    called_ae_title: str
    calling_ae_title: str
    presentation_contexts: tuple[PresentationContextRQ, ...]
    user_information: UserInformation
    application_context: str = APPLICATION_CONTEXT
    protocol_version: int = PROTOCOL_VERSION
    echo: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class AAssociateAC:
    """The acceptance of an association; nobody tests ``echo``, bytes 10 to 73 of the request."""

    presentation_contexts: tuple[PresentationContextAC, ...]
    user_information: UserInformation
    echo: bytes = field(repr=False)
    application_context: str = APPLICATION_CONTEXT
    protocol_version: int = PROTOCOL_VERSION


@dataclass(frozen=True, slots=True)
class AAssociateRJ:
    """The refusal of an association; ``str`` says its three numbers in words."""

    result: int
    source: int
    reason: int

    def __str__(self) -> str:
        return reject_words(self.result, self.source, self.reason)


@dataclass(frozen=True, slots=True)
class PDataTF:
    """One or more PDVs."""

    pdvs: tuple[PresentationDataValue, ...]


@dataclass(frozen=True, slots=True)
class AReleaseRQ:
    """The request to release the association."""


@dataclass(frozen=True, slots=True)
class AReleaseRP:
    """The answer to a release request, which cannot be a refusal."""


@dataclass(frozen=True, slots=True)
class AAbort:
    """The end of the association at once; ``str`` says its two numbers in words."""

    source: int
    reason: int

    def __str__(self) -> str:
        return abort_words(self.source, self.reason)


PDU: TypeAlias = (
    AAssociateRQ | AAssociateAC | AAssociateRJ | PDataTF | AReleaseRQ | AReleaseRP | AAbort
)


def encode(pdu: PDU) -> bytes:
    """Return the bytes of a PDU; LocalProtocolError for values that the Standard does not allow."""
    match pdu:
        case PDataTF():
            return encode_p_data(pdu.pdvs)
        case AAssociateRQ():
            return _frame(PduType.A_ASSOCIATE_RQ, _encode_associate_rq(pdu))
        case AAssociateAC():
            return _frame(PduType.A_ASSOCIATE_AC, _encode_associate_ac(pdu))
        case AAssociateRJ():
            if (pdu.result, pdu.source, pdu.reason) not in REJECT_WORDS:
                raise LocalProtocolError(
                    f"A-ASSOCIATE-RJ {pdu.result, pdu.source, pdu.reason} is none of PS3.8 9.3.4"
                )
            return _frame(PduType.A_ASSOCIATE_RJ, _REJECT.pack(pdu.result, pdu.source, pdu.reason))
        case AReleaseRQ():
            return _frame(PduType.A_RELEASE_RQ, _RELEASE_BODY)
        case AReleaseRP():
            return _frame(PduType.A_RELEASE_RP, _RELEASE_BODY)
        case AAbort():
            return _frame(PduType.A_ABORT, _ABORT.pack(pdu.source, pdu.reason))
        case _:
            assert_never(pdu)


def encode_p_data(pdvs: Iterable[PresentationDataValue]) -> bytes:
    """Return one P-DATA-TF; its caller has to mind the peer's maximum length."""
    parts = [b""]
    length = 0
    for context_id, control, fragment in pdvs:
        size = len(fragment)
        parts += (PDV_HEADER.pack(size + 2, context_id, control), fragment)
        length += PDV_OVERHEAD + size
    parts[0] = PDU_HEADER.pack(PduType.P_DATA_TF, length)
    return b"".join(parts)


def decode(pdu_type: int, body: bytes | memoryview) -> PDU:
    """Return the PDU of type ``pdu_type``; ``body`` is all that follows its header.

    The PDU keeps no reference to ``body``. Raises RemoteProtocolError with the reason for the
    A-ABORT.
    """
    decoder = _DECODERS.get(pdu_type)
    if decoder is None:
        raise RemoteProtocolError(
            f"PDU type {pdu_type:02X}H: expected 01H to 07H", reason=AbortReason.UNRECOGNIZED_PDU
        )
    return decoder(body)


def _frame(pdu_type: PduType, body: bytes) -> bytes:
    return PDU_HEADER.pack(pdu_type, len(body)) + body


def _encode_ae_title(title: str) -> bytes:
    text = title.strip(" ")
    if (
        not text
        or len(text) > _AE_TITLE_LENGTH
        or not text.isascii()
        or not text.isprintable()
        or "\\" in text
    ):
        raise LocalProtocolError(
            f"AE title {title!r}: expected 1 to 16 ASCII characters, no backslash, not all spaces"
        )
    return text.encode("ascii").ljust(_AE_TITLE_LENGTH)


def _decode_ae_title(data: bytes) -> str:
    # Spaces around a title mean nothing (PS3.8 9.3.2); some peers pad with NUL.
    return data.strip(b"\0 ").decode("ascii", "backslashreplace")


def _encode_items(
    application_context: str, contexts: Iterable[bytes], user_information: bytes
) -> bytes:
    # Items go out in ascending order of their types (PS3.8 9.3.2, 9.3.3).
    return b"".join(
        (
            encode_item(ItemType.APPLICATION_CONTEXT, encode_uid(application_context)),
            *contexts,
            encode_item(ItemType.USER_INFORMATION, user_information),
        )
    )


def _check_protocol_version(version: int) -> None:
    if version != PROTOCOL_VERSION:
        raise LocalProtocolError(f"protocol version {version}: only {PROTOCOL_VERSION} is sent")


def _encode_associate_rq(pdu: AAssociateRQ) -> bytes:
    _check_protocol_version(pdu.protocol_version)
    ids = [context.context_id for context in pdu.presentation_contexts]
    if not 1 <= len(ids) <= MAXIMUM_CONTEXTS:
        raise LocalProtocolError(
            f"{len(ids)} presentation contexts: expected 1 to {MAXIMUM_CONTEXTS}"
        )
    if fault := _fault_of_ids(ids):
        raise LocalProtocolError(fault)
    return _ASSOCIATE.pack(
        PROTOCOL_VERSION,
        _encode_ae_title(pdu.called_ae_title),
        _encode_ae_title(pdu.calling_ae_title),
        b"",
    ) + _encode_items(
        pdu.application_context,
        map(encode_context_rq, pdu.presentation_contexts),
        encode_user_information(pdu.user_information, "A-ASSOCIATE-RQ"),
    )


def _encode_associate_ac(pdu: AAssociateAC) -> bytes:
    _check_protocol_version(pdu.protocol_version)
    # Both AE titles and the reserved bytes go back as they came (PS3.8 9.3.3).
    if len(pdu.echo) != 64:
        raise LocalProtocolError(
            f"echo of {len(pdu.echo)} bytes: expected the 64 bytes 10 to 73 of the request"
        )
    return (
        _ASSOCIATE.pack(PROTOCOL_VERSION, pdu.echo[:16], pdu.echo[16:32], pdu.echo[32:])
        + _encode_items(
            pdu.application_context,
            map(encode_context_ac, pdu.presentation_contexts),
            encode_user_information(pdu.user_information, "A-ASSOCIATE-AC"),
        )
    )  # fmt: skip


def _fault_of_ids(ids: list[int]) -> str:
    """Say what is wrong with the presentation context IDs of a request; '' if nothing is."""
    for context_id in ids:
        if not (0 < context_id <= 0xFF and context_id % 2 == 1):
            return f"presentation context ID {context_id}: expected an odd number of 1 to 255"
    if len(set(ids)) != len(ids):
        return f"presentation context IDs {sorted(ids)}: expected distinct ones"
    return ""


class _Associate(NamedTuple):
    """The common part of A-ASSOCIATE-RQ and -AC; contexts are still bytes."""

    protocol_version: int
    echo: bytes
    application_context: str
    contexts: list[bytes]
    user_information: UserInformation


def _decode_associate(body: bytes | memoryview, name: str, context_type: ItemType) -> _Associate:
    data = bytes(body)
    if len(data) < _ASSOCIATE.size:
        raise RemoteProtocolError(
            f"{name} of {len(data)} bytes: expected {_ASSOCIATE.size} and its items",
            reason=AbortReason.INVALID_VALUE,
        )
    found: dict[int, list[bytes]] = {
        ItemType.APPLICATION_CONTEXT: [], context_type: [], ItemType.USER_INFORMATION: []
    }  # fmt: skip
    # Unknown items are skipped by their length (PS3.8 9.3.1); several user information items are
    # read as one.
    for item_type, content in iterate_items(data[_ASSOCIATE.size :], name):
        if item_type in found:
            found[item_type].append(content)
    names = found[ItemType.APPLICATION_CONTEXT]
    # A missing name stays empty: nobody knows an application context of that name, so it is
    # refused.
    return _Associate(
        protocol_version=_ASSOCIATE.unpack_from(data)[0],
        echo=data[4 : _ASSOCIATE.size],
        application_context=decode_uid(names[0]) if names else "",
        contexts=found[context_type],
        user_information=decode_user_information(b"".join(found[ItemType.USER_INFORMATION])),
    )


_known_requests: dict[bytes, AAssociateRQ] = {}
"""Requests by their bytes: a peer proposes the same in each of its associations.

A dict and no ``lru_cache``, as not every request may be kept.
"""


def _decode_associate_rq(body: bytes | memoryview) -> AAssociateRQ:
    data = bytes(body)
    rq = _known_requests.get(data)
    if rq is None:
        rq = _read_associate_rq(data)
        # A request with a user identity may hold a password, which must not outlive its
        # association.
        if len(data) <= _LONGEST_KNOWN and rq.user_information.user_identity_rq is None:
            if len(_known_requests) >= _MOST_KNOWN:
                _known_requests.clear()
            _known_requests[data] = rq
    return rq


def is_remembered(rq: AAssociateRQ) -> bool:
    """Tell whether a request is remembered, so that an answer to it may be remembered too."""
    # By identity: comparing requests of 128 contexts by value takes longer.
    return any(rq is known for known in _known_requests.values())


def _read_associate_rq(data: bytes) -> AAssociateRQ:
    common = _decode_associate(data, "A-ASSOCIATE-RQ", ItemType.PRESENTATION_CONTEXT_RQ)
    contexts = tuple(map(decode_context_rq, common.contexts))
    if not contexts:
        raise RemoteProtocolError(
            "A-ASSOCIATE-RQ without a presentation context: expected 1 to 128",
            reason=AbortReason.INVALID_VALUE,
        )
    if fault := _fault_of_ids([context.context_id for context in contexts]):
        raise RemoteProtocolError(fault, reason=AbortReason.INVALID_VALUE)
    return AAssociateRQ(
        called_ae_title=_decode_ae_title(common.echo[:16]),
        calling_ae_title=_decode_ae_title(common.echo[16:32]),
        presentation_contexts=contexts,
        user_information=common.user_information,
        application_context=common.application_context,
        protocol_version=common.protocol_version,
        echo=common.echo,
    )


def _decode_associate_ac(body: bytes | memoryview) -> AAssociateAC:
    common = _decode_associate(body, "A-ASSOCIATE-AC", ItemType.PRESENTATION_CONTEXT_AC)
    return AAssociateAC(
        presentation_contexts=tuple(map(decode_context_ac, common.contexts)),
        user_information=common.user_information,
        echo=common.echo,
        application_context=common.application_context,
        protocol_version=common.protocol_version,
    )


def _decode_p_data(body: bytes | memoryview) -> PDataTF:
    # Empty and odd fragments pass: peers send them, and they do no harm (PS3.8 Annex E).
    pdvs = []
    offset = 0
    end = len(body)
    while True:
        start = offset + PDV_OVERHEAD
        if start > end:
            raise RemoteProtocolError(
                f"P-DATA-TF: {end - offset} bytes at {offset}, a PDV item has 6 or more",
                reason=AbortReason.INVALID_VALUE,
            )
        length, context_id, control = PDV_HEADER.unpack_from(body, offset)
        offset += 4 + length
        if length < 2 or offset > end:
            raise RemoteProtocolError(
                f"P-DATA-TF: a PDV item of {length} bytes where 2 to {end - start + 2} fit",
                reason=AbortReason.INVALID_VALUE,
            )
        pdvs.append(PresentationDataValue(context_id, control, bytes(body[start:offset])))
        if offset == end:
            return PDataTF(tuple(pdvs))


def _fixed(body: bytes | memoryview, name: str) -> bytes | memoryview:
    if len(body) != 4:
        raise RemoteProtocolError(
            f"{name} of {len(body)} bytes: expected 4", reason=AbortReason.INVALID_VALUE
        )
    return body


def _decode_associate_rj(body: bytes | memoryview) -> AAssociateRJ:
    return AAssociateRJ(*_REJECT.unpack(_fixed(body, "A-ASSOCIATE-RJ")))


def _decode_release_rq(body: bytes | memoryview) -> AReleaseRQ:
    _fixed(body, "A-RELEASE-RQ")
    return AReleaseRQ()


def _decode_release_rp(body: bytes | memoryview) -> AReleaseRP:
    _fixed(body, "A-RELEASE-RP")
    return AReleaseRP()


def _decode_abort(body: bytes | memoryview) -> AAbort:
    return AAbort(*_ABORT.unpack(_fixed(body, "A-ABORT")))


_DECODERS: dict[int, Callable[[bytes | memoryview], PDU]] = {
    PduType.A_ASSOCIATE_RQ: _decode_associate_rq,
    PduType.A_ASSOCIATE_AC: _decode_associate_ac,
    PduType.A_ASSOCIATE_RJ: _decode_associate_rj,
    PduType.P_DATA_TF: _decode_p_data,
    PduType.A_RELEASE_RQ: _decode_release_rq,
    PduType.A_RELEASE_RP: _decode_release_rp,
    PduType.A_ABORT: _decode_abort,
}
