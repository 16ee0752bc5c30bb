"""Invariant: any content of an item is decoded, or RemoteProtocolError (PS3.8 9.3.2 to 9.3.3)."""

from __future__ import annotations

from contextlib import suppress

from dicomquest.errors import RemoteProtocolError
from dicomquest.pdu.items import decode_context_ac, decode_context_rq, iterate_items
from dicomquest.pdu.user_information import decode_user_information


def check(data: bytes) -> None:
    """Read the bytes as the content of each kind of item."""
    for decode in (decode_context_rq, decode_context_ac, decode_user_information, _items):
        with suppress(RemoteProtocolError):
            decode(data)


def _items(data: bytes) -> list[tuple[int, bytes]]:
    return list(iterate_items(data, "fuzz"))
