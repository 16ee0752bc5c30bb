"""QIDO-RS answered from the index: C-FIND's own service, with another parser and encoder.

The service, its batches and its limits are those of ``services.find`` (PS3.18 10.6).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from time import monotonic

from dicomquest.dataset.json_encoder import JsonEncoder, Place
from dicomquest.dataset.native_xml import to_native_xml
from dicomquest.dataset.response_fields import Field, Row, Source
from dicomquest.index.index import Index
from dicomquest.index.search.sqlite_cursor import Cursor
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.model import Query, ReturnKey
from dicomquest.services.access import PeerChoices
from dicomquest.services.find import FindService, check_level
from dicomquest.services.request import ServiceRequest
from dicomquest.services.search_batches import RowEncoder
from dicomquest.standard.keys import UNIQUE_KEYS
from dicomquest.standard.tags import INSTANCE_AVAILABILITY
from dicomquest.web.media_types import JSON, XML
from dicomquest.web.search_parameters import MODEL, SearchRequest

MOST_REMAINING = 10_000
"""Matches behind a page that are counted: a viewer asks for a page of all studies at its start."""

ROWS_AT_A_TIME = 4096
"""Rows that are counted at a time."""

_ONLINE = Field(INSTANCE_AVAILABILITY, "CS", Source.CONSTANT, "ONLINE")


@dataclass(frozen=True, slots=True)
class Form:
    """The representation of a list of matches: its media type, and what stands around each."""

    content_type: str
    opening: bytes
    separator: bytes
    closing: bytes
    boundary: str = ""


AS_JSON = Form(JSON, b"[", b",", b"]")


def as_xml() -> Form:
    """Return the form of a multipart message with a new boundary (PS3.18 8.6.1.2)."""
    boundary = secrets.token_hex(16)
    kind = f'multipart/related; type="{XML}"; boundary={boundary}'
    return Form(kind, b"", b"", f"--{boundary}--\r\n".encode(), boundary)


class SearchServiceRequest(ServiceRequest):
    """A search on its way through the service.

    ``search`` is what was asked for, ``form`` how it is answered, ``base`` the address of the
    service if entities can be retrieved from it. ``total`` is the number of all matches, None for
    one that has to be counted. ``is_partial`` tells that an answer which lacks matches is sent all
    the same, with a warning.
    """

    __slots__ = ("base", "form", "is_partial", "search", "total")

    search: SearchRequest
    form: Form
    base: str | None
    total: int | None
    is_partial: bool


class SearchService(FindService):
    """Answers searches; ``handle`` is that of C-FIND."""

    def __init__(self, index: Index, service: FindService | None = None) -> None:
        """Answer from an index, within the limits of the ``service`` that answers C-FIND."""
        super().__init__(
            index,
            "",
            service.limits if service is not None else None,
            service.gate if service is not None else None,
        )
        self.index = index

    def understand(self, request: ServiceRequest, peer: PeerChoices) -> tuple[Query, RowEncoder]:
        """Return the query of a search, and the encoder of its matches."""
        del peer
        assert isinstance(request, SearchServiceRequest)  # noqa: S101  nobody asks otherwise
        search = request.search
        query = parse_identifier(search.identifier, MODEL.uid, search.options)
        profile = request.association.profile
        check_level(query.level, profile)
        query = replace(query, visible=profile.visible, page=search.page)
        place = None
        fields = self.index.fields(query)
        fields += tuple(
            Field(tag, "LO", Source.CONSTANT, creator) for tag, creator in query.private_creators
        )
        if request.base is not None:
            place = Place(request.base, search.resource.segments)
            fields += (_ONLINE,)
        if request.form is AS_JSON:
            return query, _json_encoder(fields, search.optional, place)
        return query, XmlEncoder(JsonEncoder(fields, search.optional, place), request.form.boundary)

    def counting(self, query: Query) -> Counting:
        """Return the counting of all matches of a query, of which a page is wanted."""
        unique = UNIQUE_KEYS[query.level]
        keys = (ReturnKey(unique.tag, unique.vr, unique.level),)
        return Counting(self.index, replace(query, page=None, return_keys=keys))


@lru_cache(maxsize=256)
def _json_encoder(
    fields: tuple[Field, ...], optional: frozenset[int], place: Place | None
) -> JsonEncoder:
    """Return the encoder of a query shape; making one takes a millisecond."""
    return JsonEncoder(fields, optional, place)


class XmlEncoder:
    """The encoder of matches to parts of a multipart message, one by one (PS3.19 A.1)."""

    def __init__(self, encoder: JsonEncoder, boundary: str) -> None:
        self._encoder = encoder
        self._start = (
            f'--{boundary}\r\nContent-Type: {XML}\r\n\r\n<?xml version="1.0" encoding="UTF-8"?>\n'
        )

    def encode(self, rows: Iterable[Row]) -> list[bytes]:
        """Return a part for each row, headers and all."""
        return [
            f"{self._start}{to_native_xml(self._encoder.data_set(row))}\r\n".encode(
                "utf-8", "replace"
            )
            for row in rows
        ]


class Counting:
    """The number of all matches of a query, found by a cursor of its own."""

    def __init__(self, index: Index, query: Query) -> None:
        self._index = index
        self._query = query
        self._cursor: Cursor | None = None
        self._is_interrupted = False

    def count(self, most: int, until: float | None) -> int | None:
        """Count up to ``most``, in any thread.

        None if it is interrupted, or takes until after that time.
        """
        total = 0
        with self._index.search(self._query) as cursor:
            self._cursor = cursor
            while not self._is_interrupted:
                wanted = min(ROWS_AT_A_TIME, most - total)
                rows = cursor.fetch(wanted)
                total += len(rows)
                if len(rows) < wanted or total == most:
                    return total
                if until is not None and monotonic() > until:
                    return None
        return None

    def interrupt(self) -> None:
        """End the counting, from another thread."""
        self._is_interrupted = True
        if self._cursor is not None:
            self._cursor.interrupt()
