"""The settings that say who may ask (PS3.8 9.3.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dicomquest.cli.shared_options import setting


@dataclass(frozen=True)
class AccessSettings:
    """The conditions of an association."""

    TABLE: ClassVar[str] = "access"

    check_aet: bool = setting(
        False, "Refuse associations that call another AE title.", is_flag=True
    )
