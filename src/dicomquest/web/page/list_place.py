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
    """An order, the mark of the list's time, and the row it goes on behind, or before.

    ``before`` are the rows of the list before that place, None if nobody has counted them. A place
    that ``is_backward`` without a position is the end of the list.
    """

    order: StudyOrder = DEFAULT
    as_of: int | None = None
    position: Position | None = None
    before: int | None = 0
    is_backward: bool = False

    @property
    def is_start(self) -> bool:
        """Tell whether the list begins here."""
        return self.position is None and not self.is_backward

    def listing(self, limit: int) -> StudyListing:
        """Return the part of the list that begins here, or ends here if it is read backward."""
        return StudyListing(
            self.order,
            self.position,
            limit=limit,
            as_of=self.as_of,
            is_backward=self.is_backward,
        )

    def parameters(self, sealer: Sealer | None = None) -> str:
        """Return the parameters after those of the question, with an ampersand before; "" for none.

        A position may hold a name: a ``sealer`` seals it.
        """
        pairs = []
        if self.order != DEFAULT:
            pairs.append(("sort", _word(self.order)))
        if self.position is not None:
            way = "before" if self.is_backward else "after"
            pairs.append((way, _text(self.position, sealer)))
            if self.before is not None:
                pairs.append(("row", str(self.before)))
        elif self.is_backward:
            pairs.append(("end", "1"))
        if not self.is_start and self.as_of is not None:
            pairs.append(("asof", str(self.as_of)))
        return "".join(f"&{urlencode([pair])}" for pair in pairs)


def read_place(parameters: Mapping[str, str], sealer: Sealer | None = None) -> ListPlace:
    """Return the place of an address; the start of the list for one that is none."""
    order = _order(parameters.get("sort", ""))
    as_of = _number(parameters.get("asof", ""))
    if "end" in parameters:
        return ListPlace(order, as_of, None, None, is_backward=True)
    is_backward = "before" in parameters
    text = parameters.get("before" if is_backward else "after", "")
    position = _position(text, order, sealer)
    if position is None:
        return ListPlace(order)
    row = _number(parameters.get("row"))
    return ListPlace(order, as_of, position, row, is_backward=is_backward)


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
