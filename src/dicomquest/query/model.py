"""A C-FIND identifier, understood: what must match and what is returned (PS3.4 C.4.1.1.3, C.4.1.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dicomquest.query.criteria import Criterion
    from dicomquest.query.options import QueryOptions
    from dicomquest.standard.levels import Level
    from dicomquest.standard.models import InformationModel


class Step(NamedTuple):
    """An attribute within one data set or item.

    A private one is named by its creator, and its tag has block number 0 (``gggg00ee``): the block is the data set's
    affair.
    """

    tag: int
    creator: str | None = None

    @property
    def text(self) -> str:
        """The step in a path of the value tables: eight upper-case hex digits, a private creator behind a colon."""
        return f"{self.tag:08X}" if self.creator is None else f"{self.tag:08X}:{self.creator}"


def path_text(path: tuple[Step, ...]) -> str:
    """A path as the value tables write it: its steps joined by dots."""
    return ".".join(step.text for step in path)


class KeyCriterion(NamedTuple):
    """One key that restricts the result; ``path`` runs from the data set's root, sequences first.

    ``level`` is the entity that owns the attribute: above the query level it is an ancestor's, below it some descendant
    must match (all keys below the query level in one chain of descendants). ``or_unknown``: an empty stored value
    matches too.
    """

    path: tuple[Step, ...]
    level: Level
    vr: str
    criterion: Criterion
    or_unknown: bool = False

    @property
    def tag(self) -> int:
        """The tag of the attribute itself, the last of the path."""
        return self.path[-1].tag


class ReturnKey(NamedTuple):
    """One attribute of every response; ``tag`` is as the request has it, with its block number if it is private.

    A NamedTuple, because what is cached by shape hashes a dozen of them for each query.

    ``item_keys`` are the attributes asked for in the items of a sequence (None: the whole items), ``item_criteria``
    what an item must meet to be returned (C.2.2.2.6).
    """

    tag: int
    vr: str
    level: Level
    creator: str | None = None
    item_keys: tuple[ReturnKey, ...] | None = None
    item_criteria: tuple[KeyCriterion, ...] = ()

    @property
    def step(self) -> Step:
        """The attribute as a step, to be found in a stored data set."""
        return (
            Step(self.tag, None)
            if self.creator is None
            else Step(self.tag & 0xFFFF00FF, self.creator)
        )


class IgnoredKey(NamedTuple):
    """A key of the request that does not act as asked, and why; ``path`` holds the tags as sent."""

    path: tuple[int, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Query:
    """One query. Responses hold exactly ``return_keys``, ``private_creators``, the level, and what the service adds.

    ``return_keys`` (ascending by tag) has the requested attributes and the unique keys of the query level and above.
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
