"""The log tells of each instance that is not stored: its UID, its sender and the reason."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from dicomquest.dimse.command_sets import encode_elements
from dicomquest.dimse.commands import Command, CStoreRSP
from dicomquest.pdu.pdus import COMMAND, LAST, PDataTF, PresentationDataValue
from dicomquest.standard.statuses import C_STORE_STATUSES, in_words
from fixtures.faces import RawPeer, raw_requestor
from fixtures.storage_scp import CT, RQ, UID, bytes_of, send, storing, without
from fixtures.storing import instance, stored_files

MR = "1.2.840.10008.5.1.4.1.1.4"


def send_of(
    peer: RawPeer, data_set: bytes, *, sop_class: str = "", uid: str = "", message_id: int = 1
) -> Command:
    """Send a C-STORE request that may lack mandatory elements, and receive the response."""
    texts = {0x0002: sop_class, 0x1000: uid}
    numbers = {0x0100: 0x0001, 0x0110: message_id, 0x0700: 0, 0x0800: 1}
    elements = {number: value.to_bytes(2, "little") for number, value in numbers.items()} | {
        number: text.encode() + b"\0" * (len(text) % 2) for number, text in texts.items() if text
    }
    command = encode_elements(dict(sorted(elements.items())))
    peer.send(
        PDataTF(
            (
                PresentationDataValue(1, COMMAND | LAST, command),
                PresentationDataValue(1, LAST, data_set),
            )
        )
    )
    return peer.receive_command()


NAMED = (CT, UID)
LONG = "1.2\n" + "3" * 300


@pytest.mark.parametrize(
    ("data_set", "command", "logged", "status"),
    [
        (bytes_of(without("StudyInstanceUID")), NAMED, UID, 0xA900),
        (bytes_of(instance(1, 1))[:-100], NAMED, UID, 0xC000),
        (bytes_of(instance(1, 1)), (MR, UID), UID, 0x0122),
        (bytes_of(instance(1, 1)), (CT, ""), "no SOP Instance UID", 0x0117),
        (bytes_of(instance(1, 1)), (CT, LONG), "1.2\\n" + "3" * 124, 0xA900),
        (bytes_of(without("SOPClassUID")), NAMED, UID, 0xB007),
    ],
)
def test_faulty_store_is_logged(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    *,
    data_set: bytes,
    command: tuple[str, str],
    logged: str,
    status: int,
) -> None:
    with (
        caplog.at_level(logging.INFO, "dicomquest"),
        storing(tmp_path) as served,
        raw_requestor(served.port, RQ) as peer,
    ):
        response = send_of(peer, data_set, sop_class=command[0], uid=command[1])
        assert isinstance(response, CStoreRSP)
        assert response.status == status
        assert send(peer, UID, bytes_of(instance(1, 1)), message_id=2).status == 0
    (line,) = [
        record.getMessage() for record in caplog.records if record.levelno == logging.WARNING
    ]
    words = in_words(status, C_STORE_STATUSES, response.error_comment)
    assert line == f"association 1: C-STORE-RQ of {logged} by RAW at 127.0.0.1 ended with {words}"
    assert "association 1: C-STORE-RQ ended with 0000" in caplog.messages


def test_unnamed_sop_class_is_the_contexts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An instance of no named SOP class is one of the context."""
    with (
        caplog.at_level(logging.INFO, "dicomquest"),
        storing(tmp_path) as served,
        raw_requestor(served.port, RQ) as peer,
    ):
        assert getattr(send_of(peer, bytes_of(instance(1, 1)), uid=UID), "status", None) == 0
        assert len(stored_files(served.folder)) == 1
        made = instance(1, 2)
        made.SOPClassUID = MR
        other = send_of(peer, bytes_of(made), uid=str(made.SOPInstanceUID), message_id=2)
        assert isinstance(other, CStoreRSP)
        assert (other.status, other.offending_element) == (0xA900, (0x00080016,))
    assert "C-STORE-RQ without SOP class, taken for that of the context" in caplog.text
