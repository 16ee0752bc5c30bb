"""A picture to be made of a frame, as it goes to the process that makes it (PS3.18 8.3.5)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import Enum
from importlib.util import find_spec
from typing import NamedTuple, Self


class RenderingFault(Enum):
    """The reasons why there is no picture."""

    TOO_LARGE = "too large"
    TOO_SLOW = "too slow"
    NOT_DECODABLE = "not decodable"
    NO_REGION = "no region"
    NO_FILE = "no file"


class Region(NamedTuple):
    """A viewport, and the region of the image in it; 0 rows or columns are all that follow."""

    width: int
    height: int
    left: int = 0
    top: int = 0
    columns: int = 0
    rows: int = 0


@dataclass(frozen=True, slots=True)
class RenderingJob:
    """A frame of a file with the picture that is wanted; ``window`` are centre, width, function.

    ``state`` is that of the file whose picture it is to be.
    """

    path: str
    sop_instance_uid: str
    state: tuple[int, int]
    frame: int
    media_type: str
    most_pixels: int
    quality: int = 90
    region: Region | None = None
    window: tuple[float, float, str] | None = None
    has_profile: bool = False

    def to_json(self) -> bytes:
        """Return the job as a message; a path may have bytes that are no UTF-8."""
        return json.dumps(asdict(self)).encode("ascii")

    @classmethod
    def from_json(cls, message: bytes) -> Self:
        """Return the job of a message."""
        found = json.loads(message)
        region, window = found.pop("region"), found.pop("window")
        found["state"] = tuple(found["state"])
        return cls(
            **found,
            region=None if region is None else Region(*region),
            window=None if window is None else tuple(window),
        )


def can_render() -> bool:
    """Tell whether the modules that make pictures are installed, which the extra images has."""
    return all(find_spec(each) is not None for each in ("numpy", "PIL"))
