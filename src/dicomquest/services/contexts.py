"""Presentation contexts as scripts build and read them (PS3.8 7.1.1.13)."""

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
"""The transfer syntaxes of a context that names none, in the acceptor's order of preference."""

ALL_TRANSFER_SYNTAXES = [
    *DEFAULT_TRANSFER_SYNTAXES,
    *(uid for uid in AllTransferSyntaxes if uid not in DEFAULT_TRANSFER_SYNTAXES),
]
"""All transfer syntaxes that pydicom knows, for instances that are stored as they come."""


def as_uid(text: str) -> UID:
    """Make a UID of any text, without pydicom's warning for an invalid one: peers send those."""
    return UID(text, config.IGNORE)


@dataclass(slots=True)
class PresentationContext:
    """An abstract syntax with its transfer syntaxes: proposed, supported, or as it was answered.

    - ``abstract_syntax`` is the SOP class, ``transfer_syntax`` the list of UIDs; the accepted
      context of an association has exactly one.
    - ``context_id`` is the odd number from 1 to 255 of a proposed context, None before that.
    - ``scu_role`` and ``scp_role`` are the roles that a server grants to requestors that ask for
      them (PS3.7 D.3.3.4); None leaves the default, the requestor as SCU.
    - ``result`` is None until the peer answered, then the one of PS3.8 Table 9-18: 0 accepted,
      1 rejected by the user, 2 by the provider, 3 for the abstract, 4 for the transfer syntaxes.
    - ``as_scu`` and ``as_scp`` say what this side may do on an accepted context.

    Build one with ``build_context``.
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
        """Offer or support one more transfer syntax, as the last choice; twice is once."""
        if syntax not in self.transfer_syntax:
            self.transfer_syntax.append(as_uid(syntax))


def build_context(
    abstract_syntax: str,
    transfer_syntax: str | Iterable[str] | None = None,
    *,
    context_id: int | None = None,
) -> PresentationContext:
    """Build a presentation context, with DEFAULT_TRANSFER_SYNTAXES unless others are given.

    ``transfer_syntax`` is one UID or several, the preferred one first. ValueError if the abstract
    syntax is no UID, or no transfer syntax is left.

    ```python
    from dicomquest import build_context
    from dicomquest.sop_class import Verification

    context = build_context(Verification, "1.2.840.10008.1.2")
    assert context.abstract_syntax.name == "Verification SOP Class"
    ```
    """
    if not (uid := as_uid(str(abstract_syntax))).is_valid:
        raise ValueError(
            f"{abstract_syntax!r} is no UID: give the UID of a SOP class as abstract syntax"
        )
    if transfer_syntax is None:
        syntaxes = list(DEFAULT_TRANSFER_SYNTAXES)
    else:
        given = [transfer_syntax] if isinstance(transfer_syntax, str) else transfer_syntax
        syntaxes = list(dict.fromkeys(as_uid(str(syntax)) for syntax in given))
    if not syntaxes:
        raise ValueError(f"no transfer syntax for {uid.name}: give at least one, or leave them out")
    return PresentationContext(uid, syntaxes, context_id)
