"""The decoder: bytes to elements, in each form of VR, with sequences (PS3.5 6.2.2, 7, A).

It reads one pass from front to back and never past its bounds: each length is held against the end
of the container (data set, item, value) that it stands in. It raises DataSetError and nothing else,
whatever the bytes. Deviations that leave no doubt are read, and remarked on; ``Limits`` bound what
a data set may cost, as a peer decides on every length, depth and count.
"""

from __future__ import annotations

import struct

from dicomquest.dataset.charset import FALLBACK, Terms
from dicomquest.dataset.dictionary import (
    IMPLICIT_CODES,
    US_OR_SS,
    private_vr,
    standard_vr,
)
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.dataset.limits import (
    COST_OF_NUMBERS,
    LARGEST_TEXT,
    LONGEST_LATE,
    MOST_KEPT,
    MOST_VALUES,
    RESPONSE_LIMITS,
    Limits,
)
from dicomquest.dataset.value_fields import (
    CODES,
    REMEMBERED_LENGTH,
    Place,
    RemarkKind,
    Remarks,
    ValueReader,
    big_endian_element,
    inner_scope,
    little_endian_element,
)
from dicomquest.errors import DataSetError
from dicomquest.standard.tags import (
    FIRST_TAG,
    SPECIFIC_CHARACTER_SET,
    creator_tag,
    is_private_creator,
    tag_text,
)
from dicomquest.standard.vr import VALUE_REPRESENTATIONS, VR, Kind, ValueRepresentation

UNDEFINED = 0xFFFFFFFF
ITEM = 0xFFFEE000
ITEM_DELIMITER = 0xFFFEE00D
SEQUENCE_DELIMITER = 0xFFFEE0DD
PIXEL_REPRESENTATION = 0x00280103

# Delimiters of items and sequences end every data set; no attribute has a tag as high (PS3.5 7.5).
_AFTER_LAST_TAG = 0xFFFE0000

# Elements that say how to read those behind them.
_CHANGE_SCOPE = (SPECIFIC_CHARACTER_SET, PIXEL_REPRESENTATION)

_SHORT_FORM = frozenset(CODES[row.vr] for row in VALUE_REPRESENTATIONS if not row.long_form)
_LONG_FORM = {CODES[row.vr]: row.vr for row in VALUE_REPRESENTATIONS if row.long_form}
_ALL_CODES = frozenset(CODES.values())
_UNPACK = {
    order: tuple(struct.Struct(order + layout).unpack_from for layout in ("HH2sH", "HHI", "I"))
    for order in "<>"
}
# DCMTK writes question marks for a VR that it does not know, with 32 bits of length (PS3.5 7.1.2).
_UNKNOWN_FORM = b"??"
# Zeros behind the last element are padding up to this number.
_LONGEST_PADDING = 64
# Beyond any position.
_NO_END = 1 << 62


class TruncatedDataSetError(DataSetError):
    """The bytes end within an element; ``needed`` of them at least would make it whole."""

    def __init__(self, message: str, *, offset: int, tag: int | None, needed: int) -> None:
        super().__init__(message, offset=offset, tag=tag)
        self.needed = needed


class Decoder:
    """Decodes data sets out of ``data``: bytes, or a mapped file, which it touches where needed.

    With ``largest_opaque`` it leaves out what no index keeps: opaque values of more bytes, others
    of more than ``LARGEST_TEXT``, and nearly all that is ``MOST_KEPT`` bytes behind ``start``.
    """

    def __init__(
        self,
        data: bytes,
        *,
        big_endian: bool = False,
        limits: Limits = RESPONSE_LIMITS,
        fallback: Terms = FALLBACK,
        remarks: Remarks | None = None,
        largest_opaque: int | None = None,
        start: int = 0,
    ) -> None:
        self._data = data
        self._size = len(data)
        self._big_endian = big_endian
        self._limits = limits
        self._fallback = fallback
        self._remarks = Remarks() if remarks is None else remarks
        # An index leaves out what is too large for it; whoever sends a data set on needs all.
        self._leaves_out = largest_opaque is not None
        self._largest_opaque = limits.value if largest_opaque is None else largest_opaque
        self._budget = limits.elements
        # The position behind which hardly anything is kept.
        self._kept_until = start + MOST_KEPT if self._leaves_out else _NO_END
        order = ">" if big_endian else "<"
        self._explicit_header, self._implicit_header, self._length = _UNPACK[order]
        self._remembered = big_endian_element if big_endian else little_endian_element
        self._reader = ValueReader(order, self._fallback, self._remarks)

    def read(self, place: Place, position: int, end: int, stop: int = _AFTER_LAST_TAG) -> int:
        """Read elements up to ``end`` or a tag of at least ``stop``; return the next position."""
        # The loop runs for each element of each header: names are local, and the short form of
        # explicit VR, nearly every element, is read here without a call but for its value.
        data, remembered, explicit = self._data, self._remembered, place.explicit
        header = self._explicit_header if explicit else self._implicit_header
        is_ascii, elements, leaves_out = place.scope.is_ascii, place.elements, self._leaves_out
        previous = -1
        budget = self._budget
        # The range is the element budget and the loop counter in one. It is one longer than the
        # budget, so that the last element allowed may still be followed by the end.
        for remaining in range(budget, -1, -1):  # noqa: B007
            if position >= end:
                break
            try:
                if explicit:
                    group, number, code, length = header(data, position)
                else:
                    group, number, length = header(data, position)
                    code = IMPLICIT_CODES.get(group << 16 | number)
            except struct.error:
                if self._is_padding(position, end):
                    position = end
                    break
                raise self._overrun(position, None, 8, end) from None
            tag = group << 16 | number
            # In order and below the stop: one comparison for nearly every element.
            if previous < tag < stop:
                previous = tag
            elif tag >= stop:
                break
            elif not self._keeps(place, tag):
                number = 0  # leaves it out below, as group lengths are (PS3.5 7.2)
            if leaves_out and position > self._kept_until and not _is_kept_late(place, tag):
                number = 0
            if code in _SHORT_FORM:
                start, position = position + 8, position + 8 + length
                if position > end:
                    raise self._overrun(start, tag, length, end)
                # Short values come again in the next header. Where bytes below 80H are not
                # ISO 646 the same bytes are another text, so those are not looked up.
                if not number:
                    continue
                element = (
                    remembered(code, data[start:position])
                    if length <= REMEMBERED_LENGTH and is_ascii
                    else None
                )
                if element is None:
                    element = self.value(place, tag, code.decode("ascii"), start, position)
            else:
                element, position = self._element(place, tag, code, position, end)
                if not number:
                    continue
            if element is not None:
                elements[tag] = element
                if tag in _CHANGE_SCOPE:
                    is_ascii = self._change_scope(place, tag, element)
        else:
            remaining = -1
        # The items read meanwhile have taken their share already: subtract, do not assign.
        self._budget -= budget - remaining
        if self._budget < 0:
            raise self._beyond("elements", "more than {} elements", position)
        self._finish(place)
        return position

    def _change_scope(self, place: Place, tag: int, element: Element) -> bool:
        if tag == SPECIFIC_CHARACTER_SET:
            place.scope = inner_scope(place.scope, element, self._remarks)
        else:
            place.scope = place.scope._replace(signed=element.values == (1,))
        return place.scope.is_ascii

    def _finish(self, place: Place) -> None:
        if not place.in_order:
            place.elements = dict(sorted(place.elements.items()))
        first = next(iter(place.elements), FIRST_TAG)
        if first < FIRST_TAG:
            self._remarks.add(first, RemarkKind.FOREIGN_GROUP)

    def _keeps(self, place: Place, tag: int) -> bool:
        """Remark on a tag not above the one before; return False to leave its element out."""
        if tag in place.elements:
            self._remarks.add(tag, RemarkKind.DUPLICATE)
            return False
        if tag & 0xFFFF:
            self._remarks.add(tag, RemarkKind.OUT_OF_ORDER)
            place.in_order = False
        return True

    def _element(
        self, place: Place, tag: int, code: bytes | None, position: int, end: int
    ) -> tuple[Element | None, int]:
        """Read the element at ``position``, of implicit VR or the long form; None to leave it out.

        ``code`` are the two bytes where explicit VR has its VR, None in implicit VR.
        """
        vr = None if code is None else _LONG_FORM.get(code)
        # Any two capitals are a VR; one that nobody here knows has the long form (PS3.5 7.1.2).
        # Other bytes belong to a length: some writers fall back to implicit VR in mid data set.
        if vr is not None or (
            code is not None and (code == _UNKNOWN_FORM or (code.isalpha() and code.isupper()))
        ):
            vr, explicit = vr or "UN", True
            position += 8
            if position + 4 > end:
                raise self._overrun(position, tag, 4, end)
        else:
            if code is not None:
                self._remarks.add(tag, RemarkKind.VR_FORM, "an element in implicit VR")
            vr, explicit = self._dictionary_vr(place, tag), False
            position += 4
        length = self._length(self._data, position)[0]
        position += 4
        if length == UNDEFINED:
            return self._undefined(place, tag, vr, position, end, explicit=explicit)
        if code is not None and code not in _LONG_FORM and position + length > end:
            # Bytes that are no VR (blanks, NULs, question marks) and a length that does not fit:
            # it is a short one, and stands where explicit VR has it.
            short = position if not explicit else position - 4
            size = int(self._explicit_header(self._data, short - 8)[3])
            if short + size <= end:
                self._remarks.add(tag, RemarkKind.VR_FORM, "no VR, and a length of 16 bits")
                vr, position, length = self._dictionary_vr(place, tag), short, size
        start, position = position, position + length
        if position > end:
            raise self._overrun(start, tag, length, end)
        if start > self._kept_until and (place.depth or vr == "SQ" or length > LONGEST_LATE):
            return None, position
        if vr == "SQ":
            items, _ = self.items(place, tag, start, position, explicit=explicit, delimited=False)
            return Element(vr, items), position
        if vr == "UN":
            return self._unknown(place, tag, start, position), position
        return self.value(place, tag, vr, start, position), position

    def _dictionary_vr(self, place: Place, tag: int) -> str:
        """Return the VR of an element that does not say it; UN if unknown (PS3.5 6.2.2, 7.8)."""
        if tag >> 16 & 1:
            if is_private_creator(tag):
                return "LO"
            creator = place.elements.get(creator_tag(tag))
            vr = (
                private_vr(tag, creator.values[0])
                if creator and creator.vr == "LO" and creator.values
                else None
            )
        else:
            vr = standard_vr(tag)
        if vr == US_OR_SS:
            return "SS" if place.scope.signed else "US"
        return vr or ("UN" if tag & 0xFFFF else "UL")

    def _undefined(
        self, place: Place, tag: int, vr: str, position: int, end: int, *, explicit: bool
    ) -> tuple[Element | None, int]:
        """Read a value of undefined length: items, or the fragments of encapsulated pixel data.

        Fragments are kept as they are, without their delimiter.
        """
        if VR[vr].kind is Kind.OPAQUE and vr != "UN":
            start, position = position, self._skip_fragments(tag, position, end)
            if position - start > self._largest_opaque:
                self._kept_until += position - start
                return None, position
            return Element(vr, (self._data[start : position - 8],)), position
        if explicit and vr not in ("SQ", "UN"):
            raise DataSetError(
                f"{tag_text(tag)}: undefined length of VR {vr}", offset=position, tag=tag
            )
        # Items of UN are implicit VR little endian, in every transfer syntax (PS3.5 6.2.2
        # note 5).
        decoder = self._little_endian() if vr == "UN" else self
        explicit = explicit and (vr == "SQ" or decoder.has_explicit_items(position, end))
        items, position = decoder.items(
            place, tag, position, end, explicit=explicit, delimited=True
        )
        return Element("SQ", items), position

    def has_explicit_items(self, position: int, end: int) -> bool:
        """Tell by the first item of a UN value whether its elements name their VR all the same.

        The letters of a VR would be the beginning of a length of 32 bits, of 16 KiB and more: they
        are a VR if so many bytes are not there.
        """
        element = position + 8
        if element + 8 > end or bytes(self._data[element + 4 : element + 6]) not in _ALL_CODES:
            return False
        length: int = self._length(self._data, element + 4)[0]
        return element + 8 + length > end

    def _unknown(self, place: Place, tag: int, start: int, end: int) -> Element | None:
        """Read a value sent as UN by the dictionary's VR; a sequence that fails stays opaque.

        Its sender did not know the VR and passed the bytes on as implicit VR little endian
        (PS3.5 6.2.2).
        """
        vr = self._dictionary_vr(place, tag)
        decoder = self._little_endian()
        if vr == "SQ":
            try:
                explicit = decoder.has_explicit_items(start, end)
                items, _ = decoder.items(place, tag, start, end, explicit=explicit, delimited=False)
            except DataSetError:
                vr = "UN"
            else:
                return Element(vr, items)
        return decoder.value(place, tag, vr, start, end)

    def value(self, place: Place, tag: int, vr: str, start: int, end: int) -> Element | None:
        """Read a value field of any VR but SQ; None for one that is too large to keep."""
        size = end - start
        if size > self._limits.value:
            raise self._too_large("value", f"a value of {size} bytes", start, tag)
        facts = VR[vr]
        if size > self._largest_opaque and (facts.kind is Kind.OPAQUE or size > LARGEST_TEXT):
            self._kept_until += size
            return None
        if start > self._kept_until and size > LONGEST_LATE:
            return None
        data = self._data[start:end]
        element = None
        if size <= REMEMBERED_LENGTH:
            if place.scope.is_ascii:
                element = self._remembered(CODES[vr], data)
        elif facts.kind is Kind.TEXT and not self._is_bearable(tag, facts, start, data):
            self._kept_until += size
            return None
        elif facts.kind is Kind.NUMBER:
            self._kept_until -= (COST_OF_NUMBERS - 1) * size
        return self._reader.element(tag, vr, data, place.scope) if element is None else element

    def _is_bearable(self, tag: int, facts: ValueRepresentation, start: int, data: bytes) -> bool:
        """Hold a text field against the limits; False for one that an index leaves out."""
        size = len(data)
        is_uid = facts.vr == "UI"
        if size > self._limits.text and not is_uid:
            raise self._too_large("text", f"a text of {size} bytes", start, tag)
        limit = "uids" if is_uid else "values"
        most = self._limits.uids if is_uid else self._limits.values
        if size <= min(most, MOST_VALUES) or not facts.multiple:
            return True
        count = data.count(b"\\") + 1
        if count > most:
            raise self._too_large(limit, f"{count} values", start, tag)
        return count <= MOST_VALUES or not self._leaves_out

    def _too_large(self, limit: str, what: str, start: int, tag: int) -> DataSetError:
        return self._beyond(limit, f"{tag_text(tag)}: {what}, at most {{}}", start, tag)

    def _beyond(self, limit: str, words: str, start: int, tag: int | None = None) -> DataSetError:
        message = words.format(getattr(self._limits, limit))
        return DataSetError(message, offset=start, tag=tag, limit=limit)

    def _little_endian(self) -> Decoder:
        """Return the decoder for values that are little endian in every transfer syntax."""
        if not self._big_endian:
            return self
        decoder = Decoder(
            self._data,
            limits=self._limits,
            fallback=self._fallback,
            remarks=self._remarks,
            largest_opaque=self._largest_opaque,
        )
        decoder._kept_until = self._kept_until
        return decoder

    def items(
        self, place: Place, tag: int, position: int, end: int, *, explicit: bool, delimited: bool
    ) -> tuple[tuple[DataSet, ...], int]:
        """Read the items of a sequence; return them and the position behind it (PS3.5 7.5).

        One of explicit length ends at ``end``, a ``delimited`` one at its delimiter before ``end``.
        """
        if place.depth >= self._limits.depth:
            raise self._beyond("depth", "sequences nested deeper than {}", position, tag)
        items: list[DataSet] = []
        count = 0
        while delimited or position < end:
            if position + 8 > end:
                raise self._overrun(position, tag, 8, end)
            group, number, length = self._implicit_header(self._data, position)
            found = group << 16 | number
            position += 8
            if found == SEQUENCE_DELIMITER:
                # A delimiter within a sequence of explicit length: the length counts.
                if not delimited:
                    self._remarks.add(tag, RemarkKind.DELIMITER)
                    position = end
                break
            if found != ITEM:
                raise DataSetError(
                    f"{tag_text(found)} where an item was expected", offset=position - 8, tag=tag
                )
            count += 1
            if count > self._limits.items:
                raise self._beyond("items", "more than {} items", position, tag)
            item = Place(place.scope, explicit, place.depth + 1)
            if length == UNDEFINED:
                position = self._end_item(tag, self.read(item, position, end), end)
            else:
                item_end = position + length
                if item_end > end:
                    raise self._overrun(position, tag, length, end)
                if self.read(item, position, item_end) < item_end:
                    self._remarks.add(tag, RemarkKind.DELIMITER)
                position = item_end
            if item.elements or position <= self._kept_until:
                items.append(item.elements)
        return tuple(items), position

    def _end_item(self, tag: int, position: int, end: int) -> int:
        if position + 8 > end:
            raise self._overrun(position, tag, 8, end)
        group, number, _ = self._implicit_header(self._data, position)
        if group << 16 | number != ITEM_DELIMITER:
            message = f"{tag_text(group << 16 | number)} where an item's end was expected"
            raise DataSetError(message, offset=position, tag=tag)
        return position + 8

    def _skip_fragments(self, tag: int, position: int, end: int) -> int:
        """Return the position behind the delimiter of encapsulated pixel data (PS3.5 A.4)."""
        while True:
            if position + 8 > end:
                raise self._overrun(position, tag, 8, end)
            group, number, length = self._implicit_header(self._data, position)
            found = group << 16 | number
            position += 8
            if found == SEQUENCE_DELIMITER:
                return position
            if found != ITEM or length == UNDEFINED:
                raise DataSetError(
                    f"{tag_text(found)} where a fragment was expected", offset=position - 8, tag=tag
                )
            position += length
            if position > end:
                raise self._overrun(position - length, tag, length, end)

    def _is_padding(self, position: int, end: int) -> bool:
        if end - position > _LONGEST_PADDING or self._data[position:end].strip(b"\0"):
            return False
        self._remarks.add(0, RemarkKind.PADDING, f"{end - position} bytes")
        return True

    def _overrun(self, position: int, tag: int | None, length: int, end: int) -> DataSetError:
        message = f"{length} bytes at {position}, of which {max(end - position, 0)} are there"
        if tag is not None:
            message = f"{tag_text(tag)}: {message}"
        # Only at the end of all bytes may there be more to come. An item that overruns its sequence
        # is wrong for good.
        if end == self._size and length != UNDEFINED:
            return TruncatedDataSetError(
                message, offset=position, tag=tag, needed=position + length
            )
        return DataSetError(message, offset=position, tag=tag)


def declared_end(data: bytes, position: int, *, explicit: bool, big_endian: bool = False) -> int:
    """Return the end that the element at ``position`` declares; 0 if it does not say.

    It says nothing if its length is undefined, or if its header is cut off.
    """
    short, _, long = _UNPACK[">" if big_endian else "<"]
    code = data[position + 4 : position + 6] if explicit else b""
    start = position + (12 if code in _LONG_FORM else 8)
    if start > len(data):
        return 0
    if code in _SHORT_FORM:
        return start + int(short(data, position)[3])
    length: int = long(data, start - 4)[0]
    return 0 if length == UNDEFINED else start + length


def _is_kept_late(place: Place, tag: int) -> bool:
    """Tell whether an element behind ``MOST_KEPT`` bytes may be kept: there are some thousands."""
    return not place.depth and not tag >> 16 & 1 and standard_vr(tag) is not None
