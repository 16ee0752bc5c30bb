"""Datasets that handlers yield, in the transfer syntaxes that peers accept."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)

from dicomquest import AE, build_role, evt
from dicomquest.aio.suited_datasets import suited
from dicomquest.errors import DataSetError
from fixtures.faces import HOST, running
from fixtures.getting import STUDY_GET, STUDY_MOVE, WANTED

# pydicom warns of what is odd in its own files.
pytestmark = pytest.mark.filterwarnings("ignore")

NAMES = (
    "MR_small.dcm",
    "MR_small_implicit.dcm",
    "MR_small_bigendian.dcm",
    "image_dfl.dcm",
    "MR_small_jp2klossless.dcm",
    "SC_rgb_rle_16bit_2frame.dcm",
)
TARGETS = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
)


def read(name: str) -> Dataset:
    """A file of pydicom with a UID of its own: some of them share one."""
    found = dcmread(str(get_testdata_file(name, download=False)))
    found.SOPInstanceUID = f"1.2.{NAMES.index(name)}"
    return found


@contextlib.contextmanager
def archive(target: UID) -> Iterator[int]:
    """An AE whose handler yields each of the files, and sends in one transfer syntax alone."""
    files = [read(name) for name in NAMES]

    def get(_: evt.Event) -> Iterator[Any]:
        yield len(files)
        for each in files:
            yield 0xFF00, each

    ae = AE("ARCHIVE")
    ae.add_supported_context(STUDY_GET)
    for uid in {each.SOPClassUID for each in files}:
        ae.add_supported_context(uid, target, scu_role=False, scp_role=True)
    with running((evt.EVT_C_GET, get), ae=ae) as server:
        yield server.server_address[1]


@pytest.mark.requirement("RT-042", "RT-043")
@pytest.mark.parametrize("target", TARGETS, ids=lambda uid: uid.name)
def test_getter_has_what_its_syntax_can_hold(target: UID) -> None:
    """Compressed images become plain ones in little endian; the others take any syntax."""
    taken: dict[str, Dataset] = {}

    def take(event: evt.Event) -> int:
        received = event.dataset
        received.file_meta = event.file_meta
        taken[received.SOPInstanceUID] = received
        return 0x0000

    ae = AE("GETTER")
    ae.add_requested_context(STUDY_GET)
    files = {each.SOPInstanceUID: each for each in map(read, NAMES)}
    classes = {each.SOPClassUID for each in files.values()}
    for uid in classes:
        ae.add_requested_context(uid, target)
    roles: list[Any] = [build_role(uid, scp_role=True) for uid in classes]
    with (
        archive(target) as port,
        ae.associate(
            HOST, port, ext_neg=roles, evt_handlers=[(evt.EVT_C_STORE, take)]
        ) as association,
    ):
        *_, (final, _) = association.send_c_get(WANTED, STUDY_GET)
    is_plain = target in {ExplicitVRLittleEndian, ImplicitVRLittleEndian}
    assert taken.keys() == {uid for uid, each in files.items() if is_plain or not is_image(each)}
    assert final.Status == (0x0000 if is_plain else 0xB000)
    for uid, received in taken.items():
        assert received.file_meta.TransferSyntaxUID == target
        assert np.array_equal(received.pixel_array, files[uid].pixel_array)


def is_image(dataset: Dataset) -> bool:
    """Tell whether the pixels are compressed."""
    return bool(dataset.file_meta.TransferSyntaxUID.is_encapsulated)


@pytest.mark.requirement("RT-042", "RT-043")
def test_mover_decompresses_for_its_destination() -> None:
    compressed = read("MR_small_jp2klossless.dcm")
    taken: list[Dataset] = []

    def take(event: evt.Event) -> int:
        taken.append(event.dataset)
        taken[-1].file_meta = event.file_meta
        return 0x0000

    def move(_: evt.Event) -> Iterator[Any]:
        yield store.server_address
        yield 1
        yield 0xFF00, compressed

    own, storage, mover = AE("ARCHIVE"), AE("STORE"), AE("MOVER")
    own.add_supported_context(STUDY_MOVE)
    own.add_requested_context(compressed.SOPClassUID)
    storage.add_supported_context(compressed.SOPClassUID)
    mover.add_requested_context(STUDY_MOVE)
    with (
        running((evt.EVT_C_STORE, take), ae=storage) as store,
        running((evt.EVT_C_MOVE, move), ae=own) as server,
        mover.associate(HOST, server.server_address[1]) as association,
    ):
        *_, (final, _) = association.send_c_move(WANTED, "STORE", STUDY_MOVE)
    assert final.Status == 0x0000
    [received] = taken
    assert np.array_equal(received.pixel_array, compressed.pixel_array)
    assert "JPEG" not in received.file_meta.TransferSyntaxUID.name


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ("MR_small.dcm", {ImplicitVRLittleEndian}),
        ("MR_small_jp2klossless.dcm", {JPEG2000Lossless, ExplicitVRLittleEndian}),
        ("MR_small_jp2klossless.dcm", {ExplicitVRBigEndian}),
        ("MR_small.dcm", set()),
    ],
)
def test_dataset_that_needs_nothing_stays(name: str, accepted: set[str]) -> None:
    dataset = read(name)
    assert suited(dataset, accepted) is dataset


def test_value_that_cannot_be_written_is_named() -> None:
    """The words have the transfer syntax and no value: it may be a patient's."""
    dataset = read("MR_small.dcm")
    dataset.Rows = "CITIZEN"
    with pytest.raises(DataSetError, match="cannot be brought to Explicit VR Big Endian") as raised:
        suited(dataset, {ExplicitVRBigEndian})
    assert "CITIZEN" not in str(raised.value)
