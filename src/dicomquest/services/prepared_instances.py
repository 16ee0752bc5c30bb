"""Instances opened and read ahead of their turn, in a thread of the server (PS3.4 C.4.2, C.4.3).

While some instances are on their way to the peer, a thread opens the next ones, chooses their
presentation contexts and reads their first bytes. Small instances are whole in these; of a large
one the rest is read piece by piece, each while the one before is sent. So memory holds some hundred
kilobytes, whatever the number and the size of the instances.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from dicomquest.errors import DataSetError, StoredInstanceError
from dicomquest.services.request import Run
from dicomquest.services.retrieve_source import InstanceSource, Selected, Sendable
from dicomquest.services.storage_link import Parts
from dicomquest.store.stored_instance import PIECE, reachable
from dicomquest.ul.negotiation import AcceptedContext

READ_AHEAD: Final = PIECE
"""Bytes that a thread reads at a time, an image of 512 x 512 pixels for one.

Its turn costs as much as reading some ten kilobytes.
"""

MOST_AHEAD: Final = 32
"""Instances that are open ahead of their turn, each with a file."""


@dataclass(slots=True, eq=False)
class Prepared:
    """An instance to send on one of some contexts, or the reason why it cannot be sent.

    ``contexts`` are those that were chosen from. ``first`` has the first bytes; ``rest`` gives
    those that follow, None if there are none.
    """

    selected: Selected
    contexts: Sequence[AcceptedContext]
    context: AcceptedContext | None = None
    first: bytes = b""
    rest: Iterator[bytes] | None = None
    failure: str = ""
    size: int = 0
    opened: Sendable | None = field(default=None, repr=False)

    async def parts(self, run: Run) -> Parts:
        """Give the data set; StoredInstanceError if the file fails meanwhile."""
        self.size = len(self.first)
        if self.rest is None:
            yield self.first, True
            return
        part, rest = self.first, self.rest
        while True:
            # One ahead, because only the end of the file tells which part is the last.
            following = await run(read_part, rest)
            self.size += len(following)
            yield part, not following
            if not following:
                return
            part = following

    def close(self) -> None:
        """Let go of the file."""
        if self.opened is not None:
            self.opened.close()


def read_part(pieces: Iterator[bytes]) -> bytes:
    """Return the next pieces together, nothing at the end."""
    parts: list[bytes] = []
    size = 0
    while size < READ_AHEAD:
        piece = next(pieces, None)
        if piece is None:
            break
        parts.append(piece)
        size += len(piece)
    return b"".join(parts)


def prepare(selected: Selected, contexts: Sequence[AcceptedContext]) -> Prepared:
    """Open an instance, choose its context, and read its first bytes; in any thread."""
    prepared = Prepared(selected, contexts)
    try:
        opened = prepared.opened = selected.open()
        stored = opened.transfer_syntax_uid
        context = prepared.context = chosen_context(opened.sop_class_uid, stored, contexts)
        if context is None:
            prepared.failure = why_no_context(opened.sop_class_uid, stored, contexts)
        else:
            pieces = opened.pieces(context.transfer_syntax)
            prepared.first = read_part(pieces)
            if len(prepared.first) >= READ_AHEAD:
                prepared.rest = pieces
    except (StoredInstanceError, DataSetError) as error:
        prepared.failure = str(error)
    if prepared.failure or prepared.rest is None:
        prepared.close()
    return prepared


def chosen_context(
    sop_class_uid: str, stored: str, contexts: Sequence[AcceptedContext]
) -> AcceptedContext | None:
    """Return the context that suits an instance best: the stored syntax first, then the ladder."""
    own = [each for each in contexts if each.abstract_syntax == sop_class_uid]
    for syntax in (stored, *reachable(stored)) if own else ():
        for context in own:
            if context.transfer_syntax == syntax:
                return context
    return None


def why_no_context(sop_class_uid: str, stored: str, contexts: Sequence[AcceptedContext]) -> str:
    """Say why an instance fits no context."""
    own = [each.transfer_syntax for each in contexts if each.abstract_syntax == sop_class_uid]
    if not own:
        return f"the destination has no accepted context for its SOP class {sop_class_uid}"
    accepted = ", ".join(dict.fromkeys(own))
    return f"stored in {stored}, which cannot become what the destination accepts: {accepted}"


def _prepare_several(
    waiting: Sequence[Selected], contexts: Sequence[AcceptedContext]
) -> list[Prepared]:
    """Prepare the first of these, as many as the bounds allow."""
    prepared: list[Prepared] = []
    size = 0
    for selected in waiting[:MOST_AHEAD]:
        prepared.append(prepare(selected, contexts))
        size += len(prepared[-1].first)
        if size >= READ_AHEAD:
            break
    return prepared


class PreparedInstances:
    """The instances of a source in their order, prepared some at a time."""

    def __init__(
        self, source: InstanceSource, run: Run, is_wanted: Callable[[Selected], bool]
    ) -> None:
        """Prepare those that are wanted; ``run`` runs blocking code in a thread."""
        self._source = source
        self._run = run
        self._is_wanted = is_wanted
        self._waiting: deque[Selected] = deque()
        self._is_exhausted = False

    async def next(self, contexts: Sequence[AcceptedContext]) -> list[Prepared]:
        """Return the next instances, prepared for these contexts; none at the end."""
        if not await self._fill():
            return []
        first = [self._waiting[place] for place in range(min(MOST_AHEAD, len(self._waiting)))]
        prepared = await self._run(_prepare_several, first, contexts)
        for _ in prepared:
            self._waiting.popleft()
        return prepared

    async def unprepared(self) -> list[Selected]:
        """Return the next instances as they were selected, to be given up; none at the end."""
        await self._fill()
        page = list(self._waiting)
        self._waiting.clear()
        return page

    async def _fill(self) -> bool:
        """Have some instances wait for their turn; False at the end."""
        while not self._waiting and not self._is_exhausted:
            page = await self._source.next()
            self._is_exhausted = not page
            self._waiting.extend(filter(self._is_wanted, page))
        return bool(self._waiting)
