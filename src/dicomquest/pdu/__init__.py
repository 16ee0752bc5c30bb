"""PDUs and their items as values and as bytes: pure functions (PS3.8 9.3, Annex D)."""

from __future__ import annotations

from typing import Never

from dicomquest.absent_names import no_name


def __getattr__(name: str) -> Never:
    raise no_name(__name__, name)
