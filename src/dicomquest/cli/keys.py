"""``KEY[=VALUE]`` on the command line: by keyword, by tag, in sequences by a dotted path, private with their creator.

====================================================================  =======================================
PatientName=CITIZEN*                                                  by keyword
0010,0010=CITIZEN*  or  00100010=CITIZEN*                             by tag
RequestAttributesSequence.ScheduledProcedureStepID=SPS1               in the item of a sequence
0023,xx01:AcmeCompany=x                                               private; xx: in the creator's block, any
0023,1001:AcmeCompany=x                                               private; the creator reserves block 10
0023,0010=AcmeCompany  0023,1001=x                                    the same, the creator as a key of its own
====================================================================  =======================================

A creator ends before ``=``, or before a dot that a tag or a known keyword follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom import Dataset

TAG = r"[0-9A-Fa-f]{4},?(?:[0-9A-Fa-f]{2}|[xX]{2})[0-9A-Fa-f]{2}"
STEP = re.compile(rf"(?P<tag>{TAG})(?P<private>:)?|(?P<keyword>\w+)")
ENDS_CREATOR = re.compile(rf"\.(?:(?P<tag>{TAG})(?=[.:]|$)|(?P<keyword>[A-Z]\w+)(?=\.|$))")

BINARY_NUMBERS = {"US": int, "SS": int, "UL": int, "SL": int, "UV": int, "SV": int, "FL": float, "FD": float}
WITHOUT_TEXT = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})

# A private attribute has no VR that we could know unless its creator is in pydicom's dictionary. LO compares as text,
# and a peer that knows the attribute takes its own VR.
UNKNOWN_PRIVATE_VR = "LO"


class KeyTextError(ValueError):
    """A KEY[=VALUE] that cannot be read; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class PathStep:
    """One attribute: its tag (block 0 where the block is open), and the creator if one was given."""

    tag: int
    creator: str | None = None
    any_block: bool = False

    @property
    def is_private(self) -> bool:
        """Whether the group is odd and the element no creator (PS3.5 7.8.1)."""
        return bool(self.tag >> 16 & 1) and (self.any_block or not 0x10 <= (self.tag & 0xFFFF) <= 0xFF)


@dataclass(frozen=True, slots=True)
class Key:
    """One key; ``value`` is '' where the attribute is only to be returned."""

    name: str
    path: tuple[PathStep, ...]
    value: str


def parse_key(text: str) -> Key:
    """Read one ``KEY[=VALUE]``; KeyTextError says what is wrong."""
    name, _, value = text.partition("=")
    name = name.strip()
    if not name:
        raise KeyTextError(f"{text!r}: expected KEY or KEY=VALUE")
    path: list[PathStep] = []
    position = 0
    while position < len(name):
        if path:
            if name[position] != "." or position + 1 == len(name):
                raise KeyTextError(f"{text!r}: expected the next step of the path at {name[position:]!r}")
            position += 1
        step, position = _parse_step(name, position, text)
        path.append(step)
    for step in path[:-1]:
        if vr_of(step) not in {"SQ", None}:
            raise KeyTextError(f"{text!r}: {label(step)} is no sequence, so it has no items to look into")
    return Key(name, tuple(path), value)


def _parse_step(name: str, position: int, text: str) -> tuple[PathStep, int]:
    match = STEP.match(name, position)
    if match is None:
        raise KeyTextError(f"{text!r}: expected a keyword or a tag such as 0010,0010 at {name[position:]!r}")
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
    if (any_block or creator is not None) and not step.tag >> 16 & 1:
        raise KeyTextError(f"{text!r}: group {digits[:4]} is even, so the attribute is not private and has no creator")
    if any_block and creator is None:
        raise KeyTextError(f"{text!r}: a private attribute in any block needs its creator: {match['tag']}:CREATOR")
    return step, end


def _end_of_creator(name: str, start: int) -> int:
    from pydicom.datadict import tag_for_keyword

    for match in ENDS_CREATOR.finditer(name, start):
        if match["tag"] or tag_for_keyword(match["keyword"]) is not None:
            return match.start()
    return len(name)


def _tag_of(keyword: str, text: str) -> int:
    from pydicom.datadict import tag_for_keyword

    tag = tag_for_keyword(keyword)
    if tag is not None:
        return int(tag)
    message = f"{text!r}: {keyword!r} is no keyword of the DICOM dictionary"
    close = close_keywords(keyword)
    if close:
        message += f"; did you mean {' or '.join(close)}?"
    raise KeyTextError(message)


def close_keywords(keyword: str) -> list[str]:
    """Return up to three keywords of the dictionary that somebody may have meant, the closest first."""
    from difflib import get_close_matches

    from pydicom.datadict import keyword_dict

    by_folded = {known.casefold(): known for known in keyword_dict}
    return [by_folded[folded] for folded in get_close_matches(keyword.casefold(), by_folded, n=3, cutoff=0.75)]


def vr_of(step: PathStep) -> str | None:
    """Return the VR in the dictionary, the first where it leaves a choice; None for an unknown private attribute."""
    from pydicom.datadict import dictionary_VR, private_dictionary_VR

    if step.tag >> 16 & 1:
        if not step.is_private:
            return "LO"
        try:
            return private_dictionary_VR(step.tag | 0x1000, step.creator or "")[:2]
        except KeyError:
            return None
    try:
        return dictionary_VR(step.tag)[:2]
    except KeyError:
        raise KeyTextError(f"{label(step)} is no attribute of the DICOM dictionary") from None


def label(step: PathStep) -> str:
    """Return what to call an attribute in a message and in a column's head."""
    from pydicom.datadict import keyword_for_tag

    block = "xx" if step.any_block else f"{step.tag >> 8 & 0xFF:02X}"
    tag = f"{step.tag >> 16:04X},{block}{step.tag & 0xFF:02X}"
    return keyword_for_tag(step.tag) or (tag if step.creator is None else f"{tag}:{step.creator}")


def parse_keys(texts: Iterable[str]) -> list[Key]:
    """Read all keys; the same attribute twice is an error."""
    keys: list[Key] = []
    paths = set()
    for text in texts:
        key = parse_key(text)
        if key.path in paths:
            raise KeyTextError(f"{text!r}: {key.name} is given twice; separate several values by a backslash")
        paths.add(key.path)
        keys.append(key)
    return keys


def build_identifier(keys: Sequence[Key]) -> Dataset:
    """Put the keys into a data set; those in the same sequence share its one item (PS3.4 C.2.2.2.6)."""
    from pydicom import Dataset

    identifier = Dataset()
    for key in keys:
        target = identifier
        for step in key.path[:-1]:
            tag = _place(target, step)
            if tag not in target or not target[tag].value:
                _set(target, tag, "SQ", [Dataset()])
            target = target[tag].value[0]
        step = key.path[-1]
        vr = vr_of(step) or UNKNOWN_PRIVATE_VR
        tag = _place(target, step)
        if tag not in target:  # a sequence that another key goes into is asked for already
            _set(target, tag, vr, _value(key, vr))
    return identifier


def _place(target: Dataset, step: PathStep) -> int:
    """Return the tag in this data set, with the private creator's element beside it."""
    if step.creator is None:
        return step.tag
    if step.any_block:
        block = target.private_block(step.tag >> 16, step.creator, create=True)
        return int(block.get_tag(step.tag & 0xFF))
    creator_tag = step.tag & 0xFFFF0000 | step.tag >> 8 & 0xFF
    if creator_tag in target and target[creator_tag].value != step.creator:
        raise KeyTextError(f"{label(step)}: {target[creator_tag].value!r} has reserved that block already")
    _set(target, creator_tag, "LO", step.creator)
    return step.tag


def _set(target: Dataset, tag: int, vr: str, value: object) -> None:
    from pydicom import config
    from pydicom.dataelem import DataElement

    # Keys may be longer than their VR allows, and hold wild cards and ranges (PS3.4 C.2.2.2): no validation.
    target.add(DataElement(tag, vr, value, validation_mode=config.IGNORE))


def _value(key: Key, vr: str) -> Any:
    text = key.value
    if not text:
        return [] if vr == "SQ" else None if vr in BINARY_NUMBERS else ""
    if vr == "SQ":
        raise KeyTextError(f"{key.name} is a sequence: give the attributes of its item as {key.name}.KEYWORD=VALUE")
    if vr in WITHOUT_TEXT:
        raise KeyTextError(f"{key.name}: a value of VR {vr} cannot be matched; leave it empty to have it returned")
    try:
        if vr in BINARY_NUMBERS:
            numbers = [BINARY_NUMBERS[vr](part) for part in text.split("\\")]
            return numbers if len(numbers) > 1 else numbers[0]
        if vr == "AT":
            return [int(part.strip("() ").replace(",", ""), 16) for part in text.split("\\")]
        if vr in {"IS", "DS"}:
            for part in text.split("\\"):
                float(part)
    except ValueError:
        expected = "a tag such as 0010,0010" if vr == "AT" else "a number"
        raise KeyTextError(f"{key.name}={text!r}: expected {expected}, as its VR is {vr}") from None
    return text
