"""The values of one key as a criterion, by the VR and the negotiated options (PS3.4 C.2.2.2)."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

from dicomquest.dataset.values import canonical_number
from dicomquest.errors import ValueFormatError
from dicomquest.query.criteria import (
    AnyOf,
    ByStoredVR,
    CaseFree,
    Criterion,
    EmptyValue,
    MultipleValue,
    SingleNumber,
    SingleValue,
    UIDList,
    WildCard,
)
from dicomquest.query.instants import read_instants
from dicomquest.query.name_keys import parse_name
from dicomquest.query.patterns import (
    fold_case,
    fold_pattern_case,
    has_wild_card,
    is_universal,
    parse_pattern,
)
from dicomquest.query.search_forms import NUMBER_VRS, UNSPLIT_VRS, opaque_text
from dicomquest.standard.vr import VR, Matching, Spaces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicomquest.query.options import QueryOptions

EMPTY_VALUE_KEY = '""'
LONGEST_WILD_CARD = 10_240
"""Characters of a pattern: LT, the longest VR with a limit, has so many, and an index bounds it."""

_CASED = frozenset({"AE", "CS", "LO", "LT", "SH", "ST", "UC", "UR", "UT"})
_AGE = re.compile(r"\d{3}[DWMY]", re.ASCII)
_TAG = re.compile(r"[0-9A-Fa-f]{8}")


def read_key(
    vr: str, values: Sequence[Any], vm: str, options: QueryOptions, zone_minutes: int
) -> Criterion | None:
    """Return the criterion of a key's values, None for universal matching; not for sequences.

    ``vm`` is the dictionary's, ``zone_minutes`` the zone of date-times without an offset.
    ValueFormatError if a value does not fit the VR.
    """
    if vr == "UN":
        return _opaque(values)
    members = tuple(_clean(vr, value) for value in values)
    if vr in UNSPLIT_VRS:
        members = ("\\".join(members),) if members else ()
    present = tuple(dict.fromkeys(member for member in members if member))
    if not present:
        if len(members) > 1:
            raise ValueFormatError(vr, "\\".join(members), "a value beside the delimiters")
        return None
    if vr == "UI":
        return _uids(present, strict=options.strict)
    if members == (EMPTY_VALUE_KEY,) and options.empty_value:
        if Matching.EMPTY_VALUE not in VR[vr].matching:
            raise ValueFormatError(
                vr, EMPTY_VALUE_KEY, "a value; no empty value matching for this VR"
            )
        return EmptyValue()
    if len(present) == 1:
        return _single(vr, present[0], options, zone_minutes)
    return _several(vr, present, vm, options, zone_minutes)


def _clean(vr: str, value: Any) -> str:
    """Return one value without the padding and spaces that its VR ignores (PS3.5 6.2)."""
    if vr == "AT" and isinstance(value, int):
        return f"{value:08X}"
    text = unicodedata.normalize("NFC", str(value)).rstrip("\0")
    return text.strip(" ") if VR[vr].spaces is Spaces.BOTH else text.rstrip(" ")


def _opaque(values: Sequence[Any]) -> Criterion | None:
    data = b"".join(value if isinstance(value, bytes) else str(value).encode() for value in values)
    text = opaque_text(data)
    return ByStoredVR(data, text) if text else None


def _uids(uids: tuple[str, ...], *, strict: bool) -> Criterion | None:
    if uids == ("*",) and not strict:
        return None
    for uid in uids:
        if has_wild_card(uid):
            raise ValueFormatError("UI", uid, "no wild card")
    return UIDList(uids) if len(uids) > 1 else SingleValue(uids[0])


def _several(
    vr: str, values: tuple[str, ...], vm: str, options: QueryOptions, zone_minutes: int
) -> AnyOf | MultipleValue | None:
    if options.multiple_value and Matching.MULTIPLE_VALUE in VR[vr].matching and vm != "1":
        # Several values have "no wild cards" (C.2.2.2.8): here they are letters, which finds less
        # than the SCU may mean, never more.
        return MultipleValue(tuple(_literal(vr, value, options, zone_minutes) for value in values))
    if options.several_values == "reject":
        raise ValueFormatError(vr, "\\".join(values), "one value")
    parts = [_single(vr, value, options, zone_minutes) for value in values]
    known = tuple(part for part in parts if part is not None)
    return AnyOf(known) if len(known) == len(parts) else None


def _literal(vr: str, value: str, options: QueryOptions, zone_minutes: int) -> Criterion:
    if vr == "PN" and has_wild_card(value):
        raise ValueFormatError("PN", value, "no wild card among several values")
    if has_wild_card(value) and Matching.WILD_CARD in VR[vr].matching:
        return _text(vr, value, options)
    criterion = _single(vr, value, options, zone_minutes)
    if criterion is None:
        raise ValueFormatError(vr, value, "a value that asks for something")
    return criterion


def _single(vr: str, text: str, options: QueryOptions, zone_minutes: int) -> Criterion | None:
    if vr == "PN":
        _check_pattern(vr, text, options.most_wild_cards)
        return parse_name(text, fuzzy=options.fuzzy)
    if vr in {"DA", "TM", "DT"}:
        return read_instants(vr, text, zone_minutes)
    if vr in NUMBER_VRS:
        number = canonical_number(text)
        if number is None:
            raise ValueFormatError(vr, text, "a number")
        return SingleNumber(number)
    if has_wild_card(text) and Matching.WILD_CARD in VR[vr].matching:
        _check_pattern(vr, text, options.most_wild_cards)
        pattern = parse_pattern(text)
        if is_universal(pattern):
            return None
        if options.ignore_case and vr in _CASED:
            return CaseFree(fold_pattern_case(pattern))
        return WildCard(pattern)
    if vr == "AS" and not _AGE.fullmatch(text):
        raise ValueFormatError(vr, text, "nnnD, nnnW, nnnM or nnnY")
    if vr == "AT" and not _TAG.fullmatch(text):
        raise ValueFormatError(vr, text, "a tag")
    return _text(vr, text, options)


def _text(vr: str, text: str, options: QueryOptions) -> CaseFree | SingleValue:
    """Return the criterion of a text in which wild cards are letters."""
    if options.ignore_case and vr in _CASED:
        return CaseFree((fold_case(text),))
    return SingleValue(text)


def _check_pattern(vr: str, text: str, most_wild_cards: int) -> None:
    if len(text) > LONGEST_WILD_CARD:
        raise ValueFormatError(
            vr, text[:8] + "...", f"at most {LONGEST_WILD_CARD} characters, got {len(text)}"
        )
    count = text.count("*") + text.count("?")
    if count > most_wild_cards:
        raise ValueFormatError(
            vr,
            text[:8] + "...",
            f"at most {most_wild_cards} wild cards, got {count}",
            limit="wild_cards",
        )
