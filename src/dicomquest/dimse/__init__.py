"""DIMSE without I/O: command sets, fragments, and operations (PS3.7, PS3.8 Annex E)."""

from __future__ import annotations

from typing import Never

from dicomquest.absent_names import no_name


def __getattr__(name: str) -> Never:
    raise no_name(__name__, name)
