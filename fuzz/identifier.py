"""Invariant: any identifier is a statement of SQL, or DataSetError or IdentifierError.

The first byte chooses transfer syntax, information model and options; the rest is the data set.
"""

from __future__ import annotations

from dicomquest.dataset.codec import IDENTIFIER_LIMITS, decode
from dicomquest.errors import DataSetError, IdentifierError
from dicomquest.index.search.compile import compile_query
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.options import QueryOptions
from dicomquest.query.words import sentence
from dicomquest.standard.models import MODELS

SYNTAXES = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
)
OPTIONS = (
    QueryOptions(),
    QueryOptions(relational=True, fuzzy=True),
    QueryOptions(strict=True, unknown_matches=True),
)


def check(data: bytes) -> None:
    """Decode the bytes, parse and compile the query."""
    choice = data[0] if data else 0
    model = MODELS[choice // len(SYNTAXES) % len(MODELS)]
    options = OPTIONS[choice // len(SYNTAXES) // len(MODELS) % len(OPTIONS)]
    try:
        identifier = decode(data[1:], SYNTAXES[choice % len(SYNTAXES)], limits=IDENTIFIER_LIMITS)
        query = parse_identifier(identifier, model.uid, options)
    except (DataSetError, IdentifierError):
        return
    assert compile_query(query).sql
    assert sentence(query)
