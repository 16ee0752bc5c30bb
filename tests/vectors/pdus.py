"""PDUs as they stand on the wire, each with its decoding beside it (PS3.8 9.3)."""

from __future__ import annotations

from typing import NamedTuple

from dicomquest.pdu.items import PresentationContextAC, PresentationContextRQ
from dicomquest.pdu.pdus import (
    PDU,
    AAbort,
    AAssociateAC,
    AAssociateRJ,
    AAssociateRQ,
    AReleaseRP,
    AReleaseRQ,
    PDataTF,
    PresentationDataValue,
)
from dicomquest.pdu.user_information import (
    AsyncOperationsWindow,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    RoleSelection,
    UserIdentityAC,
    UserIdentityRQ,
    UserInformation,
)


class Vector(NamedTuple):
    """Bytes and their value; ``is_sent``: this package sends the value as these bytes."""

    name: str
    data: bytes
    pdu: PDU
    is_sent: bool = True


def _hex(*lines: str) -> bytes:
    """Bytes of lines of hex digits; a comment follows a semicolon."""
    return bytes.fromhex("".join(line.partition(";")[0] for line in lines))


VERIFICATION = "1.2.840.10008.1.1"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"

_HEADER_ECHO = _hex(
    "41 4e 59 2d 53 43 50 20 20 20 20 20 20 20 20 20",  # called 'ANY-SCP'
    "45 43 48 4f 53 43 55 20 20 20 20 20 20 20 20 20",  # calling 'ECHOSCU'
    "00" * 32,
)

_ASSOCIATE_RQ = _hex(
    "01 00 00 00 00 c0         ; A-ASSOCIATE-RQ, 192 bytes follow",
    "00 01 00 00               ; protocol version 1",
    "41 4e 59 2d 53 43 50 20 20 20 20 20 20 20 20 20",
    "45 43 48 4f 53 43 55 20 20 20 20 20 20 20 20 20",
    "00" * 32,
    "10 00 00 15               ; application context, 21 bytes",
    "31 2e 32 2e 38 34 30 2e 31 30 30 30 38 2e 33 2e 31 2e 31 2e 31",
    "20 00 00 2e               ; presentation context, 46 bytes",
    "01 00 00 00               ; ID 1",
    "30 00 00 11 31 2e 32 2e 38 34 30 2e 31 30 30 30 38 2e 31 2e 31  ; abstract syntax",
    "40 00 00 11 31 2e 32 2e 38 34 30 2e 31 30 30 30 38 2e 31 2e 32  ; transfer syntax",
    "50 00 00 2d               ; user information, 45 bytes",
    "51 00 00 04 00 00 40 00   ; maximum length 16384",
    "52 00 00 10 31 2e 32 2e 38 32 36 2e 30 2e 31 2e 33 36 38 30     ; implementation class UID",
    "55 00 00 0d 46 49 4e 44 5f 4d 45 5f 34 5f 31 5f 32              ; implementation version name",
)

_ASSOCIATE_AC = _hex(
    "02 00 00 00 00 a6         ; A-ASSOCIATE-AC, 166 bytes follow",
    "00 01 00 00",
    "41 4e 59 2d 53 43 50 20 20 20 20 20 20 20 20 20",
    "45 43 48 4f 53 43 55 20 20 20 20 20 20 20 20 20",
    "00" * 32,
    "10 00 00 15",
    "31 2e 32 2e 38 34 30 2e 31 30 30 30 38 2e 33 2e 31 2e 31 2e 31",
    "21 00 00 19               ; presentation context, 25 bytes",
    "01 00 00 00               ; ID 1, accepted",
    "40 00 00 11 31 2e 32 2e 38 34 30 2e 31 30 30 30 38 2e 31 2e 32",
    "50 00 00 28               ; user information, 40 bytes",
    "51 00 00 04 00 01 00 00   ; maximum length 65536",
    "52 00 00 09 31 2e 32 2e 33 2e 34 2e 35",
    "53 00 00 04 00 01 00 01   ; asynchronous operations window 1, 1",
    "59 00 00 07 00 05 74 6f 6b 65 6e                                ; identity response 'token'",
)

_EVERY_SUB_ITEM = _hex(
    "51 00 00 04 00 00 00 00   ; maximum length: unlimited",
    "52 00 00 09 31 2e 32 2e 33 2e 34 2e 35",
    "53 00 00 04 00 00 00 05   ; window: invoked unlimited, performed 5",
    "54 00 00 0d 00 09 31 2e 32 2e 33 2e 34 2e 36 01 00              ; SCU yes, SCP no",
    "54 00 00 0d 00 09 31 2e 32 2e 33 2e 34 2e 37 00 01              ; SCU no, SCP yes",
    "55 00 00 01 56",
    "56 00 00 0e 00 09 31 2e 32 2e 33 2e 34 2e 36 01 00 01           ; relational and fuzzy",
    "57 00 00 26 00 09 31 2e 32 2e 33 2e 34 2e 36                    ; SOP class",
    "            00 09 31 2e 32 2e 33 2e 34 2e 38                    ; service class",
    "            00 0e 00 05 31 2e 32 2e 33 00 05 31 2e 32 2e 34     ; two related classes",
    "58 00 00 0e 02 01 00 05 61 6c 69 63 65 00 03 6b 65 79           ; 'alice', passcode 'key'",
)

VECTORS = (
    Vector(
        "A-ASSOCIATE-RQ of an echo SCU",
        _ASSOCIATE_RQ,
        AAssociateRQ(
            "ANY-SCP",
            "ECHOSCU",
            (PresentationContextRQ(1, VERIFICATION, (IMPLICIT,)),),
            UserInformation(16384, "1.2.826.0.1.3680", "FIND_ME_4_1_2"),
        ),
    ),
    Vector(
        "A-ASSOCIATE-RQ with every sub-item",
        _hex("01 00 00 00 01 25") + _ASSOCIATE_RQ[6:149] + _hex("50 00 00 92") + _EVERY_SUB_ITEM,
        AAssociateRQ(
            "ANY-SCP",
            "ECHOSCU",
            (PresentationContextRQ(1, VERIFICATION, (IMPLICIT,)),),
            UserInformation(
                0,
                "1.2.3.4.5",
                "V",
                AsyncOperationsWindow(0, 5),
                (RoleSelection("1.2.3.4.6", True, False), RoleSelection("1.2.3.4.7", False, True)),
                (ExtendedNegotiation("1.2.3.4.6", b"\x01\x00\x01"),),
                (CommonExtendedNegotiation("1.2.3.4.6", "1.2.3.4.8", ("1.2.3", "1.2.4")),),
                UserIdentityRQ(2, b"alice", b"key", True),
            ),
        ),
    ),
    Vector(
        "A-ASSOCIATE-AC",
        _ASSOCIATE_AC,
        AAssociateAC(
            (PresentationContextAC(1, 0, IMPLICIT),),
            UserInformation(
                65536,
                "1.2.3.4.5",
                None,
                AsyncOperationsWindow(1, 1),
                user_identity_ac=UserIdentityAC(b"token"),
            ),
            _HEADER_ECHO,
        ),
    ),
    Vector("A-ASSOCIATE-RJ", _hex("03 00 00 00 00 04 00 01 01 07"), AAssociateRJ(1, 1, 7)),
    Vector(
        "P-DATA-TF with one PDV",
        _hex("04 00 00 00 00 0a", "00 00 00 06 01 03 00 01 02 03"),
        PDataTF((PresentationDataValue(1, 3, b"\0\1\2\3"),)),
    ),
    Vector(
        "P-DATA-TF with the last command fragment and two of the data set",
        _hex(
            "04 00 00 00 00 18",
            "00 00 00 04 05 03 aa bb",
            "00 00 00 04 05 00 cc dd",
            "00 00 00 04 05 02 ee ff",
        ),
        PDataTF(
            (
                PresentationDataValue(5, 3, b"\xaa\xbb"),
                PresentationDataValue(5, 0, b"\xcc\xdd"),
                PresentationDataValue(5, 2, b"\xee\xff"),
            )
        ),
    ),
    Vector("A-RELEASE-RQ", _hex("05 00 00 00 00 04 00 00 00 00"), AReleaseRQ()),
    Vector("A-RELEASE-RP", _hex("06 00 00 00 00 04 00 00 00 00"), AReleaseRP()),
    Vector("A-ABORT of a user", _hex("07 00 00 00 00 04 00 00 00 00"), AAbort(0, 0)),
    Vector("A-ABORT of a provider", _hex("07 00 00 00 00 04 00 00 02 06"), AAbort(2, 6)),
    # These come only from other implementations.
    Vector(
        "reserved bytes that are not zero",
        _hex("03 ff 00 00 00 04 ff 02 03 01"),
        AAssociateRJ(2, 3, 1),
        is_sent=False,
    ),
    Vector(
        "A-RELEASE-RQ with reserved bytes that are not zero",
        _hex("05 01 00 00 00 04 de ad be ef"),
        AReleaseRQ(),
        is_sent=False,
    ),
    Vector(
        "P-DATA-TF with an odd and an empty fragment, and unused bits of the control header set",
        _hex("04 00 00 00 00 0d", "00 00 00 03 01 f0 aa", "00 00 00 02 01 ff"),
        PDataTF((PresentationDataValue(1, 0xF0, b"\xaa"), PresentationDataValue(1, 0xFF, b""))),
        is_sent=False,
    ),
    Vector(
        "A-ASSOCIATE-AC: padded UIDs, unknown items, a rejected context without syntax, no user"
        " information",
        _hex("02 00 00 00 00 91", "ff fd 12 34")  # protocol version: only bit 0 counts
        + b"x" * 64
        + _hex(
            "10 00 00 16 31 2e 32 2e 38 34 30 2e 31 30 30 30 38 2e 33 2e 31 2e 31 2e 31 00",
            "99 ab 00 03 01 02 03                                       ; an item of another world",
            "21 00 00 04 03 00 03 00                                    ; ID 3, rejected",
            "21 00 00 20 01 ff 00 ff                                    ; ID 1, accepted",
            "40 00 00 12 31 2e 32 2e 38 34 30 2e 31 30 30 30 38 2e 31 2e 32 20",
            "77 00 00 02 00 00                                          ; an unknown sub-item",
        ),
        AAssociateAC(
            (PresentationContextAC(3, 3, ""), PresentationContextAC(1, 0, IMPLICIT)),
            UserInformation(16384, "", None),
            b"x" * 64,
            protocol_version=0xFFFD,
        ),
        is_sent=False,
    ),
)
