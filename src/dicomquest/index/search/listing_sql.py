"""The list of studies as SQL: its order, and the studies behind a position (keyset paging).

The studies without the first sort value are read by a statement of their own, because the databases
put them at either end of an index. So the index of the order serves each part, in both directions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dicomquest.index.search.condition import Sql, joined
from dicomquest.index.search.plan import MoreColumn
from dicomquest.query.study_listing import SortBy
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicomquest.index.tables.dialects import Words
    from dicomquest.query.study_listing import StudyListing, StudyOrder


class _Sorted(NamedTuple):
    """A column of an order: empty values come last, whichever way it goes."""

    level: Level
    sql: str
    is_descending: bool


def order_columns(order: StudyOrder) -> tuple[MoreColumn, ...]:
    """Return the columns of which the values are a study's position."""
    return tuple(MoreColumn(each.level, each.sql) for each in _sorted(order))


def has_empty(order: StudyOrder) -> bool:
    """Tell whether a study may lack the value that it is sorted by."""
    return order.by is not SortBy.RECEIVED


def _sorted(order: StudyOrder) -> tuple[_Sorted, ...]:
    down = order.is_descending
    uid = _Sorted(Level.STUDY, "study.study_instance_uid", is_descending=False)
    date, time = "study.study_date_sort", "study.study_time_sort"
    if order.by is SortBy.RECEIVED:
        return (_Sorted(Level.STUDY, "study.id", down),)
    if order.by is SortBy.DATE:
        return _Sorted(Level.STUDY, date, down), _Sorted(Level.STUDY, time, down), uid
    return (
        _Sorted(Level.PATIENT, "patient.patient_name_alphabetic", down),
        _Sorted(Level.PATIENT, "patient.patient_id", is_descending=False),
        _Sorted(Level.STUDY, date, is_descending=True),
        uid,
    )


def listed_rows(listing: StudyListing) -> list[Sql]:
    """Return the conditions on the studies of a part of the list."""
    found: list[Sql] = []
    # Not the bare id: SQLite would read the table by it, not the index of the order or of a key.
    if listing.as_of is not None:
        found.append(("study.id + 0 <= ?", (listing.as_of,)))
    if listing.since is not None:
        found.append(("study.id > ?", (listing.since,)))
    if listing.order is None:
        return found
    columns = _sorted(listing.order)
    if listing.is_empty is not None:
        found.append((f"{columns[0].sql} IS {'' if listing.is_empty else 'NOT '}NULL", ()))
    if listing.position is None:
        return found
    values = listing.position.values
    if values[0] is None:
        return [*found, _beyond(columns[1:], values[1:], listing)]
    # The bound is for the index; the rest is for the studies with this very value.
    found.append(_past(columns[0], values[0], listing, is_strict=len(columns) == 1))
    if len(columns) > 1:
        beyond = _past(columns[0], values[0], listing, is_strict=True)
        found.append(joined("OR", [beyond, _beyond(columns[1:], values[1:], listing)]))
    return found


def _past(column: _Sorted, value: object, listing: StudyListing, *, is_strict: bool) -> Sql:
    operator = "<" if column.is_descending is not listing.is_backward else ">"
    return f"{column.sql} {operator}{'' if is_strict else '='} ?", (value,)


def _beyond(
    columns: Sequence[_Sorted], values: Sequence[str | int | None], listing: StudyListing
) -> Sql:
    """Return that a study comes behind the one with these values, or before it if backward."""
    column, value = columns[0], values[0]
    either: list[Sql] = []
    if value is not None:
        either.append(_past(column, value, listing, is_strict=True))
        same: Sql = f"{column.sql} = ?", (value,)
    else:
        same = f"{column.sql} IS NULL", ()
    # The last one is never empty.
    if len(columns) > 1 and (value is None) is listing.is_backward:
        either.append((f"{column.sql} IS {'NOT ' if listing.is_backward else ''}NULL", ()))
    if len(columns) > 1:
        either.append(joined("AND", [same, _beyond(columns[1:], values[1:], listing)]))
    return joined("OR", either)


def unindexed(column: str, *, is_number: bool) -> str:
    """Return a column as an expression with its order, which no index has."""
    return f"({column} + 0)" if is_number else f"({column} || '')"


def listed_end(
    listing: StudyListing, words: Words, *, is_cut: bool, is_sorted: bool = False
) -> Sql:
    """Return the order and the limit; the caller cuts what ``is_cut`` leaves to Python.

    ``is_sorted``: the studies are few, and no index shall give their order.
    """
    order = ""
    if listing.order is not None:
        columns = _sorted(listing.order)
        if is_sorted:
            by_number = listing.order.by is SortBy.RECEIVED
            first = columns[0]._replace(sql=unindexed(columns[0].sql, is_number=by_number))
            columns = (first, *columns[1:])
        order = " ORDER BY " + ", ".join(
            _direction(column, listing, may_be_empty=column not in {columns[0], columns[-1]})
            for column in columns
        )
    return (f"{order} LIMIT ?", (listing.limit,)) if is_cut else (order + words.streamed, ())


def _direction(column: _Sorted, listing: StudyListing, *, may_be_empty: bool) -> str:
    direction = "DESC" if column.is_descending is not listing.is_backward else "ASC"
    if not may_be_empty:
        # Only so PostgreSQL reads the index of the first column, whose empty values are apart.
        return f"{column.sql} {direction}"
    return f"{column.sql} {direction} NULLS {'FIRST' if listing.is_backward else 'LAST'}"
