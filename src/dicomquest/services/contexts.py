"""Presentation contexts as scripts build and read them (PS3.8 7.1.1.13), in the shape that pynetdicom's users know."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pydicom import config
from pydicom.uid import UID, AllTransferSyntaxes

from dicomquest.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)

DEFAULT_TRANSFER_SYNTAXES = [
    UID(uid)
    for uid in (
        EXPLICIT_VR_LITTLE_ENDIAN,
        IMPLICIT_VR_LITTLE_ENDIAN,
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_BIG_ENDIAN,
    )
]
"""What a context offers or supports unless told otherwise; the order is the acceptor's preference."""

ALL_TRANSFER_SYNTAXES = [
    *DEFAULT_TRANSFER_SYNTAXES,
    *(uid for uid in AllTransferSyntaxes if uid not in DEFAULT_TRANSFER_SYNTAXES),
]
"""Every transfer syntax that pydicom knows, for instances that are stored as they come."""


def as_uid(text: str) -> UID:
    """Make a UID of what may be none, without a warning: peers send all kinds of things."""
    return UID(text, config.IGNORE)


@dataclass(slots=True)
class PresentationContext:
    """An abstract syntax with the transfer syntaxes to use for it, to be proposed, supported, or as it was answered.

    ``result`` is None until it was answered, then that of PS3.8 Table 9-18 (0 accepted); ``transfer_syntax`` of an
    accepted context has one value. ``as_scu`` and ``as_scp`` say what this side may do on an accepted context.
    """

    abstract_syntax: UID
    transfer_syntax: list[UID] = field(default_factory=lambda: list(DEFAULT_TRANSFER_SYNTAXES))
    context_id: int | None = None
    scu_role: bool | None = None
    scp_role: bool | None = None
    result: int | None = None
    as_scu: bool = False
    as_scp: bool = False

    def add_transfer_syntax(self, syntax: str) -> None:
        """Offer or support one more transfer syntax."""
        if syntax not in self.transfer_syntax:
            self.transfer_syntax.append(as_uid(syntax))


def build_context(
    abstract_syntax: str,
    transfer_syntax: str | Iterable[str] | None = None,
    *,
    context_id: int | None = None,
) -> PresentationContext:
    """Build a context; without transfer syntaxes it has DEFAULT_TRANSFER_SYNTAXES."""
    if not (uid := as_uid(str(abstract_syntax))).is_valid:
        raise ValueError(
            f"{abstract_syntax!r} is no UID, expected the abstract syntax of a presentation context"
        )
    if transfer_syntax is None:
        syntaxes = list(DEFAULT_TRANSFER_SYNTAXES)
    else:
        given = [transfer_syntax] if isinstance(transfer_syntax, str) else transfer_syntax
        syntaxes = list(dict.fromkeys(as_uid(str(syntax)) for syntax in given))
    if not syntaxes:
        raise ValueError(
            f"no transfer syntax for the abstract syntax {uid.name}, expected at least one"
        )
    return PresentationContext(uid, syntaxes, context_id)
