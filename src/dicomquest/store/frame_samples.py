"""The samples of one frame as an array, in RGB where they are colours (PS3.3 C.7.6.3)."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

from pydicom.uid import UID

from dicomquest.dataset.frame_places import FramePlaces, read_frame
from dicomquest.errors import DataSetError
from dicomquest.standard.transfer_syntaxes import (
    ENCAPSULATED_UNCOMPRESSED,
    EXPLICIT_VR_LITTLE_ENDIAN,
)
from dicomquest.store.decompression import FAULTS, Image, check_size, image_of
from dicomquest.store.stored_instance import StoredInstance

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FLOATS = {32: "<f4", 64: "<f8"}
_WIDTHS = frozenset({1, 8, 16, 32})


class TooManyPixelsError(DataSetError):
    """An image has more pixels than a limit allows."""


class Samples(NamedTuple):
    """A frame: rows, columns, and samples if it has colours; ``stored`` are bits of a sample."""

    array: NDArray[np.generic]
    photometric: str
    stored: int


def frame_samples(
    stored: StoredInstance, places: FramePlaces, number: int, *, most_pixels: int
) -> Samples:
    """Read and decode a frame; DataSetError if that is not possible.

    TooManyPixelsError before anything is decoded.
    """
    image = image_of(places.values, _FLOATS.keys() | _WIDTHS)._replace(frames=1)
    pixels = image.rows * image.columns
    if not pixels:
        raise DataSetError(f"an image of {image.rows} x {image.columns} pixels")
    if pixels > most_pixels or image.samples > 4:
        raise TooManyPixelsError(
            f"{image.rows} x {image.columns} pixels of {image.samples} samples"
        )
    frame = read_frame(stored.read, *stored.extent, places, number)
    try:
        return _decoded(frame, places, image)
    except FAULTS as error:
        reason = " ".join(str(error).split())
        raise DataSetError(f"the frame cannot be decoded: {reason}") from error


def _decoded(frame: bytes, places: FramePlaces, image: Image) -> Samples:
    import numpy as np  # noqa: PLC0415  the extra images
    from pydicom.encaps import encapsulate  # noqa: PLC0415
    from pydicom.pixels.decoders.base import get_decoder  # noqa: PLC0415

    if places.is_float:
        array = np.frombuffer(frame, _FLOATS[image.allocated])
        return Samples(array.reshape(image.rows, image.columns), image.photometric, image.allocated)
    syntax = places.syntax
    if not places.is_compressed or syntax == ENCAPSULATED_UNCOMPRESSED:
        syntax, frame = EXPLICIT_VR_LITTLE_ENDIAN, frame[: -(-places.frame_bits // 8)]
    else:
        check_size(frame, image)
        frame = encapsulate([frame])
    options: dict[str, Any] = {
        "rows": image.rows,
        "columns": image.columns,
        "number_of_frames": 1,
        "samples_per_pixel": image.samples,
        "bits_allocated": image.allocated,
        "bits_stored": image.stored,
        "photometric_interpretation": image.photometric,
        "pixel_representation": image.signed,
        "planar_configuration": image.planar,
        "pixel_keyword": "PixelData",
        "pixel_vr": "OW" if image.allocated > 8 else "OB",
    }
    with BytesIO(frame) as file:
        array, properties = next(iter(get_decoder(UID(syntax)).iter_array(file, **options)))
    return Samples(array, str(properties["photometric_interpretation"]), image.stored)
