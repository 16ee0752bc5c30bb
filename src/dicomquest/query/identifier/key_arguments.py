"""``KEY[=VALUE]`` as a user writes it: attributes by keyword, tag or path, and what they match.

=======================================================  ========================================
PatientName=CITIZEN*                                     by keyword
0010,0010=CITIZEN*  or  00100010=CITIZEN*                by tag
RequestAttributesSequence.ScheduledProcedureStepID=SPS1  in the item of a sequence
0023,xx01:AcmeCompany=x                                  private, in any block of the creator
0023,1001:AcmeCompany=x                                  private; the creator reserves block 10
0023,0010=AcmeCompany  0023,1001=x                       the same, the creator as a key of its own
=======================================================  ========================================

A creator ends before ``=``, or before a dot that a tag or a known keyword follows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.datadict import (
    dictionary_VR,
    keyword_for_tag,
    private_dictionary_VR,
    tag_for_keyword,
)

from dicomquest.dataset.dictionary import close_keywords
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.standard.tags import in_block, is_private, is_private_creator

TAG = r"[0-9A-Fa-f]{4},?(?:[0-9A-Fa-f]{2}|[xX]{2})[0-9A-Fa-f]{2}"
STEP = re.compile(rf"(?P<tag>{TAG})(?P<private>:)?|(?P<keyword>\w+)")
ENDS_CREATOR = re.compile(rf"\.(?:(?P<tag>{TAG})(?=[.:]|$)|(?P<keyword>[A-Z]\w+)(?=\.|$))")

_COMPARISON = re.compile(r"(\w+) *([<>]=?) *([^<>=]+)")
_IN_WORDS = re.compile(r"[A-Za-z]+(?:'s)?(?: [A-Za-z]+(?:'s)?)+")

NUMBERS: dict[str, Callable[[str], float]] = {
    **dict.fromkeys(("US", "SS", "UL", "SL", "UV", "SV", "IS"), int),
    **dict.fromkeys(("FL", "FD", "DS"), float),
}
WITHOUT_MULTIPLICITY = frozenset({"LT", "ST", "UR", "UT"})
WITHOUT_TEXT = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})

# The dictionary has few private creators. LO compares as text, and a peer that knows the attribute
# takes its own VR.
UNKNOWN_PRIVATE_VR = "LO"


class KeyTextError(ValueError):
    """A KEY[=VALUE] that is wrong; the message names it and says what to write."""


@dataclass(frozen=True, slots=True)
class PathStep:
    """One attribute: its tag (block 0 if any block will do), and the private creator if given."""

    tag: int
    creator: str | None = None
    any_block: bool = False

    @property
    def is_private(self) -> bool:
        """Tell whether the group is odd and the element is no creator (PS3.5 7.8.1)."""
        return is_private(self.tag) and (self.any_block or not is_private_creator(self.tag))


@dataclass(frozen=True, slots=True)
class Key:
    """One key; without a ``value`` the peer only returns the attribute."""

    name: str
    path: tuple[PathStep, ...]
    value: str


def parse_key(text: str) -> Key:
    """Parse one ``KEY[=VALUE]``; KeyTextError if it is wrong."""
    name, _, value = text.partition("=")
    name = name.strip()
    if not name:
        raise KeyTextError(f"{text!r}: expected KEY or KEY=VALUE")
    if match := _COMPARISON.fullmatch(text.strip()):
        raise KeyTextError(
            f"{text!r}: a KEY takes = alone; a range is {match[1]}={_range_of(match[2], match[3])}"
        )
    if _IN_WORDS.fullmatch(name):
        raise KeyTextError(_no_keyword(name, text))
    path: list[PathStep] = []
    position = 0
    while position < len(name):
        if path:
            if name[position] != "." or position + 1 == len(name):
                raise KeyTextError(
                    f"{text!r}: expected the next step of the path at {name[position:]!r}"
                )
            position += 1
        step, position = _parse_step(name, position, text)
        path.append(step)
    for step in path[:-1]:
        if vr_of(step) not in {"SQ", None}:
            raise KeyTextError(
                f"{text!r}: {label(step)} is not a sequence, so it holds no further attribute"
            )
    return Key(name, tuple(path), value)


def _parse_step(name: str, position: int, text: str) -> tuple[PathStep, int]:
    match = STEP.match(name, position)
    if match is None:
        raise KeyTextError(
            f"{text!r}: expected a keyword or a tag such as 0010,0010 at {name[position:]!r}"
        )
    if match["keyword"] is not None:
        return PathStep(_tag_of(match["keyword"], text)), match.end()
    digits = match["tag"].replace(",", "").lower()
    end, creator = match.end(), None
    if match["private"]:
        end = _end_of_creator(name, match.end())
        creator = name[match.end() : end].strip()
        if not creator:
            raise KeyTextError(f"{text!r}: expected the private creator behind the colon")
    any_block = digits[4:6] == "xx"
    step = PathStep(int(digits.replace("xx", "00"), 16), creator, any_block)
    if (any_block or creator is not None) and not is_private(step.tag):
        raise KeyTextError(
            f"{text!r}: group {digits[:4]} is even, so the attribute is not private; "
            "leave the creator out"
        )
    if any_block and creator is None:
        raise KeyTextError(
            f"{text!r}: a private attribute in any block needs its creator; "
            f"write {match['tag']}:CREATOR"
        )
    return step, end


def _end_of_creator(name: str, start: int) -> int:
    for match in ENDS_CREATOR.finditer(name, start):
        if match["tag"] or tag_for_keyword(match["keyword"]) is not None:
            return match.start()
    return len(name)


def _tag_of(keyword: str, text: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is not None:
        return int(tag)
    raise KeyTextError(_no_keyword(keyword, text))


def _no_keyword(name: str, text: str) -> str:
    """Return that a name is no keyword, with the ones that may have been meant."""
    where = f"{text!r}: " if text != name else ""
    close = close_keywords(name)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    return f"{where}{name!r} is not a keyword of the DICOM dictionary{hint}"


def _range_of(operator: str, value: str) -> str:
    """Return the range that a comparison means; both ends belong to a range."""
    return f"{value}.." if operator.startswith(">") else f"..{value}"


def vr_of(step: PathStep) -> str | None:
    """Return the VR of the dictionary, the first of several; None for an unknown private tag."""
    if is_private(step.tag):
        if not step.is_private:
            return "LO"
        try:
            vr = private_dictionary_VR(step.tag | 0x1000, step.creator or "")[:2]
        except KeyError:
            return None
        return None if vr == "UN" else vr
    try:
        vr = dictionary_VR(step.tag)
    except KeyError:
        raise KeyTextError(f"{label(step)} is not in the DICOM dictionary") from None
    if vr == "NONE":
        # The dictionary has the delimiters of items, too.
        raise KeyTextError(f"{label(step)} is no attribute")
    return vr[:2]


def label(step: PathStep) -> str:
    """Return the name of an attribute for messages and for the heads of columns."""
    block = "xx" if step.any_block else f"{step.tag >> 8 & 0xFF:02X}"
    tag = f"{step.tag >> 16:04X},{block}{step.tag & 0xFF:02X}"
    return keyword_for_tag(step.tag) or (tag if step.creator is None else f"{tag}:{step.creator}")


def parse_keys(texts: Iterable[str]) -> list[Key]:
    """Parse all keys; KeyTextError if one is wrong or an attribute occurs twice."""
    keys: list[Key] = []
    paths = set()
    for text in texts:
        key = parse_key(text)
        if key.path in paths:
            raise KeyTextError(
                f"{text!r}: {key.name} occurs twice; write a backslash between several values"
            )
        paths.add(key.path)
        keys.append(key)
    return keys


def build_identifier(keys: Sequence[Key]) -> DataSet:
    """Put the keys into a data set; keys of one sequence share its one item (PS3.4 C.2.2.2.6)."""
    identifier: DataSet = {}
    for key in keys:
        target = identifier
        for step in key.path[:-1]:
            tag = _place(target, step)
            if tag not in target or not target[tag].values:
                target[tag] = Element("SQ", ({},))
            target = target[tag].values[0]
        step = key.path[-1]
        vr = vr_of(step) or UNKNOWN_PRIVATE_VR
        # An earlier key inside this sequence has asked for it already.
        target.setdefault(_place(target, step), Element(vr, _values(key, vr)))
    return _ascending(identifier)


def _ascending(data_set: DataSet) -> DataSet:
    return {
        tag: Element("SQ", tuple(_ascending(item) for item in element.values))
        if element.vr == "SQ"
        else element
        for tag, element in sorted(data_set.items())
    }


def _place(target: DataSet, step: PathStep) -> int:
    """Return the tag in this data set; reserve the block of a private creator (PS3.5 7.8.1)."""
    if step.creator is None:
        return step.tag
    group = step.tag & 0xFFFF0000
    creator = Element("LO", (step.creator,))
    if step.any_block:
        block = next(
            block for block in range(0x10, 0x100) if target.get(group | block, creator) == creator
        )
    else:
        block = step.tag >> 8 & 0xFF
    reserved = target.setdefault(group | block, creator)
    if reserved != creator:
        raise KeyTextError(
            f"{label(step)}: {reserved.values[0]!r} has this block already; write xx for any block"
        )
    return in_block(step.tag, block)


def _values(key: Key, vr: str) -> tuple[Any, ...]:
    text = key.value
    if not text:
        return ()
    if vr == "SQ":
        raise KeyTextError(
            f"{key.name} is a sequence; write an attribute of its item: {key.name}.KEYWORD=VALUE"
        )
    if vr in WITHOUT_TEXT:
        raise KeyTextError(
            f"{key.name}: no query can match VR {vr}; leave the value out to have it returned"
        )
    parts = (text,) if vr in WITHOUT_MULTIPLICITY else tuple(text.split("\\"))
    try:
        if vr in NUMBERS:
            numbers = tuple(NUMBERS[vr](part) for part in parts)
            return parts if vr in {"IS", "DS"} else numbers
        if vr == "AT":
            return tuple(int(part.strip("() ").replace(",", ""), 16) for part in parts)
    except ValueError:
        expected = "a tag such as 0010,0010" if vr == "AT" else "a number"
        raise KeyTextError(f"{key.name}={text!r}: write {expected}, as the VR is {vr}") from None
    return parts
