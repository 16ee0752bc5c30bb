"""The entries that a command line means: ``KEY=VALUE`` as a worklist query (PS3.4 K.4.1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import click

from dicomquest.cli.messages import say
from dicomquest.cli.written_keys import read_written
from dicomquest.errors import IdentifierError
from dicomquest.index.search.plan import MoreColumn
from dicomquest.query.extended_negotiation import accepted_worklist_options
from dicomquest.query.identifier.entry_keys import in_items, in_steps
from dicomquest.query.identifier.entry_models import ENTRY, ENTRY_MODELS_BY_UID
from dicomquest.query.identifier.foreign_keys import foreign_key_note
from dicomquest.query.identifier.key_arguments import (
    Key,
    KeyTextError,
    build_identifier,
    parse_keys,
)
from dicomquest.query.identifier.worklist_identifier import parse_entry_query
from dicomquest.query.options import QueryOptions
from dicomquest.standard.models import MODALITY_WORKLIST

if TYPE_CHECKING:
    from dicomquest.index.index import Index
    from dicomquest.query.model import Query
    from dicomquest.standard.models import InformationModel

_ROWS = 512
_ID_OF_ENTRY = (MoreColumn(ENTRY, "worklist_entry.id"),)
_ID_OF_WORKITEM = (MoreColumn(ENTRY, "workitem.id"),)


class FoundEntry(NamedTuple):
    """An entry in the database: its id, and its JSON."""

    id: int
    text: str


def worklist_query(
    texts: Sequence[str], zone_minutes: int, model: InformationModel = MODALITY_WORKLIST
) -> Query:
    """Return the query of KEYs; click's UsageError for a wrong one, or one that asks nothing."""
    try:
        placed = _placed(parse_keys(texts), model)
        keys = read_written(placed, datetime.now().astimezone())
        idle = [key for key in keys if not _parsed([key], zone_minutes, model).criteria]
        query = _parsed(keys, zone_minutes, model)
    except (KeyTextError, IdentifierError) as error:
        raise click.UsageError(str(error)) from error
    for note in (foreign_key_note(key, ENTRY_MODELS_BY_UID[model.uid]) for key in keys):
        if note:
            say(f"Note: {note}")
    for key in idle:
        raise click.UsageError(
            f"{key.name}={key.value} restricts nothing; leave it out or give another value"
        )
    return query


def _placed(keys: Iterable[Key], model: InformationModel) -> list[Key]:
    if model is MODALITY_WORKLIST:
        return in_steps(keys)
    return in_items(keys, ENTRY_MODELS_BY_UID[model.uid].places)


def _parsed(keys: Sequence[Key], zone_minutes: int, model: InformationModel) -> Query:
    options = accepted_worklist_options(b"", QueryOptions(timezone_offset_minutes=zone_minutes))
    return parse_entry_query(build_identifier(keys), options, model)


def found_entries(index: Index, query: Query) -> Iterator[FoundEntry]:
    """Yield the entries that a query finds."""
    columns = _ID_OF_ENTRY if query.model is MODALITY_WORKLIST else _ID_OF_WORKITEM
    with index.search(query, is_latest=True, columns=columns) as cursor:
        while rows := cursor.fetch(_ROWS):
            for text, identifier in rows:
                yield FoundEntry(identifier, text)
