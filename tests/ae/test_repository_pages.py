"""Pages of a Repository Query, without a network: what ends them."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from pydicom import Dataset

from dicomquest.ae.repository_pages import LastIdentifier, matches_of_pages
from dicomquest.dataset.elements import Element
from dicomquest.dataset.encoder import encode
from dicomquest.dimse.commands import CFindRSP, Response
from dicomquest.errors import QueryFailedError
from dicomquest.standard.tags import RECORD_KEY
from dicomquest.standard.transfer_syntaxes import IMPLICIT_VR_LITTLE_ENDIAN


class _Peer:
    """A peer with some records; it gives as many as it is asked for, or the same ones again."""

    def __init__(self, count: int, *, repeats: bool = False) -> None:
        self.count, self.repeats = count, repeats
        self.asked: list[Dataset] = []

    def __call__(
        self, asked: Dataset, last: LastIdentifier
    ) -> Generator[int, None, Response | None]:
        self.asked.append(Dataset(asked))
        after = 0 if self.repeats else int(asked.get("PriorRecordKey") or 0)
        end = min(after + asked.MaximumNumberOfRecords, self.count)
        for number in range(after + 1, end + 1):
            key = encode({RECORD_KEY: Element("OB", (b"%02d" % number,))}, SYNTAX)
            last.take(key, SYNTAX)
            yield number
        status = 0xB001 if end < self.count else 0
        return CFindRSP(message_id_being_responded_to=1, status=status)


SYNTAX = IMPLICIT_VR_LITTLE_ENDIAN


@pytest.mark.requirement("RQ-008")
@pytest.mark.parametrize("size", [1, 2, 5, 6])
def test_pages_end_with_the_last_record(size: int) -> None:
    peer = _Peer(5)
    identifier = Dataset()
    assert list(matches_of_pages(peer, identifier, size)) == [1, 2, 3, 4, 5]
    assert len(peer.asked) == -(-5 // size)
    assert "RecordKey" not in identifier


def test_same_records_again_end_in_an_error() -> None:
    with pytest.raises(QueryFailedError, match="gave no new key"):
        list(matches_of_pages(_Peer(5, repeats=True), Dataset(), 2))


def test_identifier_that_cannot_be_read_has_no_key() -> None:
    last = LastIdentifier()
    assert last.record_key() is None or last.record_key() == b""
    last.take(b"\x08\x00\x1b\x04\xff\xff", SYNTAX)
    assert last.record_key() is None
