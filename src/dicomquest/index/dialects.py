"""Where databases say the same thing in different words, one row a database; all other SQL here is for any of them.

Matching has its own such differences in ``query.matching``, a connection's settings theirs in ``database``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dicomquest.query.matching import Dialect


class Words(NamedTuple):
    """The words of one database; what stands in braces is filled in by ``format``.

    ``in_values``: the condition of a column on a list that is one parameter, as JSON. ``distinct_list``: an
    aggregate, a JSON list. ``element``: one element of a JSON column as JSON text, NULL if it is not there.
    ``contains``: whether a text has another. ``backslash``: that character. ``candidates``: the ids of a trigram
    table's rows for its query language. ``defer_constraints``: have foreign keys hold when the transaction ends.
    """

    in_values: str
    distinct_list: str
    element: str
    contains: str
    backslash: str
    candidates: str
    defer_constraints: str


DIALECTS: dict[Dialect, Words] = {
    "sqlite": Words(
        in_values="IN (SELECT value FROM json_each(?))",
        distinct_list="json_group_array(DISTINCT {column})",
        element="""{column} -> '$."{tag}"'""",
        contains="instr({column}, {text}) > 0",
        backslash="char(92)",
        candidates="SELECT rowid FROM {table} WHERE {table} MATCH ?",
        defer_constraints="PRAGMA defer_foreign_keys=ON",
    ),
}


def words_of(connection: Connection) -> Words:
    """The words of the database behind a connection."""
    name: Dialect = "postgresql" if connection.dialect.name == "postgresql" else "sqlite"
    return DIALECTS[name]
