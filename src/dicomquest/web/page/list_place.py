"""The place in a list of studies as parameters of an address: order, mark, last row (RFC 3986)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from dicomquest.errors import DicomquestError
from dicomquest.query.study_listing import Position, SortBy, StudyListing, StudyOrder

if TYPE_CHECKING:
    from dicomquest.web.box.sealing import Sealer

DEFAULT = StudyOrder()
_LARGEST = 1 << 62
_LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class ListPlace:
    """An order, the mark of the list's time, the row it goes on behind, and rows before that."""

    order: StudyOrder = DEFAULT
    as_of: int | None = None
    position: Position | None = None
    before: int = 0

    def listing(self, limit: int) -> StudyListing:
        """Return the part of the list that begins here."""
        return StudyListing(self.order, self.position, limit=limit, as_of=self.as_of)

    def parameters(self, sealer: Sealer | None = None) -> str:
        """Return the parameters after those of the question, with an ampersand before; "" for none.

        A position may hold a name: a ``sealer`` seals it.
        """
        pairs = []
        if self.order != DEFAULT:
            pairs.append(("sort", _word(self.order)))
        if self.position is not None:
            pairs.append(("after", _text(self.position, sealer)))
            pairs.append(("row", str(self.before)))
            if self.as_of is not None:
                pairs.append(("asof", str(self.as_of)))
        return "".join(f"&{urlencode([pair])}" for pair in pairs)


def read_place(parameters: Mapping[str, str], sealer: Sealer | None = None) -> ListPlace:
    """Return the place of an address; the start of the list for one that is none."""
    order = _order(parameters.get("sort", ""))
    position = _position(parameters.get("after", ""), order, sealer)
    if position is None:
        return ListPlace(order)
    return ListPlace(
        order, _number(parameters.get("asof", "")), position, _number(parameters.get("row")) or 0
    )


def _word(order: StudyOrder) -> str:
    return f"{'-' if order.is_descending else ''}{order.by.value}"


def _order(word: str) -> StudyOrder:
    for by in SortBy:
        if word.removeprefix("-") == by.value:
            return StudyOrder(by, is_descending=word.startswith("-"))
    return DEFAULT


def _text(position: Position, sealer: Sealer | None) -> str:
    text = json.dumps(position.values, ensure_ascii=False, separators=(",", ":"))
    if sealer is not None:
        return sealer.seal(text)
    data = text.encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _position(text: str, order: StudyOrder, sealer: Sealer | None) -> Position | None:
    """Return a position; None unless its values are those of the order."""
    if not text or len(text) > _LONGEST:
        return None
    try:
        if sealer is not None:
            values = json.loads(sealer.open(text))
        else:
            values = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (DicomquestError, binascii.Error, ValueError, RecursionError):
        return None
    if order.by is SortBy.RECEIVED:
        fits = _is_number(values)
    else:
        length = 3 if order.by is SortBy.DATE else 4
        fits = (
            isinstance(values, list)
            and len(values) == length
            and all(each is None or isinstance(each, str) for each in values)
            and values[-1] is not None
        )
    return Position(tuple(values)) if fits else None


def _is_number(values: object) -> bool:
    return (
        isinstance(values, list)
        and len(values) == 1
        and type(values[0]) is int
        and 0 <= values[0] < _LARGEST
    )


def _number(text: str | None) -> int | None:
    if text is None or not (text.isascii() and text.isdecimal()) or len(text) > 18:
        return None
    return int(text)
