"""Command sets as they stand on the wire, each with its decoding beside it (PS3.7 6.3, 9.3)."""

from __future__ import annotations

from typing import NamedTuple

from dicomquest.dimse.commands import (
    CCancelRQ,
    CEchoRQ,
    CEchoRSP,
    CFindRQ,
    CFindRSP,
    CGetRSP,
    CMoveRQ,
    Command,
    CStoreRQ,
    CStoreRSP,
)


class Vector(NamedTuple):
    """Bytes and their value; ``is_sent``: this package sends the value as these bytes."""

    name: str
    data: bytes
    command: Command
    is_sent: bool = True


def _hex(*lines: str) -> bytes:
    """Bytes of lines of hex digits, with text in quotes; a comment follows a semicolon."""
    data = b""
    for line in lines:
        for number, part in enumerate(line.partition(";")[0].split("'")):
            data += part.encode("ascii") if number % 2 else bytes.fromhex(part)
    return data


VERIFICATION = "1.2.840.10008.1.1"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
CT_STORAGE = "1.2.840.10008.5.1.4.1.1.2"

VECTORS = (
    Vector(
        "C-ECHO-RQ",
        _hex(
            "0000 0000  04000000  38000000               ; 56 bytes follow",
            "0000 0200  12000000  '1.2.840.10008.1.1' 00 ; AffectedSOPClassUID, padded by NUL",
            "0000 0001  02000000  3000                   ; CommandField",
            "0000 1001  02000000  0100                   ; MessageID 1",
            "0000 0008  02000000  0101                   ; CommandDataSetType: none",
        ),
        CEchoRQ(message_id=1, affected_sop_class_uid=VERIFICATION),
    ),
    Vector(
        "C-ECHO-RSP",
        _hex(
            "0000 0000  04000000  42000000",
            "0000 0200  12000000  '1.2.840.10008.1.1' 00",
            "0000 0001  02000000  3080",
            "0000 2001  02000000  0100                   ; MessageIDBeingRespondedTo 1",
            "0000 0008  02000000  0101",
            "0000 0009  02000000  0000                   ; Status: success",
        ),
        CEchoRSP(
            message_id_being_responded_to=1, status=0x0000, affected_sop_class_uid=VERIFICATION
        ),
    ),
    Vector(
        "C-FIND-RQ",
        _hex(
            "0000 0000  04000000  4c000000",
            "0000 0200  1c000000  '1.2.840.10008.5.1.4.1.2.2.1' 00",
            "0000 0001  02000000  2000",
            "0000 1001  02000000  0700                   ; MessageID 7",
            "0000 0007  02000000  0200                   ; Priority: low",
            "0000 0008  02000000  0100                   ; CommandDataSetType: there is one",
        ),
        CFindRQ(message_id=7, affected_sop_class_uid=STUDY_ROOT_FIND, priority=2),
    ),
    Vector(
        "C-FIND-RSP, Pending",
        _hex(
            "0000 0000  04000000  4c000000",
            "0000 0200  1c000000  '1.2.840.10008.5.1.4.1.2.2.1' 00",
            "0000 0001  02000000  2080",
            "0000 2001  02000000  0700",
            "0000 0008  02000000  0100                   ; the identifier follows",
            "0000 0009  02000000  01ff                   ; Status FF01",
        ),
        CFindRSP(
            message_id_being_responded_to=7,
            status=0xFF01,
            affected_sop_class_uid=STUDY_ROOT_FIND,
            has_data_set=True,
        ),
    ),
    Vector(
        "C-FIND-RSP, failure",
        _hex(
            "0000 0000  04000000  6e000000",
            "0000 0200  1c000000  '1.2.840.10008.5.1.4.1.2.2.1' 00",
            "0000 0001  02000000  2080",
            "0000 2001  02000000  0700",
            "0000 0008  02000000  0101",
            "0000 0009  02000000  00a9                   ; Status A900",
            "0000 0109  08000000  0800 5200  1000 2000   ; OffendingElement: two tags",
            "0000 0209  0a000000  'bad level '           ; ErrorComment, padded by a space",
        ),
        CFindRSP(
            message_id_being_responded_to=7,
            status=0xA900,
            affected_sop_class_uid=STUDY_ROOT_FIND,
            offending_element=(0x00080052, 0x00100020),
            error_comment="bad level",
        ),
    ),
    Vector(
        "C-CANCEL-RQ",
        _hex(
            "0000 0000  04000000  1e000000",
            "0000 0001  02000000  ff0f",
            "0000 2001  02000000  0700",
            "0000 0008  02000000  0101",
        ),
        CCancelRQ(message_id_being_responded_to=7),
    ),
    Vector(
        "C-CANCEL-RQ with the Message ID of the query in the wrong element",
        _hex(
            "0000 0000  04000000  1e000000",
            "0000 0001  02000000  ff0f",
            "0000 1001  02000000  0700                   ; MessageID",
            "0000 0008  02000000  0101",
        ),
        CCancelRQ(message_id_being_responded_to=7),
        is_sent=False,
    ),
    Vector(
        "C-STORE-RQ of a C-MOVE",
        _hex(
            "0000 0000  04000000  70000000",
            "0000 0200  1a000000  '1.2.840.10008.5.1.4.1.1.2' 00",
            "0000 0001  02000000  0100",
            "0000 1001  02000000  ffff",
            "0000 0007  02000000  0100",
            "0000 0008  02000000  0100",
            "0000 0010  06000000  '1.2.3' 00             ; AffectedSOPInstanceUID",
            "0000 3010  06000000  'ORIGIN'               ; MoveOriginatorApplicationEntityTitle",
            "0000 3110  02000000  0500                   ; MoveOriginatorMessageID",
        ),
        CStoreRQ(
            message_id=0xFFFF,
            affected_sop_class_uid=CT_STORAGE,
            affected_sop_instance_uid="1.2.3",
            priority=1,
            move_originator_application_entity_title="ORIGIN",
            move_originator_message_id=5,
        ),
    ),
    Vector(
        "C-STORE-RSP",
        _hex(
            "0000 0000  04000000  58000000",
            "0000 0200  1a000000  '1.2.840.10008.5.1.4.1.1.2' 00",
            "0000 0001  02000000  0180",
            "0000 2001  02000000  ffff",
            "0000 0008  02000000  0101",
            "0000 0009  02000000  07b0",
            "0000 0010  06000000  '1.2.3' 00",
        ),
        CStoreRSP(
            message_id_being_responded_to=0xFFFF,
            status=0xB007,
            affected_sop_class_uid=CT_STORAGE,
            affected_sop_instance_uid="1.2.3",
        ),
    ),
    Vector(
        "C-MOVE-RQ with a data set type of 0102H",
        _hex(
            "0000 0000  04000000  5a000000",
            "0000 0200  1c000000  '1.2.840.10008.5.1.4.1.2.2.2' 00",
            "0000 0001  02000000  2100",
            "0000 1001  02000000  0900",
            "0000 0006  06000000  'TARGET'               ; MoveDestination",
            "0000 0007  02000000  0000",
            "0000 0008  02000000  0201                   ; CommandDataSetType 0102: there is one",
        ),
        CMoveRQ(
            message_id=9,
            affected_sop_class_uid="1.2.840.10008.5.1.4.1.2.2.2",
            move_destination="TARGET",
        ),
        is_sent=False,
    ),
    Vector(
        "C-GET-RSP, the last, with the UIDs of what failed",
        _hex(
            "0000 0000  04000000  6a000000",
            "0000 0200  1c000000  '1.2.840.10008.5.1.4.1.2.1.3' 00",
            "0000 0001  02000000  1080",
            "0000 2001  02000000  0900",
            "0000 0008  02000000  0100                   ; CommandDataSetType 0001: there is one",
            "0000 0009  02000000  00b0                   ; Warning B000",
            "0000 2110  02000000  0700                   ; (0000,1021) completed",
            "0000 2210  02000000  0200                   ; (0000,1022) failed",
            "0000 2310  02000000  0000                   ; (0000,1023) warning",
        ),
        CGetRSP(
            message_id_being_responded_to=9,
            status=0xB000,
            affected_sop_class_uid="1.2.840.10008.5.1.4.1.2.1.3",
            number_of_completed_suboperations=7,
            number_of_failed_suboperations=2,
            number_of_warning_suboperations=0,
            has_data_set=True,
        ),
    ),
    Vector(
        "C-ECHO-RQ as old and careless peers send it",
        _hex(
            "0000 0008  02000000  0101                   ; not in ascending order",
            "0000 0000  04000000  01000000               ; group length: wrong, misplaced",
            "0000 0100  04000000  44000000               ; (0000,0001) length to end, retired",
            "0000 0200  14000000  '1.2.840.10008.1.1 ' 0000 ; padded by a space and NULs",
            "0000 1000  0c000000  'ACR-NEMA 2.0'         ; (0000,0010) recognition code, retired",
            "0000 0001  02000000  3000",
            "0000 1001  02000000  0100",
            "0000 1001  02000000  0200                   ; a second MessageID",
            "0000 0007  02000000  0000                   ; Priority, which C-ECHO has not",
            "0900 1000  04000000  'ACME'                 ; a private element",
        ),
        CEchoRQ(message_id=1, affected_sop_class_uid=VERIFICATION),
        is_sent=False,
    ),
    Vector(
        "C-ECHO-RQ in Explicit VR, which is not allowed",
        _hex(
            "0000 0000  'UL' 0400  34000000",
            "0000 0200  'UI' 1200  '1.2.840.10008.1.1' 00",
            "0000 0300  'UN' 0000  02000000  0000        ; a VR with a length of 4 bytes",
            "0000 0001  'US' 0200  3000",
            "0000 1001  'US' 0200  0100",
            "0000 0008  'US' 0200  0101",
        ),
        CEchoRQ(message_id=1, affected_sop_class_uid=VERIFICATION),
        is_sent=False,
    ),
)
