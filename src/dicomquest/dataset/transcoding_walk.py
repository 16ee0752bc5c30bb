"""A walk through a stored data set: its elements one by one, their values unread (PS3.5 7).

Stricter than the decoder: a data set that leaves any doubt about its bytes is not re-encoded. Some
writers fall back to implicit VR in mid data set: such an element is read where the dictionary has
its tag and its length fits.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, NamedTuple

from dicomquest.dataset.codec import PIXEL_DATA
from dicomquest.dataset.decoder import (
    ITEM,
    ITEM_DELIMITER,
    PIXEL_REPRESENTATION,
    SEQUENCE_DELIMITER,
    UNDEFINED,
)
from dicomquest.dataset.dictionary import US_OR_SS, private_vr, standard_vr
from dicomquest.dataset.limits import FILE_LIMITS
from dicomquest.dataset.transcoding_source import PART, Source
from dicomquest.dataset.value_fields import CODES
from dicomquest.errors import DataSetError
from dicomquest.standard.tags import creator_tag, is_private, is_private_creator, tag_text
from dicomquest.standard.vr import VALUE_REPRESENTATIONS

_SHORT_FORM: Final = {CODES[row.vr]: row.vr for row in VALUE_REPRESENTATIONS if not row.long_form}
_LONG_FORM: Final = {CODES[row.vr]: row.vr for row in VALUE_REPRESENTATIONS if row.long_form}
# DCMTK writes question marks for a VR that it does not know (PS3.5 7.1.2).
_UNKNOWN_FORM: Final = b"??"
_EXPLICIT: Final = {order: struct.Struct(order + "HH2sH") for order in "<>"}
_IMPLICIT: Final = {order: struct.Struct(order + "HHI") for order in "<>"}
_LENGTH: Final = {order: struct.Struct(order + "I") for order in "<>"}
_LONGEST_CREATOR: Final = 64
"""Bytes of a private creator, an LO."""


def _is_vr(code: bytes) -> bool:
    """Tell whether two bytes are a VR, a known one or not."""
    known = code in _SHORT_FORM or code in _LONG_FORM or code == _UNKNOWN_FORM
    return known or (code.isalpha() and code.isupper())


class StepKind(Enum):
    """A thing that stands in a data set."""

    VALUE = auto()
    SEQUENCE = auto()
    SEQUENCE_END = auto()
    ITEM = auto()
    ITEM_END = auto()
    ENCAPSULATED = auto()


class Step(NamedTuple):
    """A step of the walk; behind a VALUE, the source stands at its first byte.

    Whoever walks may take all of the value, or leave it. ``order`` is the byte order that it has,
    as ``struct`` writes it; ``depth`` counts the sequences around.
    """

    kind: StepKind
    tag: int
    vr: str = ""
    length: int = 0
    order: str = "<"
    depth: int = 0


@dataclass(slots=True)
class _Container:
    """A data set, item or sequence that the walk is in; ``end`` is None if delimited.

    ``limit`` is the end of the innermost one that has a length.
    """

    kind: StepKind
    tag: int
    end: int | None
    limit: int
    explicit: bool
    order: str
    signed: bool
    creators: dict[int, str] = field(default_factory=dict)


class Walk:
    """One walk through a source; ``signed`` is told by Pixel Representation, wherever it stands."""

    def __init__(self, source: Source, *, explicit: bool, order: str, signed: bool = False) -> None:
        self._source = source
        self._root = _Container(StepKind.ITEM, 0, None, source.end, explicit, order, signed)
        self._stack = [self._root]

    @property
    def signed(self) -> bool:
        """Pixel Representation of the data set, as far as it has been walked through."""
        return self._root.signed

    def steps(self) -> Iterator[Step]:
        """Yield the steps; DataSetError for bytes that are no data set of the form.

        Group lengths are left out, as they would be wrong in another form (PS3.5 7.2).
        """
        source, stack = self._source, self._stack
        while True:
            inner = stack[-1]
            if inner.end is not None and source.position >= inner.end:
                yield self._close()
            elif inner.kind is StepKind.SEQUENCE:
                yield self._item(inner)
            elif inner is self._root and self._is_over():
                return
            else:
                step = self._element(inner)
                if step is None:
                    continue
                after = source.position + step.length
                yield step
                if step.kind is StepKind.VALUE:
                    source.skip(after - source.position)
                elif step.kind is StepKind.ENCAPSULATED:
                    self._skip_fragments(step.tag)

    def _is_over(self) -> bool:
        """Tell whether only zeros are left, which some writers leave behind the last element."""
        source = self._source
        if source.at_end():
            return True
        beginning = source.rest(8)
        if beginning.strip(b"\0"):
            return False
        while not source.at_end():
            part = source.rest(PART)
            if part.strip(b"\0"):
                raise DataSetError("zeros between elements", offset=source.position)
            source.skip(len(part))
        return True

    def _close(self) -> Step:
        container = self._stack.pop()
        if container.kind is StepKind.SEQUENCE:
            return Step(StepKind.SEQUENCE_END, container.tag, depth=self._depth())
        return Step(StepKind.ITEM_END, container.tag, depth=self._depth())

    def _depth(self) -> int:
        return len(self._stack) // 2

    def _item(self, sequence: _Container) -> Step:
        """Return the step of an item, or of the sequence's end."""
        tag, length = self._item_header(sequence)
        if tag == SEQUENCE_DELIMITER:
            if sequence.end is not None and self._source.position != sequence.end:
                raise self._fault("a delimiter before the end of a sequence", sequence.tag)
            return self._close()
        if tag != ITEM:
            raise self._fault(f"{tag_text(tag)} where an item was expected", sequence.tag)
        self._push(StepKind.ITEM, sequence, sequence.tag, length)
        return Step(StepKind.ITEM, sequence.tag, depth=self._depth())

    def _item_header(self, container: _Container) -> tuple[int, int]:
        self._bound(container, container.tag, 8)
        group, number, length = _IMPLICIT[container.order].unpack(self._source.take(8))
        return group << 16 | number, length

    def _push(self, kind: StepKind, outer: _Container, tag: int, length: int) -> None:
        end = None
        if length != UNDEFINED:
            self._bound(outer, tag, length)
            end = self._source.position + length
        limit = outer.limit if end is None else end
        self._stack.append(
            _Container(kind, tag, end, limit, outer.explicit, outer.order, outer.signed)
        )

    def _element(self, inner: _Container) -> Step | None:
        """Return the step of an element, or of the item's end; None for a group length."""
        source = self._source
        self._bound(inner, None, 8)
        data = source.take(8)
        if inner.explicit:
            group, number, code, length = _EXPLICIT[inner.order].unpack(data)
        else:
            group, number, length = _IMPLICIT[inner.order].unpack(data)
            code = b""
        tag = group << 16 | number
        if group == 0xFFFE:
            return self._item_end(inner, tag)
        explicit = inner.explicit and _is_vr(code)
        if not explicit:
            (length,) = _LENGTH[inner.order].unpack(data[4:])
            self._check_implicit(inner, tag, code, length)
            vr = self._implicit_vr(inner, tag, length)
        elif code in _SHORT_FORM:
            vr = _SHORT_FORM[code]
        else:
            # Any two capitals are a VR; one that nobody here knows is UN (PS3.5 7.1.2).
            vr = _LONG_FORM.get(code, "UN")
            self._bound(inner, tag, 4)
            (length,) = _LENGTH[inner.order].unpack(source.take(4))
        if length == UNDEFINED:
            return self._undefined(inner, tag, vr, explicit=explicit)
        self._bound(inner, tag, length)
        if not number:
            source.skip(length)
            return None
        if vr == "SQ" and length:
            return self._sequence(inner, tag, length, explicit=explicit)
        if tag == PIXEL_REPRESENTATION and length == 2:
            inner.signed = source.peek(2) == (b"\1\0" if inner.order == "<" else b"\0\1")
        return Step(StepKind.VALUE, tag, vr, length, inner.order, self._depth())

    def _check_implicit(self, inner: _Container, tag: int, code: bytes, length: int) -> None:
        """Refuse an element that stands in implicit VR among explicit ones, unless all fits."""
        fits = length == UNDEFINED or self._source.position + length <= inner.limit
        if inner.explicit and (standard_vr(tag) is None or not fits):
            raise self._fault(f"{code!r} is no value representation", tag)

    def _implicit_vr(self, inner: _Container, tag: int, length: int) -> str:
        """Return the VR by the dictionaries; UN if unknown, which holds for most private ones."""
        if not is_private(tag):
            vr = standard_vr(tag) or "UN"
            return vr if vr != US_OR_SS else "SS" if inner.signed else "US"
        if is_private_creator(tag):
            if length <= _LONGEST_CREATOR:
                creator = self._source.peek(length).decode("latin-1").strip(" \0")
                inner.creators[tag] = creator
            return "LO"
        creator = inner.creators.get(creator_tag(tag), "")
        known = private_vr(tag, creator) if creator else None
        # A private sequence is read only where its length says that it is one.
        if known is None or (known == "SQ" and length != UNDEFINED):
            return "UN"
        return known if known != US_OR_SS else "SS" if inner.signed else "US"

    def _undefined(self, inner: _Container, tag: int, vr: str, *, explicit: bool) -> Step:
        if explicit and vr == "UN":
            # One of VR UN is implicit VR little endian (PS3.5 6.2.2 note 5).
            return self._sequence(inner, tag, UNDEFINED, explicit=False, order="<")
        if vr in {"SQ", "UN"} or (not explicit and is_private(tag)):
            return self._sequence(inner, tag, UNDEFINED, explicit=explicit)
        if tag == PIXEL_DATA and inner is self._root and inner.explicit and vr in ("OB", "OW"):
            return Step(StepKind.ENCAPSULATED, tag, vr)
        raise self._fault(f"undefined length of VR {vr}", tag)

    def _sequence(
        self, inner: _Container, tag: int, length: int, *, explicit: bool, order: str = ""
    ) -> Step:
        """Enter a sequence, whose items have this form."""
        if self._depth() >= FILE_LIMITS.depth:
            raise self._fault(f"sequences nested deeper than {FILE_LIMITS.depth}", tag)
        step = Step(StepKind.SEQUENCE, tag, "SQ", depth=self._depth())
        self._push(StepKind.SEQUENCE, inner, tag, length)
        self._stack[-1].explicit = explicit
        self._stack[-1].order = order or inner.order
        return step

    def _item_end(self, inner: _Container, tag: int) -> Step:
        is_end = tag == ITEM_DELIMITER and inner is not self._root
        if not is_end or (inner.end is not None and self._source.position != inner.end):
            raise self._fault(f"{tag_text(tag)} where an element was expected", inner.tag or None)
        return self._close()

    def _skip_fragments(self, tag: int) -> None:
        """Leave out the fragments of encapsulated pixel data (PS3.5 A.4)."""
        while True:
            found, length = self._item_header(self._root)
            if found == SEQUENCE_DELIMITER:
                return
            if found != ITEM or length == UNDEFINED:
                raise self._fault(f"{tag_text(found)} where a fragment was expected", tag)
            self._source.skip(length)

    def _bound(self, inner: _Container, tag: int | None, length: int) -> None:
        """Hold a length against the end of what it stands in."""
        if self._source.position + length > inner.limit:
            left = inner.limit - self._source.position
            raise self._fault(f"{length} bytes expected, {left} there", tag)

    def _fault(self, message: str, tag: int | None) -> DataSetError:
        position = self._source.position
        place = f"{tag_text(tag)}: " if tag is not None else ""
        return DataSetError(f"{place}{message} at byte {position}", offset=position, tag=tag)
