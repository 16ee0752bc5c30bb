"""Samples to grey levels: Modality LUT, VOI LUT, Photometric Interpretation (PS3.3 C.11.1, C.11.2).

Samples of up to 16 bits go through one table of all their values, so that a frame is walked once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from dicomquest.errors import DataSetError

Floats: TypeAlias = "NDArray[np.float64]"
Levels: TypeAlias = "NDArray[np.uint8]"
_Stage: TypeAlias = Callable[[Floats], Floats]

_BLOCK = 1 << 20
"""Samples that are turned to floating point numbers together."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window: its function is LINEAR, LINEAR_EXACT or SIGMOID (C.11.2.1.2, C.11.2.1.3)."""

    centre: float
    width: float
    function: str = "LINEAR"

    def apply(self, values: Floats) -> Floats:
        """Return where values are in the window, from 0 to 1."""
        if self.function == "SIGMOID":
            with np.errstate(over="ignore"):
                found: Floats = 1 / (1 + np.exp(-4 * (values - self.centre) / self.width))
            return found
        centre, width = self.centre, self.width
        if self.function == "LINEAR":
            centre, width = centre - 0.5, width - 1
        if width <= 0:
            return np.asarray(values > centre, dtype=np.float64)
        return np.clip((values - centre) / width + 0.5, 0, 1)


class Groups:
    """The attributes of a frame: its own functional groups, the shared ones, those of all."""

    def __init__(self, dataset: Dataset, number: int) -> None:
        own = dataset.get("PerFrameFunctionalGroupsSequence") or []
        shared = dataset.get("SharedFunctionalGroupsSequence") or []
        self._dataset = dataset
        self._groups = [*own[number - 1 : number], *shared[:1]]

    def of(self, group: str, keyword: str) -> Dataset:
        """Return the data set that has an attribute, which may be of a functional group."""
        for each in self._groups:
            items = each.get(group) or []
            if items and keyword in items[0]:
                found: Dataset = items[0]
                return found
        return self._dataset


def grey_levels(
    samples: NDArray[Any], dataset: Dataset, number: int, photometric: str, window: Window | None
) -> Levels:
    """Return the levels of a frame from black, 0, to white, 255; DataSetError if there are none."""
    groups = Groups(dataset, number)
    modality = _modality(groups)
    stage = _voi(groups, window) or _whole_range(samples, dataset, modality)
    is_inverse = photometric == "MONOCHROME1"

    def levels(values: Floats) -> Levels:
        shown = np.nan_to_num(stage(modality(values)))
        return np.asarray(np.rint((1 - shown if is_inverse else shown) * 255), dtype=np.uint8)

    if samples.dtype.kind in "iu" and samples.dtype.itemsize <= 2:
        limits = np.iinfo(samples.dtype)
        table = levels(np.arange(limits.min, limits.max + 1, dtype=np.float64))
        unsigned = samples.view(f"u{samples.dtype.itemsize}")
        # A negative value is one of the upper half as an unsigned one.
        found: Levels = np.roll(table, limits.min)[unsigned]
        return found
    flat = np.ascontiguousarray(samples).reshape(-1)
    shown = np.empty(flat.size, np.uint8)
    for at in range(0, flat.size, _BLOCK):
        shown[at : at + _BLOCK] = levels(flat[at : at + _BLOCK].astype(np.float64))
    return shown.reshape(samples.shape)


def _modality(groups: Groups) -> _Stage:
    """Return the stage of the Modality LUT (C.11.1)."""
    tables = groups.of("", "").get("ModalityLUTSequence") or []
    if tables:
        return _Table(tables[0]).values
    item = groups.of("PixelValueTransformationSequence", "RescaleSlope")
    slope = _number(item.get("RescaleSlope"), 1.0)
    intercept = _number(item.get("RescaleIntercept"), 0.0)
    return lambda values: values * slope + intercept


def _voi(groups: Groups, window: Window | None) -> _Stage | None:
    """Return the stage of the VOI LUT (C.11.2): a window that was asked for, else the first one."""
    if window is not None:
        return window.apply
    tables = groups.of("", "").get("VOILUTSequence") or []
    if tables:
        return _Table(tables[0]).shares
    item = groups.of("FrameVOILUTSequence", "WindowCenter")
    centre = _number(item.get("WindowCenter"), None)
    width = _number(item.get("WindowWidth"), None)
    if centre is None or width is None or width <= 0:
        return None
    return Window(centre, width, str(item.get("VOILUTFunction") or "LINEAR").upper()).apply


def _whole_range(samples: NDArray[Any], dataset: Dataset, modality: _Stage) -> _Stage:
    """Return the stage that shows all values that a frame has, but for those of its padding."""
    if samples.dtype.kind == "b" or int(dataset.get("BitsAllocated") or 0) == 1:
        return Window(0.5, 1, "LINEAR_EXACT").apply
    low, high = _limits(samples, dataset)
    ends = modality(np.array([low, high], dtype=np.float64))
    low, high = float(ends.min()), float(ends.max())
    if not low < high:
        return np.zeros_like
    return Window((low + high) / 2, high - low, "LINEAR_EXACT").apply


def _limits(samples: NDArray[Any], dataset: Dataset) -> tuple[float, float]:
    """Return the least and the largest value without Pixel Padding Value and NaN (C.7.5.1.1.2)."""
    padding = dataset.get("PixelPaddingValue")
    if samples.dtype.kind == "f":
        shown = samples[np.isfinite(samples)]
    elif isinstance(padding, int):
        other = dataset.get("PixelPaddingRangeLimit")
        ends = sorted((padding, other if isinstance(other, int) else padding))
        shown = samples[(samples < ends[0]) | (samples > ends[1])]
    else:
        shown = samples
    return (float(shown.min()), float(shown.max())) if shown.size else (0.0, 0.0)


class _Table:
    """A look-up table of an item: Descriptor and Data (C.11.1.1)."""

    def __init__(self, item: Dataset) -> None:
        descriptor = item.get("LUTDescriptor")
        if descriptor is None or len(descriptor) < 3:
            raise DataSetError("a look-up table without LUT Descriptor", tag=0x00283002)
        count, self._first, bits = (int(each) for each in descriptor[:3])
        count = count or 65536
        data = item.get("LUTData", b"")
        if isinstance(data, bytes):
            kind = "u1" if len(data) < 2 * count else "<u2"
            found = np.frombuffer(data[: count * np.dtype(kind).itemsize], kind)
        else:
            found = np.atleast_1d(np.asarray(data))[:count]
        if not found.size:
            raise DataSetError("a look-up table without LUT Data", tag=0x00283006)
        self._data = found.astype(np.float64)
        self._most = float(2 ** min(max(bits, 1), 16) - 1)

    def values(self, values: Floats) -> Floats:
        """Return the entries of values; those beyond the ends have the entry there."""
        places = np.clip(np.rint(values) - self._first, 0, self._data.size - 1)
        found: Floats = self._data[places.astype(np.int64)]
        return found

    def shares(self, values: Floats) -> Floats:
        """Return the entries from 0 to 1."""
        return np.clip(self.values(values) / self._most, 0, 1)


def _number(value: Any, default: Any) -> Any:
    """Return the first number of an element, the default without a finite one."""
    if isinstance(value, str | bytes) or value is None:
        return default
    try:
        first = float(value[0] if hasattr(value, "__getitem__") else value)
    except (TypeError, ValueError, IndexError):
        return default
    return first if np.isfinite(first) else default
