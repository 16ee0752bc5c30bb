"""The association and its two sides, under pynetdicom's module name (PS3.8 7)."""

from __future__ import annotations

from typing import Never

from dicomquest.absent_names import no_name
from dicomquest.services.request import ServiceUser
from dicomquest.sync import Association

__all__ = ["Association", "ServiceUser"]


def __getattr__(name: str) -> Never:
    raise no_name(__name__, name)
