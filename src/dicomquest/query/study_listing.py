"""The list of studies that a person scrolls: its order, and the place where it goes on.

A list goes on behind the sort values of its last row, not behind a number of rows. So none comes
twice and none is missed when studies arrive, and the end costs no more than the start.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dicomquest.dataset.response_fields import Field, Row


class SortBy(Enum):
    """The value that studies are sorted by: each has an index. ``RECEIVED`` is never empty."""

    DATE = "date"
    NAME = "name"
    RECEIVED = "received"


@dataclass(frozen=True, slots=True)
class StudyOrder:
    """An order of studies, total by the UID at its end; studies without the value come last.

    By date come date and time, by name the folded alphabetic name, the Patient ID, and the latest
    study; ``RECEIVED`` is the order in which the studies' first instances came. A name of several
    values counts as none: the attribute has one (PS3.3 C.7.1.1).
    """

    by: SortBy = SortBy.DATE
    is_descending: bool = True


@dataclass(frozen=True, slots=True)
class Position:
    """The place of a study in an order: its sort values, None for an empty one."""

    values: tuple[str | int | None, ...]


@dataclass(frozen=True, slots=True)
class StudyListing:
    """A part of the list: so many studies behind a position, or with ``is_backward`` before it.

    Without a position it begins at the start, or at the end. The rows come in the order of the
    list, whichever way it is read. ``as_of`` and ``since`` are marks: studies that came after the
    one are left out, and those that came until the other. ``is_empty`` is for the engine alone,
    which reads the studies without a value apart; so is no order, for those that are only counted.
    """

    order: StudyOrder | None = StudyOrder()
    position: Position | None = None
    is_backward: bool = False
    limit: int = 50
    as_of: int | None = None
    since: int | None = None
    is_empty: bool | None = None


@dataclass(frozen=True, slots=True)
class StudyPage:
    """Some rows of the list, in its order, with the place of each; ``is_last``: no more follow."""

    fields: tuple[Field, ...]
    rows: tuple[Row, ...]
    positions: tuple[Position, ...]
    is_last: bool
