"""The kinds of attribute matching, one row a kind: its plain meaning and its words (PS3.4 C.2.2.2).

``matches`` compares a criterion with the search form of one stored value: three members for a name
(its component groups), two for a date-time pair, one for anything else. A member that is None fits
only ``EmptyValue``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dicomquest.query import patterns
from dicomquest.query.criteria import (
    AnyOf,
    ByStoredVR,
    CaseFree,
    Criterion,
    DateTimePairMatch,
    EmptyValue,
    FuzzyName,
    HasValue,
    MultipleValue,
    PersonName,
    Range,
    SequenceMatch,
    SingleInterval,
    SingleNumber,
    SingleValue,
    TextByStoredVR,
    UIDList,
    WildCard,
)
from dicomquest.query.name_keys import GROUPS, matches_fuzzily, matches_name
from dicomquest.standard.attributes import attribute_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicomquest.query.search_forms import SearchForm


def _within(lower: str | None, upper: str | None, value: str | None) -> bool:
    return (
        value is not None
        and (lower is None or lower <= value)
        and (upper is None or value <= upper)
    )


def _interval_matches(criterion: SingleInterval | Range, form: SearchForm) -> bool:
    return _within(criterion.lower, criterion.upper, form[0])


def _wild_card_matches(criterion: WildCard, form: SearchForm) -> bool:
    return form[0] is not None and patterns.matches(criterion.pattern, form[0])


def _case_free_matches(criterion: CaseFree, form: SearchForm) -> bool:
    return form[0] is not None and patterns.matches(criterion.pattern, patterns.fold_case(form[0]))


def _pair_matches(criterion: DateTimePairMatch, form: SearchForm) -> bool:
    date, time = form
    if criterion.combined is not None:
        lower, upper = criterion.combined.lower, criterion.combined.upper
        if date is None or time is None:
            # The time of day is unknown: the day fits if some time of it would.
            return _within(lower and lower[:8], upper and upper[:8], date)
        return _within(lower, upper, date + time)
    keys = ((criterion.date_key, date), (criterion.time_key, time))
    return all(key is None or matches(key, (value,)) for key, value in keys)


def _all_match(criterion: MultipleValue, form: SearchForm) -> bool:
    return all(matches(part, form) for part in criterion.parts)


def _any_matches(criterion: AnyOf, form: SearchForm) -> bool:
    return any(matches(part, form) for part in criterion.parts)


def _no_form_matches(_: Criterion, __: SearchForm) -> bool:
    """Return False: such a criterion looks at an element, not at the search form of a value."""
    return False


def _instant_words(text: str, *, last: bool = False) -> str:
    date = f"{text[:4]}-{text[4:6]}-{text[6:8]}" if len(text) in {8, 21} else ""
    clock = text[8:] if len(text) == 21 else text if len(text) == 13 else ""
    if not clock:
        return date
    seconds = (
        "" if clock[4:] in {"00.000000", "60.999999"} else f":{clock[4:]}".rstrip("0").rstrip(".")
    )
    if last:
        seconds = seconds.removesuffix(".999999")
    return " ".join(
        filter(None, (date, f"{clock[:2]}:{clock[2:4]}{seconds}", "UTC" if date else ""))
    )


def _interval_words(criterion: SingleInterval | Range, name: str) -> str:
    lower, upper = criterion.lower, criterion.upper
    if lower is None:
        return f"{name} is on or before {_instant_words(upper or '', last=True)}"
    if upper is None:
        return f"{name} is on or after {_instant_words(lower)}"
    first, last = _instant_words(lower), _instant_words(upper, last=True)
    return f"{name} is {first}" if first == last else f"{name} is from {first} to {last}"


def _uid_list_words(criterion: UIDList, name: str) -> str:
    count = len(criterion.uids)
    shown = ", ".join(criterion.uids[:3]) + (", ..." if count > 3 else "")
    return f"{name} is one of {count} UIDs ({shown})"


def _name_words(criterion: PersonName, name: str) -> str:
    if criterion.any_group:
        return f"{name} {_text_words(criterion.text)}"
    texts = criterion.text.split("=")
    wanted = [
        f"the {GROUPS[at]} group {_text_words(texts[at])}"
        for at, group in enumerate(criterion.groups)
        if group is not None
    ]
    return f"{name} is such that {' and '.join(wanted)}"


def _text_words(text: str) -> str:
    return patterns.pattern_words(patterns.parse_pattern(text))


def _fuzzy_words(criterion: FuzzyName, name: str) -> str:
    shown = " and ".join(
        f"'{patterns.pattern_text(word.pattern).rstrip('*')}'" for word in criterion.words
    )
    sound = " or sounds like" if any(word.code for word in criterion.words) else ""
    return f"{name} begins with{sound} {shown}, in any order"


def _pair_words(criterion: DateTimePairMatch, name: str) -> str:
    time = attribute_name(criterion.time)
    zone = _zone_words(criterion.zone_minutes)
    if criterion.combined is not None:
        pair = _interval_words(criterion.combined, f"{name} with {time}")
        return pair.replace(" UTC", "") + zone
    keys = ((criterion.date_key, name), (criterion.time_key, time))
    return " and whose ".join(words(key, of) for key, of in keys if key is not None) + zone


def _zone_words(minutes: int | None) -> str:
    if minutes is None:
        return ""
    sign = "-" if minutes < 0 else "+"
    return f" in the zone {sign}{abs(minutes) // 60:02d}{abs(minutes) % 60:02d}"


def _sequence_words(criterion: SequenceMatch, name: str) -> str:
    keys = " and ".join(
        f"whose {words(key.criterion, attribute_name(*key.path[-1]))}" for key in criterion.keys
    )
    return f"{name} has an item {keys}"


def _parts_words(operator: str) -> Callable[[AnyOf | MultipleValue, str], str]:
    def parts_words(criterion: AnyOf | MultipleValue, name: str) -> str:
        rest = [words(part, name).removeprefix(f"{name} ") for part in criterion.parts]
        return f"{name} {f' {operator} '.join(rest)}"

    return parts_words


class MatchingType(NamedTuple):
    """One kind of matching; ``words`` are the clause behind "whose".

    ``option`` is the field of QueryOptions that has to be negotiated for this kind, if one has.
    """

    name: str
    clause: str
    option: str | None
    criterion: type
    matches: Callable[[Any, SearchForm], bool]
    words: Callable[[Any, str], str]


MATCHING_TYPES: tuple[MatchingType, ...] = (
    MatchingType(
        "Single Value", "C.2.2.2.1", None, SingleValue,
        lambda criterion, form: form[0] == criterion.value,
        lambda criterion, name: f"{name} is '{criterion.value}'",
    ),
    MatchingType(
        "Single Value, numeric", "C.2.2.2.1", None, SingleNumber,
        lambda criterion, form: form[0] == criterion.number,
        lambda criterion, name: f"{name} is {criterion.number}",
    ),
    MatchingType(
        "Single Value, Person Name", "C.2.2.2.1.1", None, PersonName,
        matches_name, _name_words,
    ),
    MatchingType(
        "Fuzzy semantic matching", "C.2.2.2.1.1", "fuzzy", FuzzyName,
        matches_fuzzily, _fuzzy_words,
    ),
    MatchingType(
        "Single Value, date and time", "C.2.2.2.1.3", None, SingleInterval,
        _interval_matches, _interval_words,
    ),
    MatchingType(
        "List of UID", "C.2.2.2.2", None, UIDList,
        lambda criterion, form: form[0] in criterion.uids, _uid_list_words,
    ),
    MatchingType(
        "Wild Card", "C.2.2.2.4", None, WildCard,
        _wild_card_matches,
        lambda criterion, name: f"{name} {patterns.pattern_words(criterion.pattern)}",
    ),
    MatchingType(
        "Text without case", "C.2.2.2.1", None, CaseFree,
        _case_free_matches,
        lambda criterion, name: f"{name} {patterns.pattern_words(criterion.pattern)}, in any case",
    ),
    MatchingType(
        "Range", "C.2.2.2.5", None, Range,
        _interval_matches, _interval_words,
    ),
    MatchingType(
        "Combined date-time and time zone adjustment", "C.2.2.2.5.4", None, DateTimePairMatch,
        _pair_matches, _pair_words,
    ),
    MatchingType(
        "Sequence", "C.2.2.2.6", None, SequenceMatch,
        _no_form_matches, _sequence_words,
    ),
    MatchingType(
        "Empty Value", "C.2.2.2.7", "empty_value", EmptyValue,
        lambda _, form: not any(form), lambda _, name: f"{name} has no value",
    ),
    MatchingType(
        "Existence", "C.2.2.1.1", None, HasValue,
        lambda _, form: any(form), lambda _, name: f"{name} has a value",
    ),
    MatchingType(
        "Multiple Value", "C.2.2.2.8", "multiple_value", MultipleValue,
        _all_match, _parts_words("and"),
    ),
    MatchingType(
        "Any of several values", "C.2.2.2", None, AnyOf,
        _any_matches, _parts_words("or"),
    ),
    MatchingType(
        "Single Value, VR unknown", "C.2.2.2.1", None, ByStoredVR,
        _no_form_matches, lambda criterion, name: f"{name} is '{criterion.text}'",
    ),
    MatchingType(
        "Text, VR unknown", "C.2.2.2.1", None, TextByStoredVR,
        _no_form_matches, lambda criterion, name: words(criterion.as_text, name),
    ),
)  # fmt: skip
BY_CRITERION: dict[type, MatchingType] = {row.criterion: row for row in MATCHING_TYPES}


def matches(criterion: Criterion, form: SearchForm) -> bool:
    """Tell whether the search form of one stored value fits."""
    return BY_CRITERION[type(criterion)].matches(criterion, form)


def words(criterion: Criterion, name: str) -> str:
    """Return the criterion of the attribute called ``name`` as a clause."""
    return BY_CRITERION[type(criterion)].words(criterion, name)
