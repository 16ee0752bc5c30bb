"""The order of matches and the part of them that is wanted, as SQL (PS3.18 8.3.4.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from dicomquest.index.search.condition import Sql
    from dicomquest.index.tables.dialects import Words
    from dicomquest.query.model import Page

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


def paged(page: Page | None, level: Level, words: Words, *, is_cut: bool) -> Sql:
    """Return the end of the statement; the cursor cuts what ``is_cut`` leaves to Python."""
    if page is None:
        return words.streamed, ()
    if not page.is_part:
        # Equal requests give equal answers (QI-031): PostgreSQL alone may begin anywhere.
        order = f" ORDER BY {_IDS[level]}" if words.scans_from_anywhere else ""
        return order + words.streamed, ()
    order = f" ORDER BY {_ORDERS[level].format(last=words.nulls_last)}"
    if not is_cut:
        return order + words.streamed, ()
    limit = _EVERY if page.limit is None else page.limit
    return f"{order} LIMIT ? OFFSET ?", (limit, page.offset)
