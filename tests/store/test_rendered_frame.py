"""Pictures of pydicom's sample files are those that pydicom and numpy make of them."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_windowing
from pydicom.pixels.utils import pixel_array

from dicomquest.errors import DataSetError
from dicomquest.store.rendered_frame import RegionError, Renderer
from dicomquest.store.rendering_job import Region, RenderingJob
from dicomquest.store.stored_frames import StoredFrames
from dicomquest.store.stored_instance import StoredInstance
from fixtures.shipped_files import SHIPPED

RENDERER = Renderer(StoredFrames())
COLOUR = Path(str(get_testdata_file("examples_ybr_color.dcm")))


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def job(path: Path, **changes: Any) -> RenderingJob:
    uid = str(dcmread(path, stop_before_pixels=True, force=True).SOPInstanceUID)
    with StoredInstance.open(str(path), uid) as stored:
        state = stored.state
    wanted = {"frame": 1, "media_type": "image/png", "most_pixels": 10_000_000, **changes}
    return RenderingJob(str(path), uid, state, **wanted)


def rendered(path: Path, **changes: Any) -> NDArray[Any]:
    picture = Image.open(io.BytesIO(RENDERER.render(job(path, **changes))))
    return np.asarray(picture.convert("RGB" if picture.mode == "P" else picture.mode))


def images() -> list[Path]:
    found = []
    for path in SHIPPED:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                pixel_array(path, index=0)
                with StoredInstance.open(str(path), str(dcmread(path).SOPInstanceUID)):
                    found.append(path)
            except Exception:  # noqa: BLE001  pydicom's own files are odd in many ways
                continue
    return found


IMAGES = images()


def expected(path: Path) -> NDArray[Any]:
    dataset = dcmread(path)
    array = pixel_array(path, index=0)
    if dataset.original_encoding == (False, False) and dataset.BitsAllocated == 32:
        # pydicom turns round whole samples of OW, which has words of 16 bits (PS3.5 6.2).
        array = (array << 16) | (array >> 16)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        return np.asarray(apply_color_lut(array, dataset) >> 8)
    if array.ndim == 3:
        return np.asarray(array >> (dataset.BitsStored - 8))
    shown = apply_modality_lut(array, dataset).astype(np.float64)
    if "WindowCenter" in dataset:
        # The same window over sixteen bits, so that its ends are known.
        plain = Dataset()
        plain.PhotometricInterpretation, plain.BitsStored = "MONOCHROME2", 16
        plain.PixelRepresentation = 0
        plain.WindowCenter, plain.WindowWidth = dataset.WindowCenter, dataset.WindowWidth
        shown = apply_windowing(shown.astype("f8"), plain) / 65535
    else:
        padding = dataset.get("PixelPaddingValue")
        kept = shown if padding is None else shown[array != padding]
        low, high = kept.min(), kept.max()
        shown = np.clip((shown - low) / max(high - low, 1e-9), 0, 1)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        shown = 1 - shown
    return np.asarray(shown * 255)


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_a_picture_is_that_of_pydicom(path: Path) -> None:
    found, wanted = rendered(path), expected(path)
    assert found.shape == wanted.shape
    assert np.abs(found.astype("f8") - wanted).max() <= 1


def test_most_sample_files_are_images() -> None:
    assert len(IMAGES) > 80
    kinds = {str(dcmread(path).PhotometricInterpretation) for path in IMAGES}
    assert kinds >= {"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL_422"}


@pytest.mark.parametrize("kind", ["image/jpeg", "image/gif"])
def test_other_types_show_the_same(kind: str) -> None:
    data = RENDERER.render(job(COLOUR, media_type=kind))
    picture = Image.open(io.BytesIO(data))
    assert picture.get_format_mimetype() == kind
    shown = np.asarray(picture.convert("RGB")).astype("f8")
    assert np.abs(shown - rendered(COLOUR)).mean() < 6


def test_quality_makes_a_file_larger() -> None:
    sizes = [
        len(RENDERER.render(job(COLOUR, media_type="image/jpeg", quality=each)))
        for each in (5, 50, 95)
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] * 3 < sizes[2]


def test_frames_are_told_apart() -> None:
    assert (rendered(COLOUR, frame=30) != rendered(COLOUR, frame=1)).any()
    assert (rendered(COLOUR, frame=30) == pixel_array(COLOUR, index=29)).all()


@pytest.mark.parametrize(
    ("region", "size"),
    [
        (Region(160, 160), (160, 120)),
        (Region(640, 2000), (640, 480)),
        (Region(100, 100, 10, 20, 50, 100), (50, 100)),
        (Region(50, 50, 0, 0, -320, -240), (50, 38)),
        (Region(1, 1), (1, 1)),
    ],
)
def test_a_region_is_fitted_in_the_viewport(region: Region, size: tuple[int, int]) -> None:
    found = rendered(COLOUR, region=region)
    assert found.shape[1::-1] == size


def test_negative_sizes_turn_the_picture() -> None:
    plain = rendered(COLOUR)
    for columns, rows, turned in ((-320, 240, plain[:, ::-1]), (320, -240, plain[::-1])):
        assert (rendered(COLOUR, region=Region(320, 240, 0, 0, columns, rows)) == turned).all()


@pytest.mark.parametrize("region", [Region(9, 9, 320, 0), Region(9, 9, 0, 0, 321, 1)])
def test_a_region_must_be_in_the_image(region: Region) -> None:
    with pytest.raises(RegionError, match="320 x 240 pixels"):
        rendered(COLOUR, region=region)


def test_a_window_can_be_asked_for() -> None:
    path = Path(str(get_testdata_file("CT_small.dcm")))
    bone, soft = (rendered(path, window=(each, 400, "LINEAR")) for each in (800.0, 40.0))
    assert bone.mean() < soft.mean()


def test_a_profile_is_kept_if_asked_for() -> None:
    path = Path(str(get_testdata_file("examples_jpeg2k.dcm")))
    own = dcmread(path).get("ICCProfile")
    for wanted in (False, True):
        picture = Image.open(io.BytesIO(RENDERER.render(job(path, has_profile=wanted))))
        assert picture.info.get("icc_profile") == (own if wanted else None)


def test_a_video_has_no_picture(tmp_path: Path) -> None:
    path = Path(str(get_testdata_file("rtplan.dcm")))
    with pytest.raises(DataSetError, match="no image"):
        rendered(path)
