"""A frame of a stored instance as a picture that any program shows (PS3.18 8.7.4, 10.4.1.1.3)."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from pydicom.pixels.processing import apply_color_lut

from dicomquest.errors import DataSetError, StoredInstanceError
from dicomquest.store.decompression import FAULTS
from dicomquest.store.frame_samples import Samples, frame_samples
from dicomquest.store.grey_levels import Window, grey_levels
from dicomquest.store.rendering_job import Region, RenderingJob
from dicomquest.store.stored_frames import StoredFrames
from dicomquest.store.stored_instance import StoredInstance

_GREY = frozenset({"MONOCHROME1", "MONOCHROME2"})
_FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF"}


class RegionError(DataSetError):
    """A region of the viewport that the image does not have."""


@dataclass(frozen=True, slots=True)
class Renderer:
    """Renders frames; ``frames`` remembers where those of the latest images are."""

    frames: StoredFrames

    def render(self, job: RenderingJob) -> bytes:
        """Return the picture; StoredInstanceError or DataSetError if there is none."""
        with StoredInstance.open(job.path, job.sop_instance_uid) as stored:
            if stored.state != job.state:
                raise StoredInstanceError(f"{stored.path}: changed meanwhile")
            places = self.frames.places(stored)
            if places is None or places.is_stream:
                raise DataSetError("no image")
            samples = frame_samples(stored, places, job.frame, most_pixels=job.most_pixels)
            dataset = _attributes(job.path)
        try:
            levels = _levels(samples, dataset, job)
            return _encoded(levels, dataset, job)
        except RegionError:
            raise
        except FAULTS as error:
            reason = " ".join(str(error).split())
            raise DataSetError(f"the frame cannot be rendered: {reason}") from error


def _attributes(path: str) -> Dataset:
    """Return the data set before the pixel data."""
    try:
        return pydicom.dcmread(path, stop_before_pixels=True, force=True)
    except FAULTS as error:
        raise DataSetError(f"the data set cannot be read: {error}") from error


def _levels(samples: Samples, dataset: Dataset, job: RenderingJob) -> NDArray[np.uint8]:
    """Return grey levels, or red, green and blue."""
    array, photometric = samples.array, samples.photometric
    if photometric == "PALETTE COLOR":
        return _eight_bits(apply_color_lut(array, dataset), 16)
    if photometric == "RGB" and array.ndim == 3:
        return _eight_bits(array, samples.stored)
    if photometric not in _GREY or array.ndim != 2:
        raise DataSetError(f"Photometric Interpretation {photometric} with {array.ndim - 1} axes")
    window = Window(*job.window) if job.window is not None else None
    return grey_levels(array, dataset, job.frame, photometric, window)


def _eight_bits(array: NDArray[Any], stored: int) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array
    return np.asarray(array >> max(stored - 8, 0), dtype=np.uint8)


def _encoded(levels: NDArray[np.uint8], dataset: Dataset, job: RenderingJob) -> bytes:
    picture = Image.fromarray(np.ascontiguousarray(levels))
    if job.region is not None:
        picture = _in_viewport(picture, job.region)
    file = BytesIO()
    options: dict[str, Any] = {}
    if job.media_type == "image/jpeg":
        options["quality"] = job.quality
    profile = dataset.get("ICCProfile")
    if job.has_profile and isinstance(profile, bytes) and job.media_type != "image/gif":
        options["icc_profile"] = profile
    picture.save(file, _FORMATS[job.media_type], **options)
    return file.getvalue()


def _in_viewport(picture: Image.Image, region: Region) -> Image.Image:
    """Return a region of a picture as large as the viewport can show it (PS3.18 8.3.5.1.3)."""
    columns = region.columns or picture.width - region.left
    rows = region.rows or picture.height - region.top
    box = (region.left, region.top, region.left + abs(columns), region.top + abs(rows))
    if columns == 0 or rows == 0 or box[2] > picture.width or box[3] > picture.height:
        raise RegionError(f"the image has {picture.width} x {picture.height} pixels")
    scale = min(region.width / abs(columns), region.height / abs(rows))
    size = max(round(abs(columns) * scale), 1), max(round(abs(rows) * scale), 1)
    if picture.mode == "P":
        picture = picture.convert("RGB")
    filtering = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC
    found = picture.resize(size, filtering, box, reducing_gap=3.0 if scale < 1 else None)
    if columns < 0:
        found = found.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return found.transpose(Image.Transpose.FLIP_TOP_BOTTOM) if rows < 0 else found
