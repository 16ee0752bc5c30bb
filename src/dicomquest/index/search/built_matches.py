"""The matches of a cursor as values that a program wants: Datasets, or JSON (PS3.4 C.4.1.3)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from dicomquest.dataset.charset import choose
from dicomquest.dataset.elements import Element
from dicomquest.standard.tags import SPECIFIC_CHARACTER_SET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dicomquest.dataset.elements import DataSet
    from dicomquest.index.search.sqlite_cursor import Cursor

# The first rows are few, for a loop that ends early; the others many, to save round trips.
_FIRST_ROWS = 32
_ROWS = 512


def built_matches(
    search: Callable[[], Cursor], build: Callable[[DataSet], Any], limit: int | None
) -> Iterator[Any]:
    """Give each match of a search as soon as the database finds it; its end closes the cursor."""
    left = sys.maxsize if limit is None else limit
    size = _FIRST_ROWS
    with search() as cursor:
        while left > 0 and (rows := cursor.fetch(min(size, left))):
            for row in rows:
                data_set = cursor.plan.to_data_set(row)
                # A Dataset that is written to a file needs the set of its text.
                if terms := choose(data_set):
                    data_set = {SPECIFIC_CHARACTER_SET: Element("CS", terms), **data_set}
                yield build(data_set)
            left -= len(rows)
            size = _ROWS
