"""Merged responses to the bytes of response identifiers, by the fast encoder (PS3.5 7)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby

from dicomquest.dataset.charset import Terms
from dicomquest.dataset.elements import DataSet, element_to_json
from dicomquest.dataset.fast_encoder import ResponseEncoder
from dicomquest.dataset.response_fields import Field, Row, Source
from dicomquest.federation.gathering import Response
from dicomquest.federation.row_reader import RowPart, RowReader
from dicomquest.standard.vr import VR, Kind


def encode_responses(
    responses: Sequence[Response], transfer_syntax: str, requested: Terms
) -> list[bytes]:
    """Return each response in bytes; ``requested`` is the character set of the request."""
    suited = {
        reader
        for reader in {each.reader for each in responses if isinstance(each, RowPart)}
        if reader.raw is not None
        and reader.raw.suits(transfer_syntax, requested, reader.shape.transfer_syntax)
    }
    encoded = [
        each.data if isinstance(each, RowPart) and each.reader in suited else None
        for each in responses
    ]
    if None not in encoded:
        return [data for data in encoded if data is not None]
    others = [each for each, data in zip(responses, encoded, strict=True) if data is None]
    made = iter(_encode_others(others, transfer_syntax, requested))
    return [next(made) if data is None else data for data in encoded]


def _encode_others(
    responses: Sequence[Response], transfer_syntax: str, requested: Terms
) -> list[bytes]:
    """Return responses whose bytes did not come as they are to go."""
    encoded: list[bytes] = []
    for reader, group in groupby(responses, key=_reader):
        if reader is None:
            encoded += encode_merged([each.response for each in group], transfer_syntax, requested)
            continue
        encoder = _encoder_of(reader.fields, transfer_syntax, requested)
        rows = [each for each in group if isinstance(each, RowPart)]
        encoded += encoder.encode([reader.response(each.values) for each in rows])
    return encoded


def _reader(response: Response) -> RowReader | None:
    return response.reader if isinstance(response, RowPart) else None


def encode_merged(responses: list[DataSet], transfer_syntax: str, requested: Terms) -> list[bytes]:
    """Return each response in bytes; ``requested`` is the character set of the request."""
    encoded: list[bytes] = []
    for response in responses:
        encoder = _encoder_of(fields_of(response), transfer_syntax, requested)
        encoded += encoder.encode([row_of(response)])
    return encoded


@lru_cache(maxsize=256)
def _encoder_of(
    fields: tuple[Field, ...], transfer_syntax: str, requested: Terms
) -> ResponseEncoder:
    """Return the encoder of responses with the same elements; making one takes a millisecond."""
    return ResponseEncoder(fields, transfer_syntax, requested)


def fields_of(response: DataSet) -> tuple[Field, ...]:
    """Return the elements of a response as columns of its row."""
    return tuple(Field(tag, element.vr, _source(element.vr)) for tag, element in response.items())


def _source(vr: str) -> Source:
    return Source.TEXT if VR[vr].kind is Kind.TEXT else Source.JSON


def row_of(response: DataSet) -> Row:
    """Return the values of a response as a row."""
    return tuple(
        None
        if not element.values
        else "\\".join(element.values)
        if VR[element.vr].kind is Kind.TEXT
        else json.dumps(element_to_json(element))
        for element in response.values()
    )
