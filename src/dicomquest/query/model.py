"""A C-FIND identifier as a query: what must match, what is returned (PS3.4 C.4.1.1.3, C.4.1.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from dicomquest.query.criteria import KeyCriterion, Step
from dicomquest.standard.tags import without_block

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicomquest.query.options import QueryOptions
    from dicomquest.query.records import Records
    from dicomquest.query.study_listing import StudyListing
    from dicomquest.standard.levels import Level
    from dicomquest.standard.models import InformationModel

T = TypeVar("T")


# A NamedTuple, not a dataclass: each query looks its selection up by a dozen of these in a cache,
# and a tuple hashes in C.
class ReturnKey(NamedTuple):
    """One attribute of every response; ``tag`` is the request's, a private one with its block.

    ``item_keys``: the attributes asked for in the items of a sequence (None: whole items).
    ``item_criteria``: the keys that an item must meet to be returned (C.2.2.2.6).
    """

    tag: int
    vr: str
    level: Level
    creator: str | None = None
    item_keys: tuple[ReturnKey, ...] | None = None
    item_criteria: tuple[KeyCriterion, ...] = ()

    @property
    def step(self) -> Step:
        """The attribute as a step, by which a stored data set has it."""
        return (
            Step(self.tag, None)
            if self.creator is None
            else Step(without_block(self.tag), self.creator)
        )


class IgnoredKey(NamedTuple):
    """A key of the request that does not act as asked, and why; ``path`` holds the tags as sent."""

    path: tuple[int, ...]
    reason: str


class Page(NamedTuple):
    """A part of all matches in a lasting order: ``limit`` after ``offset`` (PS3.18 8.3.4.4).

    Studies come newest first, series and instances by their numbers. Without a limit or an offset
    there is no better order than that of the index.
    """

    limit: int | None = None
    offset: int = 0

    @property
    def is_part(self) -> bool:
        """Tell whether some matches may be left out."""
        return self.limit is not None or self.offset > 0

    def of(self, rows: Sequence[T], before: int) -> Sequence[T]:
        """Return those of some matches that are of the page; ``before`` came before them."""
        first = max(0, self.offset - before)
        last = None if self.limit is None else max(0, self.offset + self.limit - before)
        return rows[first:last]


@dataclass(frozen=True, slots=True)
class Query:
    """One query, as ``parse_identifier`` makes it of an identifier.

    Responses hold exactly ``return_keys``, ``private_creators``, the level, and the elements that
    the service adds. ``return_keys`` ascend by tag: the requested attributes, and the unique keys
    of the query level and above. ``private_creators`` has the tag and the text of each creator.

    ``pending_status`` is FF00, or FF01 if some key is not supported (C.4.1.1.4); ``ignored`` says
    which, ``notes`` tell of deviations that were read leniently. ``charset_terms`` is the Specific
    Character Set of the request, ``timezone_offset_minutes`` its zone in minutes east of UTC.

    ``visible`` is the filter of the one who asks (``query.visibility``): only what meets it exists.

    ``in_order`` sorts instances by study, series and their numbers, which the first row waits for.
    ``page`` is the part of the matches that is wanted; None for all of them in any order.
    ``listing`` is a part of the studies in an order that goes on from any of them.
    ``shown_to`` is the called AE title, which entries of another worklist are hidden from;
    ``hidden_steps`` are the statuses of scheduled steps whose entries are hidden from all.
    ``records`` is a part of the matches in the order of their rows (PS3.4 C.6.4).
    """

    model: InformationModel
    level: Level
    criteria: tuple[KeyCriterion, ...]
    return_keys: tuple[ReturnKey, ...]
    options: QueryOptions
    pending_status: int = 0xFF00
    ignored: tuple[IgnoredKey, ...] = ()
    notes: tuple[str, ...] = ()
    private_creators: tuple[tuple[int, str], ...] = ()
    wants_availability: bool = False
    charset_terms: tuple[str, ...] = ()
    timezone_offset_minutes: int | None = None
    visible: tuple[KeyCriterion, ...] = ()
    in_order: bool = False
    page: Page | None = None
    listing: StudyListing | None = None
    shown_to: str | None = None
    hidden_steps: tuple[str, ...] = ()
    records: Records | None = None

    @property
    def level_name(self) -> str:
        """The name of the level; empty for a model without levels."""
        return self.level.name if self.model.levels else ""

    @property
    def entities(self) -> str:
        """The word for what the query finds."""
        return self.level.entities if self.model.levels else self.model.entities
