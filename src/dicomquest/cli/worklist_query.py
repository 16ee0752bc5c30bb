"""The entries that a command line means: ``KEY=VALUE`` as a worklist query (PS3.4 K.4.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import click

from dicomquest.cli.written_keys import read_written
from dicomquest.errors import IdentifierError
from dicomquest.index.search.plan import MoreColumn
from dicomquest.query.extended_negotiation import accepted_worklist_options
from dicomquest.query.identifier.entry_keys import in_steps
from dicomquest.query.identifier.entry_models import ENTRY
from dicomquest.query.identifier.key_arguments import (
    Key,
    KeyTextError,
    build_identifier,
    parse_keys,
)
from dicomquest.query.identifier.worklist_identifier import parse_worklist
from dicomquest.query.options import QueryOptions

if TYPE_CHECKING:
    from dicomquest.index.index import Index
    from dicomquest.query.model import Query

_ROWS = 512
_COLUMNS = (MoreColumn(ENTRY, "worklist_entry.id"),)


class FoundEntry(NamedTuple):
    """An entry in the database: its id, and its JSON."""

    id: int
    text: str


def worklist_query(texts: Sequence[str], zone_minutes: int) -> Query:
    """Return the query of KEYs; click's UsageError for a wrong one, or one that asks nothing."""
    try:
        keys = read_written(in_steps(parse_keys(texts)), datetime.now().astimezone())
        idle = [key for key in keys if not _parsed([key], zone_minutes).criteria]
        query = _parsed(keys, zone_minutes)
    except (KeyTextError, IdentifierError) as error:
        raise click.UsageError(str(error)) from error
    for key in idle:
        raise click.UsageError(
            f"{key.name}={key.value} restricts nothing; leave it out or give another value"
        )
    return query


def _parsed(keys: Sequence[Key], zone_minutes: int) -> Query:
    options = QueryOptions(timezone_offset_minutes=zone_minutes)
    return parse_worklist(build_identifier(keys), accepted_worklist_options(b"", options))


def found_entries(index: Index, query: Query) -> Iterator[FoundEntry]:
    """Yield the entries that a query finds."""
    with index.search(query, is_latest=True, columns=_COLUMNS) as cursor:
        while rows := cursor.fetch(_ROWS):
            for text, identifier in rows:
                yield FoundEntry(identifier, text)
