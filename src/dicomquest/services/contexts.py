"""Presentation contexts as scripts build and read them (PS3.8 7.1.1.13)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pydicom import config
from pydicom.uid import UID, AllTransferSyntaxes

from dicomquest.pdu.items import MAXIMUM_CONTEXTS
from dicomquest.pdu.pdus import AAssociateAC, AAssociateRQ
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


def _given_uid(value: str | bytes) -> UID:
    return as_uid(value.decode("ascii") if isinstance(value, bytes) else str(value))


RESULTS = {
    None: "Pending",
    0: "Accepted",
    1: "User Rejected",
    2: "Provider Rejected",
    3: "Abstract Syntax Not Supported",
    4: "Transfer Syntax(es) Not Supported",
}
"""The results of a negotiated context, in the words that scripts compare (PS3.8 Table 9-18)."""


NO_UID = UID("")
"""The abstract syntax of a context that is not filled in yet."""


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

    Build one with ``build_context``, or fill in an empty one: UIDs may be set as text.
    """

    abstract_syntax: UID = NO_UID
    transfer_syntax: list[UID] = field(default_factory=list)
    context_id: int | None = None
    scu_role: bool | None = None
    scp_role: bool | None = None
    result: int | None = None
    as_scu: bool = False
    as_scp: bool = False

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "abstract_syntax":
            value = _given_uid(value)
        elif name == "transfer_syntax":
            value = [_given_uid(each) for each in ([value] if isinstance(value, str) else value)]
        object.__setattr__(self, name, value)

    @property
    def status(self) -> str:
        """The result in words (PS3.8 Table 9-18)."""
        return RESULTS.get(self.result, "Unknown")

    def __str__(self) -> str:
        lines = [] if self.context_id is None else [f"ID: {self.context_id}"]
        if self.abstract_syntax:
            lines.append(f"Abstract Syntax: {self.abstract_syntax.name}")
        lines.append("Transfer Syntax(es):")
        lines += [f"    ={syntax.name}" for syntax in self.transfer_syntax] or ["    (none)"]
        if self.result is not None:
            lines.append(f"Result: {self.status}")
        if self.result == 0:
            roles = {"SCU": self.as_scu, "SCP": self.as_scp}
            held = [role for role, is_held in roles.items() if is_held]
            lines.append(f"Role: {' and '.join(held)}{' only' if len(held) == 1 else ''}")
        return "\n".join(lines)

    def add_transfer_syntax(self, syntax: str) -> None:
        """Offer or support one more transfer syntax, as the last choice; twice is once."""
        if syntax not in self.transfer_syntax:
            self.transfer_syntax.append(_given_uid(syntax))


def rejected_contexts(rq: object, ac: object) -> list[PresentationContext]:
    """List the proposed contexts that an A-ASSOCIATE-AC does not accept, with its results."""
    if not (isinstance(rq, AAssociateRQ) and isinstance(ac, AAssociateAC)):
        return []
    results = {answer.context_id: answer.result for answer in ac.presentation_contexts}
    return [
        PresentationContext(
            as_uid(proposed.abstract_syntax),
            [as_uid(syntax) for syntax in proposed.transfer_syntaxes],
            proposed.context_id,
            # Contexts without a result count as rejected by the provider (PS3.8 9.3.3.2).
            result=results.get(proposed.context_id, 2),
        )
        for proposed in rq.presentation_contexts
        if results.get(proposed.context_id) != 0
    ]


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


def checked_contexts(contexts: Iterable[PresentationContext]) -> list[PresentationContext]:
    """Return contexts that may be proposed; ValueError for too many, or for one unfinished."""
    contexts = list(contexts)
    if len(contexts) > MAXIMUM_CONTEXTS:
        raise ValueError(
            f"{len(contexts)} presentation contexts: an association has room for {MAXIMUM_CONTEXTS}"
        )
    for context in contexts:
        if not context.abstract_syntax or not context.transfer_syntax:
            raise ValueError(
                "a presentation context without abstract or transfer syntax: set both before use"
            )
    return contexts


def keeps_any(context: PresentationContext, removed: str | Iterable[str] | None) -> bool:
    """Take transfer syntaxes from a context; False if it keeps none, None takes all."""
    gone = {removed} if isinstance(removed, str) else removed and set(removed)
    kept = [syntax for syntax in context.transfer_syntax if gone and syntax not in gone]
    context.transfer_syntax = kept
    return bool(kept)
