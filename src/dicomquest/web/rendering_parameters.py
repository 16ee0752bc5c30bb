"""The query parameters of rendered resources (PS3.18 8.3.5.1)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dicomquest.store.rendering_job import Region
from dicomquest.web.refusals import RefusalError

_FUNCTIONS: Final = {"linear": "LINEAR", "linear-exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}
_LONGEST: Final = 200
"""Characters of a parameter; six numbers have no more."""


@dataclass(frozen=True, slots=True)
class RenderingParameters:
    """The picture that is asked for; ``warnings`` say which wishes it does not follow."""

    region: Region | None = None
    window: tuple[float, float, str] | None = None
    quality: int | None = None
    has_profile: bool = False
    warnings: tuple[str, ...] = ()


def rendering_parameters(
    parameters: Sequence[tuple[str, str]], *, most_pixels: int
) -> RenderingParameters:
    """Return the parameters of a request; RefusalError 400 for one that says nothing."""
    given = {name: value[:_LONGEST] for name, value in reversed(parameters) if value}
    warnings = []
    if "annotation" in given:
        warnings.append("Image annotation is not supported.")
    profile = given.get("iccprofile", "no").lower()
    if profile not in {"no", "yes"}:
        warnings.append("Colour profiles other than that of the image are not supported.")
    return RenderingParameters(
        _region(given["viewport"], most_pixels) if "viewport" in given else None,
        _window(given["window"]) if "window" in given else None,
        _quality(given["quality"]) if "quality" in given else None,
        profile == "yes",
        tuple(warnings),
    )


def _region(text: str, most_pixels: int) -> Region:
    """Return a viewport: its size, and the left upper corner and size of a region."""
    texts = [each.strip() for each in text.split(",")]
    numbers = [_whole(each) if each else 0 for each in texts]
    found = [each for each in numbers if each is not None]
    is_whole = len(found) == len(texts) and len(texts) in {2, 4, 6}
    if not is_whole or min(found[:2]) < 1 or min([0, *found[2:4]]) < 0:
        raise RefusalError(
            400,
            "viewport is width,height in pixels, or width,height,x,y,columns,rows of a region: "
            "write viewport=512,512",
        )
    if found[0] * found[1] > most_pixels:
        raise RefusalError(400, f"the viewport has more than {most_pixels:,} pixels")
    return Region(*found)


def _window(text: str) -> tuple[float, float, str]:
    """Return centre, width and function of a window; the function may be left out."""
    texts = [each.strip() for each in text.split(",")]
    function = _FUNCTIONS.get(texts[2].lower().replace("_", "-")) if len(texts) == 3 else "LINEAR"
    try:
        centre, width = (float(each) for each in texts[:2])
    except ValueError:
        centre = width = math.nan
    is_window = math.isfinite(centre) and math.isfinite(width) and len(texts) in {2, 3}
    if function is None or not is_window or width < (1 if function == "LINEAR" else 1e-9):
        raise RefusalError(
            400,
            "window is centre,width,function, and the function is linear, linear-exact or "
            "sigmoid: write window=40,400,linear",
        )
    return centre, width, function


def _quality(text: str) -> int:
    found = _whole(text.strip())
    if found is None or not 1 <= found <= 100:
        raise RefusalError(400, "quality is a number from 1 to 100: write quality=80")
    return found


def _whole(text: str) -> int | None:
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdecimal() and len(digits) < 10 else None
