"""The words in which an AE shows its contexts and associations (PS3.8 3.5.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dicomquest.services.contexts import PresentationContext
from dicomquest.sync import Association

if TYPE_CHECKING:
    from dicomquest.aio.acceptor import AcceptedAssociation


def context_lines(what: str, contexts: Iterable[PresentationContext]) -> list[str]:
    """Return a heading, and a line for each abstract and transfer syntax."""
    lines = []
    for context in contexts:
        lines.append(f"\t{context.abstract_syntax.name}")
        lines += [f"\t\t{syntax.name}" for syntax in context.transfer_syntax]
    return ["", f"  {what} Presentation Contexts:", *(lines or ["\tNone"])]


def association_lines(active: Iterable[AcceptedAssociation | Association], most: int) -> list[str]:
    """Return how many associations are active, and a line for the peer of each."""
    peers = [each.requestor if each.is_acceptor else each.acceptor for each in active]
    lines = [f"\tPeer: {peer.ae_title} on {peer.address}:{peer.port}" for peer in peers]
    return ["", f"  Association(s): {len(peers)}/{most}", *lines]
