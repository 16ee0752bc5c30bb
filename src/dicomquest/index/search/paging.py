"""The order of matches and the wanted part of them, as SQL (PS3.18 8.3.4.4, PS3.4 C.6.4)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dicomquest.index.search.listing_sql import unindexed
from dicomquest.index.search.plan import RECORD_FIELD
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from dicomquest.index.search.condition import Sql
    from dicomquest.index.search.plan import Selection
    from dicomquest.index.tables.dialects import Words
    from dicomquest.query.model import Page
    from dicomquest.query.records import Records

# Each order is total by the id. That of studies is the index of their dates, read backwards.
# Numbers are texts without leading zeros: the shorter one is less.
_ORDERS = {
    Level.PATIENT: "patient.id",
    Level.STUDY: (
        "study.study_date_sort DESC{last}, study.study_time_sort DESC{last}, study.id DESC"
    ),
    Level.SERIES: (
        "series.parent DESC, length(series.series_number_number){last}, "
        "series.series_number_number, series.id"
    ),
    Level.IMAGE: (
        "instance.parent DESC, length(instance.instance_number_number){last}, "
        "instance.instance_number_number, instance.id"
    ),
}
_IDS = {
    Level.PATIENT: "patient.id",
    Level.STUDY: "study.id",
    Level.SERIES: "series.id",
    Level.IMAGE: "instance.id",
}
_EVERY = 1 << 62
"""The limit of a page that has none, which both databases take."""


def paged(
    page: Page | None, level: Level, words: Words, *, is_cut: bool, is_sorted: bool = False
) -> Sql:
    """Return the end of the statement; the cursor cuts what ``is_cut`` leaves to Python.

    ``is_sorted``: the matches are few, and no index shall give their order.
    """
    if page is None:
        return words.streamed, ()
    if not page.is_part:
        # Equal requests give equal answers (QI-031): PostgreSQL alone may begin anywhere.
        by = _IDS[level]
        by = unindexed(by, is_number=True) if is_sorted else by
        order = f" ORDER BY {by}" if words.scans_from_anywhere else ""
        return order + words.streamed, ()
    by = _ORDERS[level].format(last=words.nulls_last)
    if is_sorted:
        column = by.partition(" ")[0]
        by = unindexed(column, is_number=level is not Level.STUDY) + by.removeprefix(column)
    order = f" ORDER BY {by}"
    if not is_cut:
        return order + words.streamed, ()
    limit = _EVERY if page.limit is None else page.limit
    return f"{order} LIMIT ? OFFSET ?", (limit, page.offset)


def with_record_key(
    selection: Selection, records: Records, level: Level, words: Words
) -> Selection:
    """Return a selection with the key of the record, if responses have it."""
    if not records.is_returned:
        return selection
    number = words.hexadecimal.format(number=_IDS[level])
    return replace(
        selection,
        columns=(*selection.columns, f"'{records.prefix}' || {number}"),
        fields=(*selection.fields, RECORD_FIELD),
    )


def records_after(records: Records, level: Level) -> list[Sql]:
    """Return the condition that a row comes after the one that an earlier query ended with."""
    return [] if records.after is None else [(f"{_IDS[level]} > ?", (records.after,))]


def records_end(
    records: Records, level: Level, words: Words, *, is_cut: bool, is_sorted: bool
) -> Sql:
    """Return the order by rows, and the limit with one more row, which shows that it cuts off.

    ``is_sorted``: the matches are few, and no index shall give their order.
    """
    by = unindexed(_IDS[level], is_number=True) if is_sorted else _IDS[level]
    order = f" ORDER BY {by}" if records.are_ordered else ""
    if records.most is None or not is_cut:
        return order + words.streamed, ()
    return f"{order} LIMIT ?", (min(records.most, _EVERY) + 1,)
