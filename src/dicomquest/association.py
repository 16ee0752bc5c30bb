"""The association and its two sides, under pynetdicom's module name (PS3.8 7)."""

from __future__ import annotations

from dicomquest.services.request import ServiceUser
from dicomquest.sync import Association

__all__ = ["Association", "ServiceUser"]
