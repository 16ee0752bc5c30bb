"""The matches of one query: an iterator, and the way to a data frame (PS3.4 C.4.1.2)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from pydicom.datadict import keyword_for_tag

from dicomquest.dataset.arrow_columns import ArrowColumn, ArrowColumns, load
from dicomquest.dataset.dictionary import has_several_values
from dicomquest.dataset.elements import element_from_json
from dicomquest.standard.tags import (
    QUERY_RETRIEVE_LEVEL,
    SPECIFIC_CHARACTER_SET,
    is_private_creator,
)

T = TypeVar("T")


class Matches(Iterator[T], Generic[T]):
    """Matches while they come; or all of them as one table, with a column per key.

    The tables need the extra ``arrow``. DA are dates, IS and binary integers int64, DS and binary
    floats float64, all else is text; an attribute that may have several values is a list. A column
    with a value that is none of its type stays text.
    """

    def __init__(
        self,
        start: Callable[[str], Iterator[Any]],
        form: str,
        columns: Iterable[tuple[int, str]],
    ) -> None:
        """Keep what starts the query in a form; ``columns`` are tags with their VRs."""
        self._start, self._form = start, form
        self._columns = [
            (tag, vr)
            for tag, vr in columns
            if tag not in {QUERY_RETRIEVE_LEVEL, SPECIFIC_CHARACTER_SET}
            and not is_private_creator(tag)
        ]
        self._running: Iterator[Any] | None = None

    def __iter__(self) -> Iterator[T]:  # noqa: PYI034
        # Not self: a loop runs over the generator without a call of ours for each match.
        if self._running is None:
            self._running = self._start(self._form)
        return self._running

    def __next__(self) -> T:
        return next(iter(self))

    def close(self) -> None:
        """End the query, as leaving a loop over it does."""
        close = getattr(self._running, "close", None)
        if close is not None:
            close()

    def to_arrow(self) -> Any:
        """Return a ``pyarrow.Table`` of all matches; ValueError if some have been read before."""
        if self._running is not None:
            raise ValueError("some matches have been read already: ask again for a table of all")
        columns = ArrowColumns(
            [
                ArrowColumn(keyword_for_tag(tag) or f"{tag:08X}", vr, has_several_values(tag))
                for tag, vr in self._columns
            ]
        )
        names = [f"{tag:08X}" for tag, _ in self._columns]
        self._running = rows = self._start("json")
        for row in rows:
            columns.add([_texts(row.get(name)) for name in names])
        return columns.table()

    def to_pandas(self) -> Any:
        """Return a ``pandas.DataFrame`` of all matches; integers that may be missing are Int64."""
        pandas = load("pandas")
        pyarrow = load("pyarrow", "arrow")
        types = {pyarrow.int64(): pandas.Int64Dtype()}
        return self.to_arrow().to_pandas(date_as_object=False, types_mapper=types.get)

    def to_polars(self) -> Any:
        """Return a ``polars.DataFrame`` of all matches."""
        polars = load("polars")
        return polars.from_arrow(self.to_arrow())


def _texts(attribute: Any) -> list[str]:
    """Return the values of an attribute of the DICOM JSON Model as text."""
    values = attribute.get("Value") if attribute is not None else None
    if not values:
        return []
    vr = attribute["vr"]
    if vr == "SQ":
        return [json.dumps(value, ensure_ascii=False) for value in values]
    if vr == "PN" or None in values:
        return list(element_from_json(attribute).values)
    return [value if type(value) is str else str(value) for value in values]
