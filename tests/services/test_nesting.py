"""Sequences may be 32 deep in files, in the index and in queries; a deeper one is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from dicomquest import evt
from dicomquest.dataset.codec import encode
from dicomquest.dimse.commands import CFindRSP
from dicomquest.index.ingest.file_reader import read_file
from dicomquest.index.ingest.instance import Reason, Received, Skipped
from fixtures.building import instance
from fixtures.faces import EXPLICIT, patients, raw_requestor, serving
from fixtures.storage_scp import CT, RQ, send, storing

DEEPEST = 32
SERIES = 0x00081115
WORDS = "sequences nested deeper than 32"


def nested(depth: int, sequence: bytes) -> bytes:
    """Sequences and items of undefined length."""
    begin = sequence + b"\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    end = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    return begin * depth + end * depth


def deep_instance(depth: int) -> bytes:
    whole = instance(SOPClassUID=CT)
    before, after = (
        encode({tag: each for tag, each in whole.items() if (tag > SERIES) is is_after}, EXPLICIT)
        for is_after in (False, True)
    )
    return before + nested(depth, b"\x08\x00\x15\x11SQ\0\0") + after


@pytest.mark.requirement("EN-013")
@pytest.mark.parametrize("depth", [DEEPEST, DEEPEST + 1, 1000])
def test_storing(tmp_path: Path, depth: int) -> None:
    with storing(tmp_path) as served, raw_requestor(served.port, RQ) as peer:
        response = send(peer, "1.2.1.1.1", deep_instance(depth))
    expected = (0, "") if depth == DEEPEST else (0xC000, f"{WORDS} in (0008,1115)")
    assert (response.status, response.error_comment) == expected


def test_indexing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(128) + b"DICM" + META + deep_instance(DEEPEST))
    assert isinstance(read_file(str(path), 0), Received)
    path.write_bytes(bytes(128) + b"DICM" + META + deep_instance(DEEPEST + 1))
    found = read_file(str(path), 0)
    assert isinstance(found, Skipped)
    assert found.reason is Reason.MALFORMED
    assert found.detail.startswith(f"{WORDS} in (0008,1115) at byte ")


META = b"\x02\x00\x10\x00UI\x14\x00" + EXPLICIT.encode() + b"\0"


def test_asking() -> None:
    def handler(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
        assert event.identifier is not None
        yield from patients(0)

    with serving(handler) as port, raw_requestor(port) as peer:
        answers = []
        for message_id, depth in enumerate((DEEPEST, DEEPEST + 1), 1):
            peer.send_find(message_id, nested(depth, b"\x08\x00\x15\x11"))
            response = peer.receive_command()
            assert isinstance(response, CFindRSP)
            answers.append((response.status, response.error_comment))
    assert answers == [(0, ""), (0xC001, f"limit max-nesting: {WORDS}")]
