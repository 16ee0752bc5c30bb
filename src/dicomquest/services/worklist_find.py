"""Queries of models without levels answered from the database (PS3.4 K.4.1; U, X, BB, HH, II).

The service, its batches and its limits are those of ``services.find``. Modalities ask the same
question every few minutes: an entry that was encoded for a shape of keys is not encoded again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from dicomquest.dataset.charset import Terms, choose, normalise_terms
from dicomquest.dataset.elements import from_json
from dicomquest.dataset.encoder import encode
from dicomquest.dataset.json_picker import NotPlainError, Picked, picked_bytes
from dicomquest.dataset.remembering import LONGEST_REMEMBERED, remembered
from dicomquest.dataset.response_fields import Row
from dicomquest.query.extended_negotiation import accepted_worklist_options
from dicomquest.query.identifier.worklist_identifier import parse_entry_query
from dicomquest.query.model import Query, ReturnKey
from dicomquest.query.worklist_entry import entry_response
from dicomquest.services.access import PeerChoices
from dicomquest.services.find import FindService
from dicomquest.services.request import ServiceRequest
from dicomquest.services.search_batches import RowEncoder
from dicomquest.standard.models import FIND_MODELS_BY_UID
from dicomquest.standard.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)

MOST_REMEMBERED_ENTRIES = 4096
"""Encoded entries that are remembered: the lists of a day of a hospital's modalities."""

LONGEST_ENTRY = 8192
"""Characters of an entry that is remembered once it is encoded; usual ones have 2,000."""

_MOST_KEYS = 256
_QUICK_SYNTAXES = frozenset({IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN})
_PERTINENT_DOCUMENTS = 0x00380100


class WorklistService(FindService):
    """Answers C-FIND requests of the Modality Worklist, and of all models without levels.

    ``hidden_steps`` are the statuses of scheduled steps whose entries nobody finds.
    """

    hidden_steps: tuple[str, ...] = ()

    def understand(self, request: ServiceRequest, peer: PeerChoices) -> tuple[Query, RowEncoder]:
        """Return the query of a request, and the encoder of its responses."""
        sop_class = request.context.abstract_syntax
        negotiated = request.association.extended_negotiation.get(sop_class, b"")
        options = accepted_worklist_options(negotiated, peer.options)
        association = request.association
        query = parse_entry_query(
            self.decoded(request, peer), options, FIND_MODELS_BY_UID[sop_class]
        )
        query = replace(
            query,
            visible=association.profile.visible,
            shown_to=association.acceptor.ae_title,
            hidden_steps=self.hidden_steps,
        )
        requested = normalise_terms(query.charset_terms)
        return query, _encoder_of(query, request.context.transfer_syntax, requested)


class EntryEncoder:
    """The encoder of entries for one shape of a request; it is told from others by itself."""

    def __init__(self, query: Query, transfer_syntax: str, requested: Terms) -> None:
        self._query = query
        self._transfer_syntax = transfer_syntax
        self._requested = requested
        self._picked = _picked(query.return_keys) if transfer_syntax in _QUICK_SYNTAXES else None

    def encode(self, rows: Iterable[Row]) -> list[bytes]:
        """Return the encoded identifiers in the order of the rows."""
        return [_encoded(self, row[0]) for row in rows]

    def encoded(self, text: str) -> bytes:
        """Return the response identifier of an entry's JSON, in bytes."""
        if self._picked is not None:
            is_implicit = self._transfer_syntax == IMPLICIT_VR_LITTLE_ENDIAN
            with suppress(NotPlainError):
                return picked_bytes(json.loads(text), self._picked, is_implicit=is_implicit)
        return self.encoded_plainly(text)

    def encoded_plainly(self, text: str) -> bytes:
        """Return the same by the plain way, which knows every value."""
        response = entry_response(from_json(json.loads(text)), self._query)
        return encode(response, self._transfer_syntax, choose(response, self._requested))


@remembered(MOST_REMEMBERED_ENTRIES, lambda _, text: len(text) <= LONGEST_ENTRY)
def _encoded(encoder: EntryEncoder, text: str) -> bytes:
    return encoder.encoded(text)


def _picked(keys: Iterable[ReturnKey]) -> tuple[Picked, ...] | None:
    """Return the attributes to pick; None if some key needs the plain way."""
    found = []
    for key in keys:
        items = None if key.item_keys is None else _picked(key.item_keys)
        if key.creator is not None or key.item_criteria or key.tag == _PERTINENT_DOCUMENTS:
            return None
        if key.item_keys is not None and items is None:
            return None
        found.append(Picked(key.tag, f"{key.tag:08X}", key.vr, items))
    return tuple(found)


def _encoder_of(query: Query, transfer_syntax: str, requested: Terms) -> EntryEncoder:
    shape = replace(
        query, criteria=(), visible=(), ignored=(), notes=(), charset_terms=(), pending_status=0,
        shown_to=None, hidden_steps=(),
    )  # fmt: skip
    return _encoder(shape, transfer_syntax, requested)


def _is_usual(shape: Query, _: str, requested: Terms) -> bool:
    """Tell whether a shape has few keys and no values, of which a peer may send any number."""
    return (
        _count(shape.return_keys) <= _MOST_KEYS
        and sum(map(len, requested)) <= LONGEST_REMEMBERED
        and not any(len(creator) > LONGEST_REMEMBERED for _, creator in shape.private_creators)
    )


def _count(keys: Iterable[ReturnKey]) -> int:
    return sum(
        1 + _count(key.item_keys or ()) + (_MOST_KEYS if key.item_criteria else 0) for key in keys
    )


@remembered(256, _is_usual)
def _encoder(shape: Query, transfer_syntax: str, requested: Terms) -> EntryEncoder:
    return EntryEncoder(shape, transfer_syntax, requested)
