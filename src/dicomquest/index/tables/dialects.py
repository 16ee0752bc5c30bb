"""The SQL that differs between databases, one row a database; all other SQL is for any of them.

The operators of wild card patterns stand in ``search.pattern_sql``, a writer's settings in
``database``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from dicomquest.dataset.remembering import remembered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import Connection

Dialect: TypeAlias = Literal["sqlite", "postgresql"]


class Words(NamedTuple):
    """The words of one database; what stands in braces is filled in by ``format``.

    ``in_values``: the condition of a column on a list that is one parameter, which ``as_list`` makes of the values.
    ``distinct_list``: an aggregate, a JSON list. ``element``: one element of a JSON column as JSON text, NULL if it is
    not there. ``contains``: whether a text has another. ``backslash``: that character. ``candidates``: the ids of a
    trigram table's rows for its query language, None where columns have trigram indexes of their own.
    ``defer_constraints``: have foreign keys hold when the transaction ends. ``calls_python``: whether SQL can.
    ``copies``: whether COPY takes many rows. ``cuts_long_texts``: whether an indexed text has a greatest length.
    ``streamed``: what ends a query of which the first row is wanted at once.
    """

    in_values: str
    as_list: Callable[[Sequence[Any]], Any]
    distinct_list: str
    element: str
    contains: str
    backslash: str
    candidates: str | None
    defer_constraints: str
    calls_python: bool
    copies: bool
    cuts_long_texts: bool
    streamed: str


_LONGEST_STATEMENT = 16_384
"""Characters of a statement that a cache keeps; that of a query with a hundred keys has half."""

DIALECTS: dict[Dialect, Words] = {
    "sqlite": Words(
        in_values="IN (SELECT value FROM json_each(?))",
        as_list=json.dumps,
        distinct_list="json_group_array(DISTINCT {column})",
        element="""{column} -> '$."{tag}"'""",
        contains="instr({column}, {text}) > 0",
        backslash="char(92)",
        candidates="SELECT rowid FROM {table} WHERE {table} MATCH ?",
        defer_constraints="PRAGMA defer_foreign_keys=ON",
        calls_python=True,
        copies=False,
        cuts_long_texts=False,
        streamed="",
    ),
    "postgresql": Words(
        in_values="= ANY(?)",
        as_list=list,
        distinct_list="json_agg(DISTINCT {column})::text",
        element="({column}::json -> '{tag}')::text",
        contains="strpos({column}, {text}) > 0",
        backslash="chr(92)",
        candidates=None,
        defer_constraints="SET CONSTRAINTS ALL DEFERRED",
        calls_python=False,
        copies=True,
        cuts_long_texts=True,
        # No limit, but the planner cannot know: it takes a plan whose first tenth costs little, as for a cursor.
        streamed=" LIMIT (SELECT NULL::bigint)",
    ),
}

READER_SETTINGS = {
    # Plans that go row by row from index to index, whatever the statistics: the first row comes at once, and memory
    # does not grow with the number of rows. For 200,000 studies with their patients a hash join is no faster.
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_sort": "off",
    # Compiling takes up to a second before the first row; processes beside one would wait with it for a slow peer.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "default_transaction_read_only": "on",
    "standard_conforming_strings": "on",
}
"""The settings of a PostgreSQL connection that queries run on."""


def execute(
    connection: Connection, statement: str, parameters: tuple[Any, ...] | list[tuple[Any, ...]] = ()
) -> Any:
    """Run a statement once, or once for each tuple of a list; a cursor over its rows. It raises the driver's errors.

    The driver is called as it is: SQLAlchemy's way takes 40 us more, as much as a small statement itself, and storing a
    single instance takes two dozen.
    """
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        return (driver.executemany if isinstance(parameters, list) else driver.execute)(
            statement, parameters
        )
    if isinstance(parameters, list) and len(parameters) > 1:
        cursor = driver.cursor()
        cursor.executemany(percent_marks(statement), parameters)
        return cursor
    return driver.execute(
        percent_marks(statement), parameters[0] if isinstance(parameters, list) else parameters
    )


def rows(connection: Connection, statement: str, values: Iterable[int | str]) -> list[Any]:
    """Return the rows for a list of values: the one parameter, at ``{in_values}``."""
    words = words_of(connection)
    statement = statement.replace("{in_values}", words.in_values)
    return list(execute(connection, statement, (words.as_list(list(values)),)))


def words_of(connection: Connection) -> Words:
    """The words of the database behind a connection."""
    name: Dialect = "postgresql" if connection.dialect.name == "postgresql" else "sqlite"
    return DIALECTS[name]


# The SQL of this project has question marks for parameters only: values are never part of it.


def _is_usual(statement: str) -> bool:
    """Tell whether a statement is no longer than those of usual queries."""
    return len(statement) <= _LONGEST_STATEMENT


@remembered(1024, _is_usual)
def percent_marks(statement: str) -> str:
    """A statement as psycopg takes it: ``%s`` for each parameter."""
    return statement.replace("%", "%%").replace("?", "%s")


@remembered(1024, _is_usual)
def numbered(statement: str) -> str:
    """A statement as PostgreSQL takes it: ``$1`` for its first parameter."""
    first, *rest = statement.split("?")
    return first + "".join(f"${number}{text}" for number, text in enumerate(rest, 1))
