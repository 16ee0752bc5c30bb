"""The user information item and its sub-items (PS3.8 9.3.2.3, Annex D.1; PS3.7 Annex D.3.3).

``_SUB_ITEMS`` has a row for each sub-item; encoder and decoder loop over it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from struct import Struct
from typing import Any, NamedTuple

from dicomquest.errors import LocalProtocolError, RemoteProtocolError
from dicomquest.pdu.items import decode_uid, encode_item, encode_uid, iterate_items
from dicomquest.pdu.reasons import AbortReason

IMPLEMENTATION_CLASS_UID = "2.25.257192617560364977383362664556267143616"
IMPLEMENTATION_VERSION_NAME = "DICOMQUEST_0_1"

MAXIMUM_LENGTH = 65536
"""The maximum length that is announced unless told otherwise."""

MAXIMUM_LENGTH_IF_ABSENT = 16384
"""The maximum length of a peer that announces none: every implementation since 1993 takes it."""

SMALLEST_MAXIMUM_LENGTH = 8
"""The least that leaves room for a PDV header of 6 bytes and an even fragment."""

LONGEST_VERSION_NAME = 16

_UINT16 = Struct(">H")
_UINT32 = Struct(">I")
_TWO_UINT16 = Struct(">HH")
_LONGEST_FIELD = 0xFFFF


@dataclass(frozen=True, slots=True)
class AsyncOperationsWindow:
    """The operations that the association's requestor may have outstanding; 0 is no limit."""

    invoked: int = 1
    performed: int = 1


@dataclass(frozen=True, slots=True)
class RoleSelection:
    """Roles that the association's requestor proposes for itself, or the acceptor's answer."""

    sop_class_uid: str
    scu_role: bool
    scp_role: bool


@dataclass(frozen=True, slots=True)
class ExtendedNegotiation:
    """Service-class-application-information of one SOP class, which its service class defines."""

    sop_class_uid: str
    application_information: bytes


@dataclass(frozen=True, slots=True)
class CommonExtendedNegotiation:
    """The service class of a SOP class, and the general SOP classes that it is related to."""

    sop_class_uid: str
    service_class_uid: str
    related_general_sop_class_uids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UserIdentityRQ:
    """The identity of the requestor; ``repr`` never shows it.

    Type 1 is a name, 2 a name and a passcode, 3 Kerberos, 4 SAML, 5 a JSON Web Token.
    """

    identity_type: int
    primary: bytes = field(repr=False)
    secondary: bytes = field(default=b"", repr=False)
    positive_response_requested: bool = False

    @property
    def user_identity_type(self) -> int:
        """The type, under pynetdicom's name."""
        return self.identity_type

    @property
    def primary_field(self) -> bytes:
        """The name or token, under pynetdicom's name."""
        return self.primary

    @property
    def secondary_field(self) -> bytes:
        """The passcode, under pynetdicom's name."""
        return self.secondary

    @property
    def user_name(self) -> str | None:
        """The name that types 1 and 2 claim; None for the others."""
        if self.identity_type not in {1, 2}:
            return None
        return self.primary.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class UserIdentityAC:
    """The acceptor's answer to an identity that it has verified; empty for types 1 and 2."""

    server_response: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class UserInformation:
    """All sub-items; an absent one is None or empty, as a class UID that a peer left out."""

    maximum_length: int = MAXIMUM_LENGTH
    implementation_class_uid: str = IMPLEMENTATION_CLASS_UID
    implementation_version_name: str | None = IMPLEMENTATION_VERSION_NAME
    async_operations_window: AsyncOperationsWindow | None = None
    roles: tuple[RoleSelection, ...] = ()
    extended_negotiations: tuple[ExtendedNegotiation, ...] = ()
    common_extended_negotiations: tuple[CommonExtendedNegotiation, ...] = ()
    user_identity_rq: UserIdentityRQ | None = None
    user_identity_ac: UserIdentityAC | None = None


class _Reader:
    """Takes the fields of one sub-item in order; a lack of bytes is the peer's error."""

    def __init__(self, content: bytes, name: str) -> None:
        self.content = content
        self.name = name
        self.offset = 0

    def take(self, count: int) -> bytes:
        end = self.offset + count
        if end > len(self.content):
            raise RemoteProtocolError(
                f"{self.name}: {count} bytes at {self.offset} overrun the sub-item"
                f" of {len(self.content)}",
                reason=AbortReason.INVALID_VALUE,
            )
        taken = self.content[self.offset : end]
        self.offset = end
        return taken

    def rest(self) -> bytes:
        return self.take(len(self.content) - self.offset)

    def counted(self) -> bytes:
        """Take a length of two bytes and as many bytes as it says."""
        (length,) = _UINT16.unpack(self.take(2))
        return self.take(length)

    def uid(self) -> str:
        return decode_uid(self.counted())


def _counted(data: bytes) -> bytes:
    if len(data) > _LONGEST_FIELD:
        raise LocalProtocolError(
            f"a user information field of {len(data)} bytes: at most {_LONGEST_FIELD} fit"
        )
    return _UINT16.pack(len(data)) + data


def _encode_maximum_length(length: int) -> bytes:
    if length != 0 and not SMALLEST_MAXIMUM_LENGTH <= length <= 0xFFFFFFFF:
        raise LocalProtocolError(
            f"maximum length {length}: expected 0 (unlimited) or at least 8, in four bytes"
        )
    return _UINT32.pack(length)


def _decode_maximum_length(reader: _Reader) -> int:
    length: int = _UINT32.unpack(reader.take(4))[0]
    if 0 < length < SMALLEST_MAXIMUM_LENGTH:
        raise RemoteProtocolError(
            f"the peer receives at most {length} bytes: P-DATA needs {SMALLEST_MAXIMUM_LENGTH}",
            reason=AbortReason.INVALID_VALUE,
        )
    return length


def _encode_window(window: AsyncOperationsWindow) -> bytes:
    if not (0 <= window.invoked <= 0xFFFF and 0 <= window.performed <= 0xFFFF):
        raise LocalProtocolError(f"{window}: expected numbers of 0 to 65535")
    return _TWO_UINT16.pack(window.invoked, window.performed)


def _decode_window(reader: _Reader) -> AsyncOperationsWindow:
    return AsyncOperationsWindow(*_TWO_UINT16.unpack(reader.take(4)))


def _encode_role(role: RoleSelection) -> bytes:
    return _counted(encode_uid(role.sop_class_uid)) + bytes((role.scu_role, role.scp_role))


def _decode_role(reader: _Reader) -> RoleSelection:
    uid = reader.uid()
    scu_role, scp_role = reader.take(2)
    # 1 is the one value that means yes (PS3.7 D.3.3.4).
    return RoleSelection(uid, scu_role == 1, scp_role == 1)


def _encode_version_name(name: str) -> bytes:
    if not 1 <= len(name) <= LONGEST_VERSION_NAME or not name.isascii() or not name.isprintable():
        raise LocalProtocolError(
            f"implementation version name {name!r}:"
            f" expected 1 to {LONGEST_VERSION_NAME} ASCII characters"
        )
    return name.encode("ascii")


def _decode_version_name(reader: _Reader) -> str | None:
    # Some peers pad the name, or send more than 16 characters: only people read it.
    name = reader.rest().strip(b"\0 ").decode("ascii", "backslashreplace")
    return name[:LONGEST_VERSION_NAME] or None


def _encode_extended(negotiation: ExtendedNegotiation) -> bytes:
    return _counted(encode_uid(negotiation.sop_class_uid)) + negotiation.application_information


def _decode_extended(reader: _Reader) -> ExtendedNegotiation:
    return ExtendedNegotiation(reader.uid(), reader.rest())


def _encode_common_extended(negotiation: CommonExtendedNegotiation) -> bytes:
    related = b"".join(
        _counted(encode_uid(uid)) for uid in negotiation.related_general_sop_class_uids
    )
    return (
        _counted(encode_uid(negotiation.sop_class_uid))
        + _counted(encode_uid(negotiation.service_class_uid))
        + _counted(related)
    )


def _decode_common_extended(reader: _Reader) -> CommonExtendedNegotiation:
    sop_class, service_class = reader.uid(), reader.uid()
    related = _Reader(reader.counted(), "related general SOP classes")
    uids = []
    while related.offset < len(related.content):
        uids.append(related.uid())
    return CommonExtendedNegotiation(sop_class, service_class, tuple(uids))


def _encode_identity_rq(identity: UserIdentityRQ) -> bytes:
    if not 1 <= identity.identity_type <= 5:
        raise LocalProtocolError(f"user identity type {identity.identity_type}: expected 1 to 5")
    if identity.secondary and identity.identity_type != 2:
        raise LocalProtocolError(
            f"user identity type {identity.identity_type} has no secondary field: only type 2 has"
        )
    return (
        bytes((identity.identity_type, identity.positive_response_requested))
        + _counted(identity.primary)
        + _counted(identity.secondary)
    )


def _decode_identity_rq(reader: _Reader) -> UserIdentityRQ:
    identity_type, requested = reader.take(2)
    primary = reader.counted()
    return UserIdentityRQ(identity_type, primary, reader.counted(), requested == 1)


def _encode_identity_ac(identity: UserIdentityAC) -> bytes:
    return _counted(identity.server_response)


def _decode_identity_ac(reader: _Reader) -> UserIdentityAC:
    return UserIdentityAC(reader.counted())


class _SubItem(NamedTuple):
    """A sub-item: its field in ``UserInformation``, the PDUs that may carry it, its two functions.

    ``many`` says that there may be one for each SOP class, and that the field is a tuple.
    """

    item_type: int
    name: str
    field: str
    pdus: frozenset[str]
    many: bool
    encode: Callable[[Any], bytes]
    decode: Callable[[_Reader], Any]


_BOTH = frozenset({"A-ASSOCIATE-RQ", "A-ASSOCIATE-AC"})
_RQ = frozenset({"A-ASSOCIATE-RQ"})
_AC = frozenset({"A-ASSOCIATE-AC"})

# In the order in which they are sent: ascending, as old peers expect.
_SUB_ITEMS = (
    _SubItem(0x51, "maximum length", "maximum_length", _BOTH, False,
             _encode_maximum_length, _decode_maximum_length),
    _SubItem(0x52, "implementation class UID", "implementation_class_uid", _BOTH, False,
             encode_uid, lambda reader: decode_uid(reader.rest())),
    _SubItem(0x53, "asynchronous operations window", "async_operations_window", _BOTH, False,
             _encode_window, _decode_window),
    _SubItem(0x54, "role selection", "roles", _BOTH, True,
             _encode_role, _decode_role),
    _SubItem(0x55, "implementation version name", "implementation_version_name", _BOTH, False,
             _encode_version_name, _decode_version_name),
    _SubItem(0x56, "extended negotiation", "extended_negotiations", _BOTH, True,
             _encode_extended, _decode_extended),
    _SubItem(0x57, "common extended negotiation", "common_extended_negotiations", _RQ, True,
             _encode_common_extended, _decode_common_extended),
    _SubItem(0x58, "user identity request", "user_identity_rq", _RQ, False,
             _encode_identity_rq, _decode_identity_rq),
    _SubItem(0x59, "user identity response", "user_identity_ac", _AC, False,
             _encode_identity_ac, _decode_identity_ac),
)  # fmt: skip
_SUB_ITEMS_BY_TYPE = {row.item_type: row for row in _SUB_ITEMS}


def encode_user_information(information: UserInformation, pdu: str) -> bytes:
    """Return the content of the item for ``pdu``, "A-ASSOCIATE-RQ" or "A-ASSOCIATE-AC"."""
    items: list[bytes] = []
    for row in _SUB_ITEMS:
        value = getattr(information, row.field)
        if value is None or value == ():
            continue
        if pdu not in row.pdus:
            raise LocalProtocolError(f"{row.name} ({row.item_type:02X}H) is no sub-item of {pdu}")
        items.extend(
            encode_item(row.item_type, row.encode(each))
            for each in (value if row.many else (value,))
        )
    return b"".join(items)


def decode_user_information(content: bytes) -> UserInformation:
    """Return the sub-items of a user information item.

    They may come in any order; unknown ones are skipped (PS3.8 D.2), the first of duplicates
    counts.
    """
    fields: dict[str, Any] = {
        "maximum_length": MAXIMUM_LENGTH_IF_ABSENT,
        "implementation_class_uid": "",
        "implementation_version_name": None,
    }
    many: dict[str, dict[str, Any]] = {}
    seen = set()
    for item_type, item in iterate_items(content, "user information item"):
        row = _SUB_ITEMS_BY_TYPE.get(item_type)
        if row is None:
            continue
        # Bytes behind the known fields are reserved for later versions: the readers leave them.
        value = row.decode(_Reader(item, row.name))
        if row.many:
            many.setdefault(row.field, {}).setdefault(value.sop_class_uid, value)
        elif item_type not in seen:
            seen.add(item_type)
            fields[row.field] = value
    fields |= {name: tuple(values.values()) for name, values in many.items()}
    return UserInformation(**fields)
