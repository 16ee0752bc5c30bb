"""Columns of an Arrow table, typed by VR (PS3.5 6.2); needs the extra ``arrow``.

========================  ===================================================================
DA                        date32
IS US SS UL SL SV UV      int64
DS FL FD                  float64
SQ                        text, as JSON
all others                text, as it was sent
several values (VM > 1)   a list of these
========================  ===================================================================

A column with a value that is none of its type, such as the date ``2024-13-45``, stays text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from dicomquest.errors import MissingPackageError

CHUNK = 8192
"""Rows that are gathered as Python objects before they become Arrow's."""

_INTEGERS = frozenset({"IS", "US", "SS", "UL", "SL", "SV", "UV"})
_FLOATS = frozenset({"DS", "FL", "FD"})


@dataclass(frozen=True, slots=True)
class ArrowColumn:
    """The name of a column, the VR of its values, and whether it may have several in a row."""

    name: str
    vr: str
    is_list: bool


def load(package: str, extra: str = "") -> Any:
    """Import a package that only some users need; MissingPackageError says how to get it."""
    try:
        return import_module(package)
    except ImportError as error:
        remedy = f"install dicomquest[{extra}]" if extra else f"install {package}"
        raise MissingPackageError(f"{package} is not installed: {remedy}") from error


class ArrowColumns:
    """Rows of values that become an Arrow table; memory holds them as Arrow's own columns."""

    def __init__(self, columns: Sequence[ArrowColumn]) -> None:
        self._arrow = load("pyarrow", "arrow")
        self._columns = tuple(columns)
        self._rows: list[list[list[str] | str | None]] = [[] for _ in columns]
        self._chunks: list[list[Any]] = [[] for _ in columns]

    def add(self, row: Sequence[Sequence[str]]) -> None:
        """Add a row: the values of each column as text, none for a missing attribute."""
        for column, values, kept in zip(self._columns, row, self._rows, strict=True):
            if column.is_list:
                kept.append(list(values) if values else None)
            elif len(values) == 1:
                kept.append(values[0] or None)
            else:
                kept.append("\\".join(values) if values else None)
        if self._rows and len(self._rows[0]) >= CHUNK:
            self._flush()

    def table(self) -> Any:
        """Return the ``pyarrow.Table`` of all rows."""
        self._flush()
        arrays = [
            self._typed(column, chunks)
            for column, chunks in zip(self._columns, self._chunks, strict=True)
        ]
        return self._arrow.table(arrays, names=[column.name for column in self._columns])

    def _text_type(self, column: ArrowColumn) -> Any:
        text = self._arrow.string()
        return self._arrow.list_(text) if column.is_list else text

    def _flush(self) -> None:
        for column, rows, chunks in zip(self._columns, self._rows, self._chunks, strict=True):
            chunks.append(self._arrow.array(rows, type=self._text_type(column)))
            rows.clear()

    def _typed(self, column: ArrowColumn, chunks: list[Any]) -> Any:
        arrow = self._arrow
        text = arrow.chunked_array(chunks, type=self._text_type(column))
        if column.vr in _INTEGERS:
            wanted = arrow.int64()
        elif column.vr in _FLOATS:
            wanted = arrow.float64()
        elif column.vr == "DA" and not column.is_list:
            return self._dates(text)
        else:
            return text
        try:
            return text.cast(arrow.list_(wanted) if column.is_list else wanted)
        except arrow.ArrowInvalid:
            return text

    def _dates(self, text: Any) -> Any:
        compute = import_module("pyarrow.compute")
        if compute.all(compute.match_substring_regex(text, r"^\d{8}$")).as_py() is False:
            return text
        try:
            moments = compute.strptime(text, format="%Y%m%d", unit="s")
            back = compute.strftime(moments, format="%Y%m%d")
        except self._arrow.ArrowInvalid:
            return text
        # 31 February would silently become a day of March.
        if compute.all(compute.equal(back, text)).as_py() is False:
            return text
        return moments.cast(self._arrow.date32())
