"""The process that renders frames for a server: hostile bytes crash or fill it alone (PS3.18 10.4).

Each message is a length and a job; each answer is a length, a fault or nothing, and the picture.
"""

from __future__ import annotations

import logging
import os
import select
import struct
import sys
import warnings
from contextlib import suppress
from typing import BinaryIO, Final

LENGTH: Final = struct.Struct(">I")
_IDLE: Final = 60.0
"""Seconds without a job after which the process ends: a page opens once in a while."""
_OVERHEAD: Final = 1 << 30
"""Bytes of address space of the interpreter, its modules and the decoders' libraries."""
_BYTES_A_PIXEL: Final = 32
"""Bytes of a pixel in all forms that it has at a time: codestream, samples, colours, picture."""


def main() -> None:
    """Answer jobs until the server is gone; its first argument is the most pixels of an image."""
    # Libraries print: the answers have a descriptor of their own.
    answers = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for each in (1, 2):
        os.dup2(null, each)
    _confine(int(sys.argv[1]))
    warnings.simplefilter("ignore")
    logging.disable()
    from dicomquest.store.rendered_frame import Renderer  # noqa: PLC0415  after the limits
    from dicomquest.store.stored_frames import StoredFrames  # noqa: PLC0415

    jobs = sys.stdin.buffer
    renderer = Renderer(StoredFrames())
    while select.select([jobs], [], [], _IDLE)[0]:
        message = _read(jobs)
        if message is None:
            return
        fault, picture = _answer(renderer, message)
        answers.write(LENGTH.pack(len(fault)) + fault + LENGTH.pack(len(picture)) + picture)
        answers.flush()


def _answer(renderer: object, message: bytes) -> tuple[bytes, bytes]:
    """Return the fault with its words, and the picture; one of both is empty."""
    from dicomquest.errors import (  # noqa: PLC0415
        DamagedInstanceError,
        DicomquestError,
        StoredInstanceError,
    )
    from dicomquest.store.frame_samples import TooManyPixelsError  # noqa: PLC0415
    from dicomquest.store.rendered_frame import RegionError, Renderer  # noqa: PLC0415
    from dicomquest.store.rendering_job import RenderingFault, RenderingJob  # noqa: PLC0415

    assert isinstance(renderer, Renderer)  # noqa: S101  main makes it
    try:
        return b"", renderer.render(RenderingJob.from_json(message))
    except TooManyPixelsError as error:
        fault, words = RenderingFault.TOO_LARGE, str(error)
    except RegionError as error:
        fault, words = RenderingFault.NO_REGION, str(error)
    except DamagedInstanceError as error:
        fault, words = RenderingFault.NOT_DECODABLE, str(error)
    except StoredInstanceError as error:
        fault, words = RenderingFault.NO_FILE, str(error)
    except DicomquestError as error:
        fault, words = RenderingFault.NOT_DECODABLE, str(error)
    except MemoryError:
        fault, words = RenderingFault.TOO_LARGE, "its decoder wants more memory than it may have"
    except Exception as error:  # noqa: BLE001  a decoder raises what it likes
        fault, words = RenderingFault.NOT_DECODABLE, f"{type(error).__name__}: {error}"
    return f"{fault.value}\n{words}".encode("utf-8", "replace"), b""


def _read(jobs: BinaryIO) -> bytes | None:
    """Return the next message, None at the end."""
    head = jobs.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    return jobs.read(LENGTH.unpack(head)[0])


def _confine(most_pixels: int) -> None:
    """Bound the memory of the process where the system can."""
    try:
        import resource  # noqa: PLC0415  not everywhere
    except ImportError:
        return
    most = _OVERHEAD + _BYTES_A_PIXEL * most_pixels
    # A lower limit of the service's own stays.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
