"""Apache Parquet and Arrow: typed columns for pandas, polars, DuckDB and their like."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from dicomquest.cli.output.headings import typed_heading
from dicomquest.cli.output.match_values import value_text, values_at
from dicomquest.cli.output.page import Page
from dicomquest.cli.output.text_formats import columns_of

if TYPE_CHECKING:
    from dicomquest.dataset.arrow_columns import ArrowColumn
    from dicomquest.dataset.elements import DataSet
    from dicomquest.query.identifier.key_arguments import Key


def write_parquet(matches: Iterable[DataSet], page: Page) -> tuple[()]:
    """Write an Apache Parquet file."""
    table = _table(matches, columns_of(page))
    import_module("pyarrow.parquet").write_table(table, page.binary)
    return ()


def write_arrow(matches: Iterable[DataSet], page: Page) -> tuple[()]:
    """Write an Arrow IPC file, which Feather version 2 is, too."""
    table = _table(matches, columns_of(page))
    with import_module("pyarrow").ipc.new_file(page.binary, table.schema) as writer:
        writer.write_table(table)
    return ()


def _table(matches: Iterable[DataSet], keys: Sequence[Key]) -> Any:
    from dicomquest.dataset.arrow_columns import ArrowColumns

    columns = ArrowColumns([_column(key) for key in keys])
    for match in matches:
        columns.add([list(map(value_text, values_at(match, key.path))) for key in keys])
    return columns.table()


def _column(key: Key) -> ArrowColumn:
    from dicomquest.dataset.arrow_columns import ArrowColumn
    from dicomquest.dataset.dictionary import has_several_values
    from dicomquest.query.identifier.key_arguments import vr_of

    # Each item of a sequence may bring its own value.
    is_list = len(key.path) > 1 or has_several_values(key.path[0].tag)
    return ArrowColumn(typed_heading(key), vr_of(key.path[-1]) or "LO", is_list)
