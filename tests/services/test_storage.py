"""C-STORE: the statuses of PS3.4 B.2.3, duplicates, and fragments of any length."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import DataElement, Dataset, dcmread

from dicomquest.dimse.command_sets import encode_command
from dicomquest.dimse.commands import CFindRQ, CStoreRQ
from dicomquest.pdu.pdus import COMMAND, LAST, PDataTF, PresentationDataValue
from fixtures.faces import EXPLICIT, raw_requestor
from fixtures.storage_scp import CT, RQ, UID, Served, bytes_of, counted, send, storing, without
from fixtures.storing import data_set_bytes, instance, stored_files


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with storing(tmp_path) as running:
        yield running


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30
)
@given(st.lists(st.integers(0, 2000), max_size=12))
def test_any_fragments_give_the_same_file(served: Served, cuts: list[int]) -> None:
    made = instance(1, 1)
    whole = bytes_of(made)
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    with raw_requestor(served.port, RQ) as peer:
        fragments = [whole[start:end] for start, end in pairwise(places)]
        assert send(peer, str(made.SOPInstanceUID), *fragments).status == 0
    (path,) = stored_files(served.folder).values()
    assert data_set_bytes(path) == whole
    meta = dcmread(path).file_meta
    assert (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID) == (
        CT,
        made.SOPInstanceUID,
    )
    assert (meta.TransferSyntaxUID, meta.SourceApplicationEntityTitle) == (EXPLICIT, "RAW")
    assert counted(served) == 1


@pytest.mark.parametrize(
    ("data_set", "uid", "status", "element"),
    [
        (bytes_of(instance(1, 1)), "1.2.3", 0xA900, (0x00080018,)),
        (bytes_of(without("StudyInstanceUID")), UID, 0xA900, (0x0020000D, 0x0020000E)),
        (bytes_of(without("SOPInstanceUID")), UID, 0xA900, (0x00080018,)),
        (b"no data set at all", UID, 0xC000, ()),
        (bytes_of(instance(1, 1))[:-100], UID, 0xC000, ()),
        (b"", UID, 0xA900, (0x00080018,)),
    ],
)
def test_unstorable_instance_is_refused(
    served: Served, data_set: bytes, uid: str, status: int, element: tuple[int, ...]
) -> None:
    with raw_requestor(served.port, RQ) as peer:
        response = send(peer, uid, data_set)
        assert (response.status, response.offending_element) == (status, element)
        assert response.error_comment
        # The association goes on.
        assert send(peer, UID, bytes_of(instance(1, 1)), message_id=2).status == 0
    assert counted(served) == 1 == len(stored_files(served.folder))


def test_place_of_a_fault_is_told(served: Served) -> None:
    no_item = b"\x08\x00\x40\x11SQ\0\0\x08\0\0\0" + b"\x08\x00\x50\x11UI\0\0"
    with raw_requestor(served.port, RQ) as peer:
        response = send(peer, UID, no_item)
    assert response.status == 0xC000
    assert "(0008,1140)" in response.error_comment


def having(keyword: str, uid: str) -> Dataset:
    made = instance(1, 1)
    del made[keyword]
    made.add(DataElement(keyword, "UI", uid, already_converted=True))
    return made


LONG = "1." + "2" * 300


@pytest.mark.parametrize(
    ("data_set", "uid", "comment", "element"),
    [
        (
            having("SOPInstanceUID", LONG),
            LONG,
            "SOP Instance UID has 302 characters (at most 256)",
            0x00080018,
        ),
        (
            having("StudyInstanceUID", LONG),
            UID,
            "Study Instance UID has 302 characters (at most 256)",
            0x0020000D,
        ),
        (
            having("StudyInstanceUID", "1.2\\1.3"),
            UID,
            "Study Instance UID has 2 values",
            0x0020000D,
        ),
        (
            having("SeriesInstanceUID", "1.2\\1.3\\"),
            UID,
            "Series Instance UID has 3 values",
            0x0020000E,
        ),
    ],
)
def test_uid_error_is_told(
    served: Served, data_set: Dataset, uid: str, comment: str, element: int
) -> None:
    with raw_requestor(served.port, RQ) as peer:
        response = send(peer, uid, bytes_of(data_set))
    assert (response.status, response.offending_element) == (0xA900, (element,))
    assert response.error_comment == f"unfit UID: {comment}"


def test_another_sop_class_in_data_set_is_refused(served: Served) -> None:
    made = instance(1, 1)
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    with raw_requestor(served.port, RQ) as peer:
        response = send(peer, UID, bytes_of(made))
    assert (response.status, response.offending_element) == (0xA900, (0x00080016,))


def test_missing_sop_class_is_stored_with_warning(served: Served) -> None:
    """A data set without SOP class is stored with a warning."""
    with raw_requestor(served.port, RQ) as peer:
        assert send(peer, UID, bytes_of(without("SOPClassUID"))).status == 0xB007
    assert counted(served) == 1


def test_other_class_than_contexts_is_refused(served: Served) -> None:
    """Another SOP class than the context's is refused."""
    with raw_requestor(served.port, RQ) as peer:
        assert (
            send(peer, UID, bytes_of(instance(1, 1)), sop_class="1.2.840.10008.5.1.4.1.1.4").status
            == 0x0122
        )


def test_no_room_is_out_of_resources(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int, _vectors: object) -> int:
        raise OSError(28, "No space left on device")

    with raw_requestor(served.port, RQ) as peer:
        with monkeypatch.context() as patched:
            patched.setattr("os.writev", full)
            response = send(peer, UID, bytes_of(instance(1, 1)))
        assert (response.status, response.error_comment) == (
            0xA700,
            "not written: No space left on device",
        )
        assert send(peer, UID, bytes_of(instance(1, 1)), message_id=2).status == 0
    assert not list((served.folder / ".dicomquest").rglob("*.part"))


@pytest.mark.parametrize("keeps_first", [False, True])
def test_duplicates(tmp_path: Path, keeps_first: bool) -> None:
    """The index has the kept instance, and the other one's file is gone, also from another path."""
    second = instance(1, 1)
    second.PatientID = "OTHER"
    with storing(tmp_path, keeps_first=keeps_first) as served:
        with raw_requestor(served.port, RQ) as peer:
            assert send(peer, UID, bytes_of(instance(1, 1))).status == 0
            assert send(peer, UID, bytes_of(second), message_id=2).status == 0
        (path,) = stored_files(served.folder).values()
        assert dcmread(path).PatientID == ("P1" if keeps_first else "OTHER")
        assert counted(served) == 1


def test_association_ending_in_data_set_leaves_nothing(served: Served) -> None:
    """An association that ends in a data set leaves nothing."""
    with raw_requestor(served.port, RQ) as peer:
        command = CStoreRQ(message_id=1, affected_sop_class_uid=CT, affected_sop_instance_uid=UID)
        peer.send(PDataTF((PresentationDataValue(1, COMMAND | LAST, encode_command(command)),)))
        for _ in range(70):  # more than one write takes
            peer.send(PDataTF((PresentationDataValue(1, 0, bytes(10_000)),)))
    with raw_requestor(served.port, RQ) as peer:
        assert send(peer, UID, bytes_of(instance(1, 1))).status == 0
    assert counted(served) == 1 == len(stored_files(served.folder))


def test_query_on_storage_context_is_no_operation(served: Served) -> None:
    with raw_requestor(served.port, RQ) as peer:
        peer.send_command(CFindRQ(message_id=1, affected_sop_class_uid=CT), bytes(8), context_id=1)
        response = peer.receive_command()
    assert getattr(response, "status", None) == 0x0211
