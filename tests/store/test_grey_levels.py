"""Samples to grey levels (PS3.3 C.11.1, C.11.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.pixels.processing import apply_windowing

from dicomquest.errors import DataSetError
from dicomquest.store.grey_levels import Window, grey_levels

RAMP = np.arange(256, dtype="u1").reshape(16, 16)


def dataset(**attributes: Any) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def table(entries: list[int], first: int = 0, bits: int = 8) -> Dataset:
    made = Dataset()
    made.add_new(0x00283002, "US", [len(entries), first, bits])
    made.add_new(0x00283006, "OW", np.array(entries, "<u2").tobytes())
    return made


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("centre", "width"), [(128, 256), (100, 50), (40.5, 1), (-5, 400)])
@pytest.mark.parametrize("kind", ["u1", "i2", "u2", "i4"])
def test_a_window_is_that_of_pydicom(function: str, centre: float, width: float, kind: str) -> None:
    samples = RAMP.astype(kind)
    if kind[0] == "i":
        samples = samples - np.array(100, kind)
    if function == "LINEAR_EXACT" and width < 1:
        return
    signed = int(kind[0] == "i")
    made = dataset(
        PhotometricInterpretation="MONOCHROME2", WindowCenter=centre, WindowWidth=width,
        VOILUTFunction=function, BitsStored=16, PixelRepresentation=signed,
    )  # fmt: skip
    shown = apply_windowing(samples, made)
    low = -(2**15) if signed else 0
    expected = (shown - low) / (2**16 - 1) * 255
    found = grey_levels(samples, made, 1, "MONOCHROME2", None)
    assert np.abs(found - expected).max() <= 1
    asked = grey_levels(samples, dataset(), 1, "MONOCHROME2", Window(centre, width, function))
    assert (asked == found).all()


def test_monochrome1_is_inverse() -> None:
    made = dataset(WindowCenter=128, WindowWidth=256)
    black = grey_levels(RAMP, made, 1, "MONOCHROME1", None)
    assert (black == 255 - RAMP).all()


@pytest.mark.parametrize("kind", ["u1", "i2", "i4", "f4"])
def test_without_window_all_values_are_seen(kind: str) -> None:
    samples = np.array([[10, 30], [50, 110]], kind)
    found = grey_levels(samples, dataset(), 1, "MONOCHROME2", None)
    assert found.tolist() == [[0, 51], [102, 255]]
    assert not grey_levels(np.full((2, 2), 7, kind), dataset(), 1, "MONOCHROME2", None).any()


def test_padding_does_not_count() -> None:
    samples = np.array([[-2000, -1999, 0, 100]], "i2")
    made = dataset(PixelPaddingValue=-2000, PixelPaddingRangeLimit=-1999)
    assert grey_levels(samples, made, 1, "MONOCHROME2", None).tolist() == [[0, 0, 0, 255]]


def test_numbers_that_are_none_are_black() -> None:
    samples = np.array([[np.nan, 0, 1]], "f4")
    assert grey_levels(samples, dataset(), 1, "MONOCHROME2", None).tolist() == [[0, 0, 255]]


def test_rescale_comes_before_the_window() -> None:
    made = dataset(RescaleSlope=2, RescaleIntercept=-10, WindowCenter=5, WindowWidth=11)
    samples = np.array([[5, 6, 10]], "u2")
    assert grey_levels(samples, made, 1, "MONOCHROME2", None).tolist() == [[13, 64, 255]]


def test_a_frame_has_groups_of_its_own() -> None:
    groups = []
    for slope, centre in ((1, 128), (2, 256)):
        group = dataset(
            PixelValueTransformationSequence=[dataset(RescaleSlope=slope, RescaleIntercept=0)],
            FrameVOILUTSequence=[dataset(WindowCenter=centre, WindowWidth=256)],
        )
        groups.append(group)
    made = dataset(PerFrameFunctionalGroupsSequence=groups[1:] * 2)
    made.SharedFunctionalGroupsSequence = groups[:1]
    own = grey_levels(RAMP, made, 2, "MONOCHROME2", None)
    shared = grey_levels(RAMP, made, 3, "MONOCHROME2", None)
    assert (shared == RAMP).all()
    assert own[0, 0] == 0
    assert own[-1, -1] == 255
    assert (own != shared).any()


def test_look_up_tables_are_applied() -> None:
    made = dataset(ModalityLUTSequence=[table([3, 2, 1, 0], first=1)])
    made.VOILUTSequence = [table([0, 85, 170, 255])]
    samples = np.array([[0, 1, 2, 3, 4, 9]], "u1")
    found = grey_levels(samples, made, 1, "MONOCHROME2", None)
    assert found.tolist() == [[255, 255, 170, 85, 0, 0]]


@pytest.mark.parametrize("item", [Dataset(), dataset(LUTDescriptor=[4, 0, 8])])
def test_a_table_without_entries_fails(item: Dataset) -> None:
    with pytest.raises(DataSetError, match="look-up table"):
        grey_levels(RAMP, dataset(VOILUTSequence=[item]), 1, "MONOCHROME2", None)
