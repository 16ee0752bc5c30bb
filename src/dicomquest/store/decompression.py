"""Encapsulated pixel data as native pixel data, frame by frame (PS3.5 8, A.4; PS3.3 C.7.6.3).

The decoders are pydicom's and pylibjpeg's, with the extra ``images``. All frames are decoded into a
temporary file before the first byte is sent: a frame that cannot be decoded fails its instance, and
not the association in mid-message; and memory holds one frame.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from typing import IO, Any, BinaryIO, Final, NamedTuple

from pydicom.uid import UID

from dicomquest.dataset.codestream_size import codestream_size
from dicomquest.dataset.decoder import UNDEFINED
from dicomquest.dataset.transcoding import Changes, Survey
from dicomquest.dataset.transcoding_source import PART
from dicomquest.errors import DataSetError
from dicomquest.standard.tags import tag_text
from dicomquest.standard.transfer_syntaxes import ENCAPSULATED_UNCOMPRESSED

_SAMPLES_PER_PIXEL: Final = 0x00280002
_PHOTOMETRIC_INTERPRETATION: Final = 0x00280004
_PLANAR_CONFIGURATION: Final = 0x00280006
_NUMBER_OF_FRAMES: Final = 0x00280008
_ROWS: Final = 0x00280010
_COLUMNS: Final = 0x00280011
_BITS_ALLOCATED: Final = 0x00280100
_BITS_STORED: Final = 0x00280101
_PIXEL_REPRESENTATION: Final = 0x00280103
_EXTENDED_OFFSETS: Final = 0x7FE00001
_EXTENDED_LENGTHS: Final = 0x7FE00002
_TOTAL_LENGTH: Final = 0x7FE00003

IMAGE_TAGS: Final = frozenset(
    {
        _SAMPLES_PER_PIXEL,
        _PHOTOMETRIC_INTERPRETATION,
        _PLANAR_CONFIGURATION,
        _NUMBER_OF_FRAMES,
        _ROWS,
        _COLUMNS,
        _BITS_ALLOCATED,
        _BITS_STORED,
        _PIXEL_REPRESENTATION,
        _EXTENDED_OFFSETS,
        _EXTENDED_LENGTHS,
    }
)
"""The attributes that say how to decode the pixels."""

_JPEG: Final = ("numpy", "pylibjpeg", "libjpeg")
_JPEG_2000: Final = ("numpy", "pylibjpeg", "openjpeg")
_DECODERS: Final = {
    "1.2.840.10008.1.2.4.50": _JPEG,
    "1.2.840.10008.1.2.4.51": _JPEG,
    "1.2.840.10008.1.2.4.57": _JPEG,
    "1.2.840.10008.1.2.4.70": _JPEG,
    "1.2.840.10008.1.2.4.80": _JPEG,
    "1.2.840.10008.1.2.4.81": _JPEG,
    "1.2.840.10008.1.2.4.90": _JPEG_2000,
    "1.2.840.10008.1.2.4.91": _JPEG_2000,
    "1.2.840.10008.1.2.4.201": _JPEG_2000,
    "1.2.840.10008.1.2.4.202": _JPEG_2000,
    "1.2.840.10008.1.2.4.203": _JPEG_2000,
    "1.2.840.10008.1.2.5": ("numpy",),
    ENCAPSULATED_UNCOMPRESSED: (),
}
"""The compressed transfer syntaxes of images, and the modules that decode them (PS3.5 A.4)."""

_NATIVE_COLOUR: Final = {"YBR_FULL_422": "YBR_FULL", "YBR_ICT": "RGB", "YBR_RCT": "RGB"}
"""The colours of decoded samples: decoders undo the subsampling and transform of these."""
_ALLOCATED: Final = frozenset({8, 16, 32})
FAULTS: Final = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
"""The errors that decoders raise for damaged bytes, and a disk that is full for the frames."""
_LARGEST_FRAME: Final = 1 << 29
"""Bytes of a frame that is decoded alone; a tile or a projection has some ten million."""
_IN_MEMORY: Final = 8 << 20
"""Bytes of decoded pixel data that need no temporary file."""


def is_decodable(transfer_syntax_uid: str) -> bool:
    """Tell whether a decoder of the compressed transfer syntax is installed."""
    modules = _DECODERS.get(transfer_syntax_uid)
    # Not by importing them: a server asks this at each association.
    return modules is not None and all(find_spec(module) is not None for module in modules)


def is_image_syntax(transfer_syntax_uid: str) -> bool:
    """Tell whether the extra ``images`` has a decoder of the transfer syntax."""
    return transfer_syntax_uid in _DECODERS


class Image(NamedTuple):
    """The attributes of an image as its data set has them."""

    samples: int
    photometric: str
    planar: int
    frames: int
    rows: int
    columns: int
    allocated: int
    stored: int
    signed: int

    @property
    def frame_length(self) -> int:
        """Bytes of a native frame."""
        return self.rows * self.columns * self.samples * self.allocated // 8


@dataclass(slots=True)
class NativePixels:
    """Decoded pixel data in a temporary file, and the attributes that it changes."""

    file: tempfile.SpooledTemporaryFile[bytes]
    length: int
    photometric: str
    samples: int
    allocated: int

    def changes(self) -> Changes:
        """Return what a re-encoding has to write (PS3.3 C.7.6.3.1)."""
        colours = self.photometric.encode("ascii")
        elements = {_PHOTOMETRIC_INTERPRETATION: ("CS", colours + b" " * (len(colours) & 1))}
        if self.samples > 1:
            elements[_PLANAR_CONFIGURATION] = ("US", struct.pack("<H", 0))
        vr = "OW" if self.allocated > 8 else "OB"
        return Changes(
            elements=elements,
            left_out=frozenset({_EXTENDED_OFFSETS, _EXTENDED_LENGTHS, _TOTAL_LENGTH}),
            pixels=(vr, self.length + (self.length & 1), self._parts()),
        )

    def _parts(self) -> Iterator[bytes]:
        with self.file as file:
            file.seek(0)
            while part := file.read(PART):
                yield part
        if self.length & 1:
            yield b"\0"


def decompressed(descriptor: int, transfer_syntax_uid: str, found: Survey) -> NativePixels:
    """Decode all frames of an open file; DataSetError if that is not possible."""
    image = image_of(found.values)
    if image.frames * image.frame_length >= UNDEFINED:
        raise DataSetError(f"{image.frames} frames are too much for native pixel data")
    # A descriptor of its own, as the decoders move the position of their file.
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(found.pixels_at or 0)
        frames = (
            _uncompressed_frames(file, image, found.values)
            if transfer_syntax_uid == ENCAPSULATED_UNCOMPRESSED
            else _decoded_frames(file, transfer_syntax_uid, image, found.values)
        )
        spool = tempfile.SpooledTemporaryFile[bytes](_IN_MEMORY)
        try:
            photometric = _write(spool, image, frames)
        except FAULTS as error:
            spool.close()
            reason = " ".join(str(error).split())
            raise DataSetError(f"pixel data cannot be decoded: {reason}") from error
        except BaseException:
            spool.close()
            raise
    return NativePixels(
        spool, image.frames * image.frame_length, photometric, image.samples, image.allocated
    )


def decoded_frame(
    codestream: bytes, transfer_syntax_uid: str, values: Mapping[int, bytes]
) -> bytes:
    """Return one compressed frame as native pixels; DataSetError if that is not possible."""
    from pydicom.encaps import encapsulate  # noqa: PLC0415  seldom needed

    image = image_of(values)._replace(frames=1)
    if image.frame_length > _LARGEST_FRAME:
        raise DataSetError(f"a frame of {image.frame_length:,} bytes is too large to be decoded")
    check_size(codestream, image)
    try:
        with BytesIO(encapsulate([codestream])) as file:
            frames = _decoded_frames(file, transfer_syntax_uid, image, {})
            native, _ = next(frames)
    except FAULTS as error:
        reason = " ".join(str(error).split())
        raise DataSetError(f"the frame cannot be decoded: {reason}") from error
    if len(native) != image.frame_length:
        raise DataSetError(f"the frame has {len(native)} bytes of {image.frame_length}")
    return native


def check_size(codestream: bytes, image: Image) -> None:
    """Raise DataSetError for a codestream of another size: decoders make room for what it says."""
    found = codestream_size(codestream)
    if found is not None and found != (image.rows, image.columns):
        raise DataSetError(
            f"a codestream of {found[0]} x {found[1]} pixels in an image of "
            f"{image.rows} x {image.columns}"
        )


def image_of(values: Mapping[int, bytes], widths: Container[int] = _ALLOCATED) -> Image:
    """Parse the attributes of an image; DataSetError for those without which none is.

    ``widths`` are the Bits Allocated that will do.
    """
    samples = _number(values, _SAMPLES_PER_PIXEL, 1)
    allocated = _number(values, _BITS_ALLOCATED)
    if allocated not in widths:
        raise DataSetError(f"{tag_text(_BITS_ALLOCATED)}: {allocated} bits", tag=_BITS_ALLOCATED)
    return Image(
        samples,
        values.get(_PHOTOMETRIC_INTERPRETATION, b"").decode("latin-1").strip(" \0"),
        _number(values, _PLANAR_CONFIGURATION, 0),
        _frames(values),
        _number(values, _ROWS),
        _number(values, _COLUMNS),
        allocated,
        _number(values, _BITS_STORED, allocated),
        _number(values, _PIXEL_REPRESENTATION, 0),
    )


def _number(values: Mapping[int, bytes], tag: int, default: int | None = None) -> int:
    data = values.get(tag, b"")
    if len(data) >= 2:
        return int.from_bytes(data[:2], "little")
    if default is None:
        raise DataSetError(f"{tag_text(tag)} is missing", tag=tag)
    return default


def _frames(values: Mapping[int, bytes]) -> int:
    text = values.get(_NUMBER_OF_FRAMES, b"").decode("latin-1").strip(" \0") or "1"
    if not text.isdecimal() or not int(text):
        raise DataSetError(f"{tag_text(_NUMBER_OF_FRAMES)}: {text!r} frames", tag=_NUMBER_OF_FRAMES)
    return int(text)


def _extended_offsets(values: Mapping[int, bytes]) -> tuple[bytes, bytes] | None:
    offsets, lengths = values.get(_EXTENDED_OFFSETS), values.get(_EXTENDED_LENGTHS)
    return (offsets, lengths) if offsets and lengths else None


def _decoded_frames(
    file: BinaryIO, transfer_syntax_uid: str, image: Image, values: Mapping[int, bytes]
) -> Iterator[tuple[bytes, str]]:
    """Yield the frames with their colours, in the width that Bits Allocated says."""
    from pydicom.pixels.decoders.base import get_decoder  # noqa: PLC0415  imports numpy

    options: dict[str, Any] = {
        "rows": image.rows,
        "columns": image.columns,
        "number_of_frames": image.frames,
        "samples_per_pixel": image.samples,
        "bits_allocated": image.allocated,
        "bits_stored": image.stored,
        "photometric_interpretation": image.photometric,
        "pixel_representation": image.signed,
        "planar_configuration": image.planar,
        "extended_offsets": _extended_offsets(values),
        # Overlays of the oldest files are in unused bits.
        "correct_unused_bits": False,
    }
    decoder = get_decoder(UID(transfer_syntax_uid))
    kind = f"<{'ui'[image.signed & 1]}{image.allocated // 8}"
    # Raw: the samples as the encoder had them, in its colours.
    for array, properties in decoder.iter_array(file, raw=True, **options):
        if array.dtype.itemsize * 8 > image.allocated:
            raise ValueError(
                f"samples of {array.dtype.itemsize * 8} bits, {image.allocated} bits allocated"
            )
        colours = str(properties["photometric_interpretation"])
        yield array.astype(kind, copy=False).tobytes(), _NATIVE_COLOUR.get(colours, colours)


def _uncompressed_frames(
    file: BinaryIO, image: Image, values: Mapping[int, bytes]
) -> Iterator[tuple[bytes, str]]:
    """Yield the frames of fragments that are not compressed, without their padding."""
    from pydicom.encaps import generate_frames  # noqa: PLC0415  seldom needed

    offsets = _extended_offsets(values)
    length = image.frame_length
    for frame in generate_frames(file, number_of_frames=image.frames, extended_offsets=offsets):
        is_padded = len(frame) == length + 1 and length & 1
        yield bytes(frame[:length] if is_padded else frame), image.photometric


def _write(spool: IO[bytes], image: Image, frames: Iterator[tuple[bytes, str]]) -> str:
    """Write all frames, and return their colours; ValueError if any is not as the others are."""
    photometric, count = "", 0
    for frame, colours in frames:
        count += 1
        if len(frame) != image.frame_length:
            raise ValueError(f"frame {count} has {len(frame)} bytes of {image.frame_length}")
        if count > image.frames:
            raise ValueError(f"more than {image.frames} frames")
        if photometric not in {"", colours}:
            raise ValueError(f"frame {count} is {colours}, earlier ones are {photometric}")
        photometric = colours
        spool.write(frame)
    if count < image.frames:
        raise ValueError(f"{count} frames of {image.frames}")
    return photometric
