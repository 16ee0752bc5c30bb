"""The query of Python keywords and values, by the rules for requests (PS3.4 C.4.1.1.3.1)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dicomquest.errors import IdentifierError
from dicomquest.query.extended_negotiation import accepted_worklist_options, offer_worklist
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.identifier.request_keys import (
    dates_as_written,
    level_by_name,
    model_by_name,
    request_identifier,
)
from dicomquest.query.identifier.request_rules import RequestError, check_request
from dicomquest.query.identifier.worklist_identifier import parse_entry_query
from dicomquest.query.options import QueryOptions

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from dicomquest.query.model import Query


def keyword_query(
    level_name: str,
    model_name: str,
    options: QueryOptions | None,
    keys: Iterable[tuple[str | int, Any]],
    *,
    timezone_offset_minutes: int,
    now: datetime,
) -> Query:
    """Return the query of keyword arguments, else raise RequestError, which is a ValueError.

    ``now`` is the instant that words like ``today`` look from.
    """
    model = model_by_name(model_name)
    level = level_by_name(level_name, model)
    given = QueryOptions(relational=True) if options is None else options
    own = replace(given, timezone_offset_minutes=timezone_offset_minutes)
    identifier = request_identifier(model, level, keys, dates_as_written(now))
    check_request(identifier, model, level, own)
    try:
        if not model.levels:
            # As two of our own would negotiate.
            return parse_entry_query(
                identifier, accepted_worklist_options(offer_worklist(given), own), model
            )
        return parse_identifier(identifier, model.uid, own)
    except IdentifierError as error:
        raise RequestError(str(error)) from error
