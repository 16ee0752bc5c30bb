"""``find --explain``: the query in words before it is sent, and afterwards its answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from dicomquest.cli.messages import say
from dicomquest.cli.request_identifier import Request
from dicomquest.dataset.elements import DataSet
from dicomquest.errors import IdentifierError
from dicomquest.query.answer_review import review_answers
from dicomquest.query.explain import explain_keys
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.model import Query
from dicomquest.query.options import QueryOptions
from dicomquest.query.words import question, sentence
from dicomquest.standard.extended import EXTENDED_OPTIONS
from dicomquest.standard.models import InformationModel
from dicomquest.standard.tags import tag_text

OPTIONAL_KEY_IGNORED = 0xFF01
"""Pending, but the SCP does not support an optional key (PS3.4 C.4.1.1.4)."""


def read_back(request: Request, model: InformationModel, options: QueryOptions) -> None:
    """Print the question in words, so that a wrong one is noticed; nothing if it has no meaning."""
    with suppress(IdentifierError):
        say(question(_read(request, model, options)))


def explain_request(request: Request, model: InformationModel, options: QueryOptions) -> None:
    """Print the meaning of the query, and what the Standard says of each key."""
    try:
        say(f"Query ({model.words}): {sentence(_read(request, model, options))}")
    except IdentifierError as error:
        say(f"Query ({model.words}): the Standard gives it no meaning: {error}")
    for key in explain_keys(request.identifier, model.uid, options):
        kind = f"{key.type.name.lower()} key of {key.level.name} level"
        say(f"  {key.name} {tag_text(key.tag)}: {kind}; matching: {key.matching}")
        for remark in key.remarks:
            say(f"    {remark}")


def explain_acceptance(wanted: QueryOptions, accepted: QueryOptions) -> None:
    """Print which of the offered options of extended negotiation the peer accepted."""
    for row in EXTENDED_OPTIONS:
        if getattr(wanted, row.option):
            answer = (
                "accepted" if getattr(accepted, row.option) else f"not accepted, so: {row.default}"
            )
            say(f"Offered: {row.name}: {answer}")


def explain_answers(
    request: Request,
    model: InformationModel,
    options: QueryOptions,
    matches: Sequence[DataSet],
    pending: Mapping[int, int],
) -> None:
    """Print which keys the peer seems to have ignored."""
    if pending.get(OPTIONAL_KEY_IGNORED):
        say("Answers: status FF01: the peer does not support an optional key, or matching on it")
    try:
        query = _read(request, model, options)
    except IdentifierError:
        return
    for remark in review_answers(query, matches):
        say(f"Answers: {remark.name}: {remark.remark} (in {remark.count} of {remark.total})")


def _read(request: Request, model: InformationModel, options: QueryOptions) -> Query:
    return parse_identifier(request.identifier, model.uid, options)
