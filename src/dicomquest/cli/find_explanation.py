"""``find --explain``: the query in words before it is sent, and afterwards its answers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from dicomquest.cli.asking.value_files import ValueFile
from dicomquest.cli.counting import number_of
from dicomquest.cli.messages import say
from dicomquest.cli.request_identifier import Request
from dicomquest.errors import IdentifierError
from dicomquest.query.criteria import KeyCriterion
from dicomquest.query.explain import OPTIONAL, explain_keys
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.model import Query
from dicomquest.query.options import QueryOptions
from dicomquest.query.visibility import VisibilityError, parse_visible
from dicomquest.query.words import question, sentence
from dicomquest.standard.attributes import attribute_name
from dicomquest.standard.extended import EXTENDED_OPTIONS
from dicomquest.standard.models import InformationModel
from dicomquest.standard.tags import tag_text

if TYPE_CHECKING:
    from dicomquest.sync import Association

_BYTES_A_LINE = 16
_UNIVERSAL = "Universal"


def read_back(
    request: Request,
    model: InformationModel,
    options: QueryOptions,
    values: ValueFile | None = None,
) -> None:
    """Print the question in words, so that a wrong one is noticed; nothing if it has no meaning."""
    if values is not None:
        name = attribute_name(values.tag)
        found = number_of(len(values.values), "value")
        say(f"for each of {found} of {name}, from {values.key.value.removeprefix('@')}:")
        others = {tag: element for tag, element in request.identifier.items() if tag != values.tag}
        request = replace(request, identifier=others)
    with suppress(IdentifierError):
        say(question(_read(request, model, options)))


def explain_request(
    request: Request, model: InformationModel, options: QueryOptions, visible: Sequence[str] = ()
) -> None:
    """Print the meaning of the query, and what the Standard says of each key.

    ``visible`` is the filter of an index that is asked.
    """
    try:
        query = replace(_read(request, model, options), visible=_filter(visible))
        say(f"Query ({model.words}): {sentence(query)}")
    except IdentifierError as error:
        say(f"Query ({model.words}): the Standard gives it no meaning: {error}")
    keys = explain_keys(request.identifier, model.uid, options)
    plain = [key.name for key in keys if key.matching == _UNIVERSAL and not key.remarks]
    optional = [
        key.name for key in keys if key.matching == _UNIVERSAL and key.remarks == (OPTIONAL,)
    ]
    # One such key gets its own words; the same words for each of several say nothing.
    together = {*plain, *(optional if len(optional) > 1 else ())}
    for key in keys:
        if key.name in together:
            continue
        kind = f"{key.type.name.lower()} key of {key.level.name} level"
        say(f"  {key.name} {tag_text(key.tag)}: {kind}; matching: {key.matching}")
        for remark in key.remarks:
            say(f"    {remark}")
    if plain:
        say(f"  Returned only: {', '.join(plain)}")
    if len(optional) > 1:
        say(f"  Returned if the peer supports it (C.2.2.1.3): {', '.join(optional)}")


def _filter(visible: Sequence[str]) -> tuple[KeyCriterion, ...]:
    """Return the criteria of a filter; none for a wrong one, which the index refuses."""
    with suppress(VisibilityError):
        return parse_visible(visible)
    return ()


def explain_acceptance(wanted: QueryOptions, accepted: QueryOptions) -> None:
    """Print which of the offered options of extended negotiation the peer accepted."""
    for row in EXTENDED_OPTIONS:
        if getattr(wanted, row.option):
            answer = (
                "accepted" if getattr(accepted, row.option) else f"not accepted, so: {row.default}"
            )
            say(f"Offered: {row.name}: {answer}")


def explain_negotiation(association: Association, model: InformationModel) -> None:
    """Print what the peer is by its own words, and what it accepted."""
    context = next(
        (each for each in association.accepted_contexts if each.abstract_syntax == model.uid), None
    )
    syntax = context.transfer_syntax[0].name if context is not None else "no transfer syntax"
    acceptor = association.acceptor
    name = acceptor.implementation_version_name or acceptor.implementation_class_uid or "unnamed"
    say(f"Peer: {name}; {model.words} in {syntax}, PDUs of up to {acceptor.maximum_length:,} bytes")


def show_bytes(association: Association, request: Request, model: InformationModel) -> None:
    """Print the identifier as it is sent: offset, bytes and their ASCII characters."""
    from dicomquest.dataset.elements import to_pydicom
    from dicomquest.services.identifiers import encode_request

    syntax = next(
        str(each.transfer_syntax[0])
        for each in association.accepted_contexts
        if each.abstract_syntax == model.uid
    )
    data = encode_request(to_pydicom(request.identifier), syntax)
    say(f"Identifier: {len(data)} bytes")
    for start in range(0, len(data), _BYTES_A_LINE):
        row = data[start : start + _BYTES_A_LINE]
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)
        say(f"  {start:04X}  {row.hex(' '):<{3 * _BYTES_A_LINE}} {text}")


def _read(request: Request, model: InformationModel, options: QueryOptions) -> Query:
    return parse_identifier(request.identifier, model.uid, options)
