"""A Dataset that is read at its first use is like any other from then on."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from dicomquest.dataset.unread_dataset import UnreadDataset, unread
from fixtures.timing import LONG

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicomquest.dataset.unread_dataset import Elements


def elements(value: bytes, _: bytes = b"") -> Elements:
    tag = BaseTag(0x00100020)
    return {tag: RawDataElement(tag, "LO", len(value), value, 0, False, True)}


def made() -> Dataset:
    return unread(elements, b"4711")


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        (lambda found: found.PatientID, "4711"),
        (lambda found: found["PatientID"].value, "4711"),
        (lambda found: [each.value for each in found], ["4711"]),
        (len, 1),
        (bool, True),
        (lambda found: "PatientID" in found, True),
        (lambda found: found == Dataset(elements(b"4711")), True),
        (lambda found: Dataset(elements(b"4711")) == found, True),
        (lambda found: found == made(), True),
        (lambda found: found != made(), False),
        (str, str(Dataset(elements(b"4711")))),
        (lambda found: found.__class__, Dataset),
        (lambda found: {**vars(found), "_dict": {}}, vars(Dataset())),
        (lambda found: copy.copy(found).PatientID, "4711"),
        (lambda found: copy.deepcopy(found).PatientID, "4711"),
        (lambda found: pickle.loads(pickle.dumps(found)).PatientID, "4711"),
        (lambda found: found.to_json_dict()["00100020"]["Value"], ["4711"]),
    ],
)
def test_any_use_reads_the_elements(use: Callable[[Any], Any], expected: object) -> None:
    found = made()
    assert type(found) is UnreadDataset
    assert use(found) == expected
    assert type(found) is Dataset
    assert found == Dataset(elements(b"4711"))


def test_changes_before_any_look_are_kept() -> None:
    found = made()
    found.PatientName = "A^B"
    found.note = "mine"
    assert (found.PatientID, found.PatientName, found.note) == ("4711", "A^B", "mine")
    other = made()
    del other.PatientID
    assert len(other) == 0


def test_threads_read_the_same_elements() -> None:
    barrier = Barrier(2, timeout=LONG)

    def slowly(value: bytes, _: bytes) -> Elements:
        barrier.wait()
        return elements(value)

    found = unread(slowly, b"4711")
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: vars(found)["_dict"], range(2))
    assert first is second
    assert type(found) is Dataset
