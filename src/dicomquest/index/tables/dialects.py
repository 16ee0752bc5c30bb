"""The SQL that differs between databases, one row a database; all other SQL is for any of them.

The operators of wild card patterns stand in ``search.pattern_sql``, a writer's settings in
``database``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

from dicomquest.dataset.remembering import remembered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy.engine import Dialect as SQLAlchemyDialect
    from sqlalchemy.pool import PoolProxiedConnection

Dialect: TypeAlias = Literal["sqlite", "postgresql"]


class Words(NamedTuple):
    """The words of one database; ``format`` fills in names in braces.

    - ``in_values``: a column is one of a list, which is one parameter; ``as_list`` makes it.
    - ``off_index``: what stands before a column that no index shall serve.
    - ``distinct_list``: an aggregate that makes a JSON list of distinct values.
    - ``element``: one element of a JSON column as JSON text, NULL if it is missing.
    - ``contains``: a text contains another one; ``backslash``: that character.
    - ``candidates``: the rows of a trigram table by a query of its language; None if the columns
      have trigram indexes instead.
    - ``defer_constraints``: foreign keys are checked when the transaction ends.
    - ``calls_python``: SQL can call Python functions. ``copies``: COPY takes many rows.
    - ``has_sequences``: new ids come from sequences, because several write at a time.
    - ``cuts_long_texts``: an indexed text has a greatest length.
    - ``may_be_partitioned``: an index may have the layout of ``tables.partitioned``.
    - ``streamed``: the end of a query that wants its first row at once.
    - ``nulls_last``: rows without a value come last, as they do by themselves elsewhere.
    - ``hexadecimal``: the 16 digits of a number.
    - ``scans_from_anywhere``: rows without an order may come in another one each time.
    """

    in_values: str
    as_list: Callable[[Sequence[Any]], Any]
    off_index: str
    distinct_list: str
    element: str
    contains: str
    backslash: str
    candidates: str | None
    defer_constraints: str
    calls_python: bool
    copies: bool
    has_sequences: bool
    cuts_long_texts: bool
    may_be_partitioned: bool
    streamed: str
    nulls_last: str
    scans_from_anywhere: bool
    hexadecimal: str


_LONGEST_STATEMENT = 16_384
"""Characters of a statement that a cache keeps; that of a query with a hundred keys has half."""

DIALECTS: dict[Dialect, Words] = {
    "sqlite": Words(
        in_values="IN (SELECT value FROM json_each(?))",
        as_list=json.dumps,
        off_index="+",
        distinct_list="json_group_array(DISTINCT {column})",
        element="""{column} -> '$."{tag}"'""",
        contains="instr({column}, {text}) > 0",
        backslash="char(92)",
        candidates="SELECT rowid FROM {table} WHERE {table} MATCH ?",
        defer_constraints="PRAGMA defer_foreign_keys=ON",
        calls_python=True,
        copies=False,
        has_sequences=False,
        cuts_long_texts=False,
        may_be_partitioned=False,
        streamed="",
        nulls_last="",
        scans_from_anywhere=False,
        hexadecimal="printf('%016x', {number})",
    ),
    "postgresql": Words(
        in_values="= ANY(?)",
        as_list=list,
        off_index="",
        distinct_list="json_agg(DISTINCT {column})::text",
        element="({column}::json -> '{tag}')::text",
        contains="strpos({column}, {text}) > 0",
        backslash="chr(92)",
        candidates=None,
        defer_constraints="SET CONSTRAINTS ALL DEFERRED",
        calls_python=False,
        copies=True,
        has_sequences=True,
        cuts_long_texts=True,
        may_be_partitioned=True,
        # No limit, but the planner cannot know that: it prefers a plan whose first rows cost
        # little, as it does for a server-side cursor.
        streamed=" LIMIT (SELECT NULL::bigint)",
        nulls_last=" NULLS LAST",
        scans_from_anywhere=True,
        hexadecimal="lpad(to_hex({number}), 16, '0')",
    ),
}

READER_SETTINGS = {
    # Plans then go row by row from index to index, whatever the statistics say: the first row comes
    # at once, and memory does not grow with the number of rows. For 200,000 studies with their
    # patients a hash join is no faster.
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_sort": "off",
    # The compiler takes up to a second before the first row, and parallel workers would wait with
    # their leader for a slow peer.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "default_transaction_read_only": "on",
    "standard_conforming_strings": "on",
}
"""The settings of a PostgreSQL connection that queries run on."""


class Driven(Protocol):
    """A connection as this module needs it; SQLAlchemy's is one."""

    @property
    def connection(self) -> PoolProxiedConnection:
        """The pooled connection, with that of the driver."""

    @property
    def dialect(self) -> SQLAlchemyDialect:
        """The dialect of its engine."""

    @property
    def info(self) -> dict[Any, Any]:
        """Notes that last as long as the driver's connection."""


def execute(
    connection: Driven, statement: str, parameters: tuple[Any, ...] | list[tuple[Any, ...]] = ()
) -> Any:
    """Run a statement once, or once for each tuple of a list; return a cursor over its rows.

    It raises the driver's errors. It calls the driver itself, because SQLAlchemy takes 40 us more,
    as much as a small statement, and a single instance is stored by two dozen.
    """
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        run = driver.executemany if isinstance(parameters, list) else driver.execute
        return run(statement, parameters)
    if isinstance(parameters, list) and len(parameters) > 1:
        cursor = driver.cursor()
        cursor.executemany(percent_marks(statement), parameters)
        return cursor
    once = parameters[0] if isinstance(parameters, list) else parameters
    return driver.execute(percent_marks(statement), once)


def rows(connection: Driven, statement: str, values: Iterable[int | str]) -> list[Any]:
    """Return the rows for a list of values: the one parameter, at ``{in_values}``."""
    words = words_of(connection)
    statement = statement.replace("{in_values}", words.in_values)
    return list(execute(connection, statement, (words.as_list(list(values)),)))


def dialect_of(connection: Driven) -> Dialect:
    """Return the dialect of the database behind a connection."""
    return "postgresql" if connection.dialect.name == "postgresql" else "sqlite"


def words_of(connection: Driven) -> Words:
    """Return the words of the database behind a connection."""
    return DIALECTS[dialect_of(connection)]


def _is_usual(statement: str) -> bool:
    """Tell whether a statement is no longer than those of usual queries."""
    return len(statement) <= _LONGEST_STATEMENT


# The next two replace each ``?``: the SQL of this project has it for parameters only, and no value
# is ever part of a statement.
@remembered(1024, _is_usual)
def percent_marks(statement: str) -> str:
    """Return a statement as psycopg takes it: ``%s`` for each parameter."""
    return statement.replace("%", "%%").replace("?", "%s")


@remembered(1024, _is_usual)
def numbered(statement: str) -> str:
    """Return a statement as PostgreSQL takes it: ``$1`` for its first parameter."""
    first, *rest = statement.split("?")
    return first + "".join(f"${number}{text}" for number, text in enumerate(rest, 1))
