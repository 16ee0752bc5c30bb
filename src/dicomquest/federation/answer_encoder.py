"""Merged responses to the bytes of response identifiers, by the fast encoder (PS3.5 7)."""

from __future__ import annotations

import json
from functools import lru_cache

from dicomquest.dataset.charset import Terms
from dicomquest.dataset.elements import DataSet, element_to_json
from dicomquest.dataset.fast_encoder import ResponseEncoder
from dicomquest.dataset.response_fields import Field, Row, Source
from dicomquest.standard.vr import VR, Kind


def encode_merged(responses: list[DataSet], transfer_syntax: str, requested: Terms) -> list[bytes]:
    """Return each response in bytes; ``requested`` is the character set of the request."""
    encoded: list[bytes] = []
    for response in responses:
        shape = tuple((tag, element.vr) for tag, element in response.items())
        encoded += _encoder(shape, transfer_syntax, requested).encode([_row(response)])
    return encoded


@lru_cache(maxsize=256)
def _encoder(
    shape: tuple[tuple[int, str], ...], transfer_syntax: str, requested: Terms
) -> ResponseEncoder:
    """Return the encoder of responses with the same elements; making one takes a millisecond."""
    fields = tuple(Field(tag, vr, _source(vr)) for tag, vr in shape)
    return ResponseEncoder(fields, transfer_syntax, requested)


def _source(vr: str) -> Source:
    return Source.TEXT if VR[vr].kind is Kind.TEXT else Source.JSON


def _row(response: DataSet) -> Row:
    return tuple(
        None
        if not element.values
        else "\\".join(element.values)
        if VR[element.vr].kind is Kind.TEXT
        else json.dumps(element_to_json(element))
        for element in response.values()
    )
