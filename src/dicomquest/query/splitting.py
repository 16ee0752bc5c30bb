"""A query in parts that a peer's limit of answers does not cut (PS3.4 C.4.1, C.2.2.2.4, C.2.2.2.5).

``split`` is a plan without I/O: a generator that yields the identifier of each part, takes the
answers in short, and returns a report. Parts do not overlap, and together they are the whole: days,
then the times of one day, then the beginnings of names.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TypeAlias

from dicomquest.dataset.dates import date_interval, date_range, sortable_date, sortable_time
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.errors import ValueFormatError
from dicomquest.query.patterns import has_wild_card
from dicomquest.standard.keys import KEYS_BY_KEYWORD
from dicomquest.standard.levels import Level

LEAST_CAP = 100
"""Answers from which a round number looks like a limit of the peer."""

MOST_PARTS = 50_000
"""Questions of one query at most."""

_DATE, _TIME, _NAME = (
    KEYS_BY_KEYWORD[keyword].tag for keyword in ("StudyDate", "StudyTime", "PatientName")
)
_LEADING_DIGITS = frozenset({"1", "2", "25", "3", "4", "5"})
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_OTHERS = "0123456789^ -'.,_"
_NEVER_FIRST = "^ ="
"""Characters that ask for nothing at the beginning of a name: padding, and empty components."""

_LONGEST_PREFIX = 64
_LAST_SECOND = 24 * 3600 - 1


def is_round(count: int) -> bool:
    """Tell whether a number of answers looks like a limit that somebody has set: 100, 500, 2000."""
    return count >= LEAST_CAP and str(count).rstrip("0") in _LEADING_DIGITS


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer in short: its unique key, and what parts are made by."""

    unique: str
    day: str | None
    time: str | None
    name: str


@dataclass(frozen=True, slots=True)
class PartAnswer:
    """The answers to one part; ``is_cut`` if the peer's status says that there are more."""

    seen: tuple[Seen, ...]
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class SplitReport:
    """The result: ``cap`` is None if the peer cut nothing.

    ``uncovered`` names the parts that reached the cap and cannot be divided, ``lost`` counts the
    answers that came and are in none of the others, ``assumptions`` is what no part can ask for.
    """

    parts: int
    cap: int | None
    uncovered: tuple[str, ...] = ()
    lost: int = 0
    assumptions: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Tell whether no part is at the cap, and all answers are in some part."""
        return not (self.uncovered or self.lost)


Plan: TypeAlias = Generator[DataSet, PartAnswer, SplitReport]


def seen(answer: DataSet, unique_tag: int) -> Seen:
    """Return an answer in short."""
    return Seen(
        _text(answer, unique_tag),
        sortable_date(_text(answer, _DATE)),
        sortable_time(_text(answer, _TIME)),
        _text(answer, _NAME),
    )


def with_split_keys(identifier: DataSet, level: Level) -> DataSet:
    """Return an identifier that also asks for what parts are made by."""
    tags = {Level.STUDY: (_DATE, _TIME, _NAME), Level.PATIENT: (_NAME,)}.get(level, ())
    vrs = {_DATE: "DA", _TIME: "TM", _NAME: "PN"}
    added = {tag: Element(vrs[tag], ()) for tag in tags if tag not in identifier}
    return dict(sorted({**identifier, **added}.items()))


@dataclass(frozen=True, slots=True)
class _Part:
    """A part: days and seconds with both ends, None open; a beginning of the name, None for any."""

    first: date | None = None
    last: date | None = None
    has_days: bool = False
    since: int = 0
    until: int = _LAST_SECOND
    has_times: bool = False
    prefix: str = ""
    has_name: bool = False
    is_exact: bool = False

    def identifier(self, whole: DataSet) -> DataSet:
        """Return the identifier that asks for this part."""
        made = dict(whole)
        if self.has_days:
            first, last = _da(self.first), _da(self.last)
            made[_DATE] = Element("DA", (first if first == last else f"{first}-{last}",))
        if self.has_times:
            # Up to the last fraction of the second: some peers compare times as text.
            made[_TIME] = Element("TM", (f"{_tm(self.since)}-{_tm(self.until)}.999999",))
        if self.has_name:
            value = self.prefix if self.is_exact else f"{self.prefix}*"
            made[_NAME] = Element("PN", (value,))
        return made

    @property
    def newest(self) -> str:
        """The key that this part was made by."""
        if self.has_name:
            return "Patient's Name"
        return "Study Time" if self.has_times else "Study Date"

    def holds(self, answers: Sequence[Seen]) -> bool:
        """Tell whether most answers are of this part; else the peer has ignored its keys."""
        return 2 * sum(map(self._has, answers)) >= len(answers)

    def _has(self, answer: Seen) -> bool:
        if self.has_name:
            groups = answer.name.casefold().split("=")
            return any(group.startswith(self.prefix.casefold()) for group in groups)
        if self.has_times:
            return answer.time is None or (_tm(self.since) <= answer.time[:6] <= _tm(self.until))
        first, last = _da(self.first), _da(self.last)
        return answer.day is None or (first <= answer.day and (not last or answer.day <= last))

    @property
    def words(self) -> str:
        """The part in words."""
        found = []
        if self.has_days:
            first, last = _iso(self.first), _iso(self.last)
            found.append(first if first == last else f"{first}..{last}")
        if self.has_times:
            since, until = _clock(self.since), _clock(self.until)
            found.append(since if since == until else f"{since} to {until}")
        if self.has_name:
            found.append(f"name {self.prefix}{'' if self.is_exact else '*'}")
        return ", ".join(found) or "the whole query"


@dataclass(slots=True)
class _Split:
    whole: DataSet
    level: Level
    can_use_days: bool
    can_use_times: bool
    can_use_names: bool
    cap: int | None = None
    parts: int = 0
    uncovered: list[str] = field(default_factory=list)
    assumptions: dict[str, None] = field(default_factory=dict)
    above: set[str] = field(default_factory=set)
    covered: set[str] = field(default_factory=set)

    def ask(self, part: _Part) -> Generator[DataSet, PartAnswer, PartAnswer]:
        self.parts += 1
        return (yield part.identifier(self.whole))

    def is_capped(self, answer: PartAnswer) -> bool:
        count = len(answer.seen)
        return answer.is_cut or (count == self.cap) or (self.cap is None and is_round(count))

    def cover(self, root: _Part, answer: PartAnswer) -> Generator[DataSet, PartAnswer, None]:
        """Divide a part that reached the cap until no part does."""
        todo = [(root, answer)]
        while todo:
            part, above = todo.pop()
            self.above.update(each.unique for each in above.seen)
            children = self.divide(part, above.seen)
            if not children or self.parts + len(children) > MOST_PARTS:
                self.uncovered.append(part.words)
                self.covered.update(each.unique for each in above.seen)
                continue
            for child in children:
                below = yield from self.ask(child)
                if not child.holds(below.seen):
                    # Smaller parts would come back the same, without end.
                    self.uncovered.append(f"{part.words} (the peer ignores {child.newest})")
                    self.covered.update(each.unique for each in above.seen)
                    break
                if self.is_capped(below):
                    todo.append((child, below))
                else:
                    self.covered.update(each.unique for each in below.seen)

    @property
    def lost(self) -> int:
        """The answers that came, and are in no part below the cap: there may be more like them."""
        return len(self.above - self.covered)

    def divide(self, part: _Part, seen_in_part: Sequence[Seen]) -> list[_Part]:
        """Return parts that make up a part; none if it cannot be divided."""
        is_one_day = part.has_days and part.first is not None and part.first == part.last
        is_any_name = not part.has_name or part.is_exact
        if self.can_use_days and not is_one_day and is_any_name:
            days = [each.day for each in seen_in_part if each.day is not None]
            if days and len(days) == len(seen_in_part):
                if not part.has_days:
                    self.assumptions[f"{self.level.entities} without a Study Date"] = None
                return _by_day(part, days)
        if (
            self.can_use_times
            and (is_one_day or not self.can_use_days)
            and is_any_name
            and part.since < part.until
        ):
            times = sorted(each.time for each in seen_in_part if each.time is not None)
            if times and len(times) == len(seen_in_part):
                if not part.has_times:
                    self.assumptions[f"{self.level.entities} without a Study Time"] = None
                return _by_time(part, times)
        if self.can_use_names and not part.is_exact and _has_longer(part, seen_in_part):
            self.assumptions["names with unusual characters"] = None
            return _by_name(part, [each.name for each in seen_in_part])
        return []


def split(identifier: DataSet, level: Level) -> Plan:
    """Plan the parts of a query, from the whole on; ``with_split_keys`` has made the identifier."""
    made = _plan_of(identifier, level)
    root = _root(identifier, made)
    first = yield from made.ask(_Part())
    count = len(first.seen)
    if not made.is_capped(first):
        hidden = False
        if count >= LEAST_CAP:
            hidden = yield from _finds_more(made, root, first)
        if not hidden:
            return SplitReport(made.parts, None)
    made.cap = count
    yield from made.cover(root, first)
    if not made.uncovered and made.above | made.covered == {each.unique for each in first.seen}:
        return SplitReport(made.parts, None)
    return SplitReport(made.parts, count, tuple(made.uncovered), made.lost, tuple(made.assumptions))


def _finds_more(
    made: _Split, root: _Part, first: PartAnswer
) -> Generator[DataSet, PartAnswer, bool]:
    """Tell whether parts have answers that the whole has not: a limit that is no round number."""
    whole = {each.unique for each in first.seen}
    children = made.divide(root, first.seen)
    if len(children) > 3:  # names: too many questions for a doubt
        children = []
    is_more = False
    for child in children:
        below = yield from made.ask(child)
        is_more = is_more or any(each.unique not in whole for each in below.seen)
    made.assumptions.clear()
    return is_more


def _plan_of(identifier: DataSet, level: Level) -> _Split:
    is_study, name = level is Level.STUDY, _text(identifier, _NAME)
    return _Split(
        identifier,
        level,
        can_use_days=is_study,
        can_use_times=is_study and not _text(identifier, _TIME),
        can_use_names=level <= Level.STUDY and (not name or _prefix_of(name) is not None),
    )


def _root(identifier: DataSet, made: _Split) -> _Part:
    """Return the part of the whole query, with the days and the beginning of a name it asks for."""
    part = _Part()
    if made.can_use_names and (name := _text(identifier, _NAME)):
        part = replace(part, prefix=_prefix_of(name) or "")
    asked = _text(identifier, _DATE)
    if not made.can_use_days or not asked:
        return part
    try:
        lower, upper = date_range(asked) if "-" in asked else date_interval(asked)
    except ValueFormatError:
        made.can_use_days = False
        return part
    return replace(part, first=_day(lower), last=_day(upper), has_days=True)


def _prefix_of(name: str) -> str | None:
    """Return the beginning that a key like ``DOE*`` asks for; None for other keys."""
    prefix = name.removesuffix("*")
    return prefix if prefix != name and not has_wild_card(prefix) else None


def _by_day(part: _Part, seen_days: Sequence[str]) -> list[_Part]:
    """Divide at the median of the days that were seen, so that parts grow alike.

    A peer that sorts has shown the oldest or the newest days: it is divided where they end.
    """
    days = sorted(seen_days)
    middle = _day(days[len(days) // 2])
    if days[0] != days[-1] and list(seen_days) == days:
        middle = _day(days[-1])
    elif days[0] != days[-1] and list(seen_days) == days[::-1]:
        oldest = _day(days[0])
        middle = None if oldest is None else oldest + timedelta(days=1)
    assert middle is not None  # noqa: S101
    ends = [(part.first, middle - timedelta(days=1)), (middle, part.last)]
    if days[0] == days[-1] or middle == part.first:
        ends = [
            (part.first, middle - timedelta(days=1)),
            (middle, middle),
            (middle + timedelta(days=1), part.last),
        ]
    return [
        replace(part, first=first, last=last, has_days=True)
        for first, last in ends
        if first is None or last is None or first <= last
    ]


def _by_time(part: _Part, times: Sequence[str]) -> list[_Part]:
    middle = _seconds(times[len(times) // 2])
    middle = min(max(middle, part.since), part.until)
    ends = [(part.since, middle - 1), (middle, part.until)]
    if times[0][:6] == times[-1][:6] or middle == part.since:
        ends = [(part.since, middle - 1), (middle, middle), (middle + 1, part.until)]
    return [
        replace(part, since=since, until=until, has_times=True)
        for since, until in ends
        if since <= until
    ]


def _by_name(part: _Part, names: Sequence[str]) -> list[_Part]:
    """Divide by the next character; capital letters alone unless small ones were seen."""
    place = len(part.prefix)
    following = {name[place] for name in names if len(name) > place} - set("*?\\=")
    letters = _LETTERS + _OTHERS
    if any(character.islower() for character in following):
        letters += _LETTERS.lower()
    characters = [*letters, *sorted(following - set(letters))]
    if not part.prefix:
        characters = [each for each in characters if each not in _NEVER_FIRST]
    children = [
        replace(part, prefix=part.prefix + character, has_name=True) for character in characters
    ]
    if part.prefix:
        children.append(replace(part, has_name=True, is_exact=True))
    return children


def _has_longer(part: _Part, seen_in_part: Sequence[Seen]) -> bool:
    """Tell whether a name goes on behind the beginning of the part; empty components do not."""
    length = len(part.prefix.rstrip("^ "))
    return length < _LONGEST_PREFIX and (
        not part.prefix or any(len(each.name.rstrip("^ ")) > length for each in seen_in_part)
    )


def _text(data_set: DataSet, tag: int) -> str:
    element = data_set.get(tag)
    return "\\".join(map(str, element.values)).strip() if element is not None else ""


def _day(text: str | None) -> date | None:
    return None if text is None else date(int(text[:4]), int(text[4:6]), int(text[6:]))


def _da(day: date | None) -> str:
    return "" if day is None else f"{day.year:04}{day.month:02}{day.day:02}"


def _iso(day: date | None) -> str:
    return "" if day is None else day.isoformat()


def _seconds(text: str) -> int:
    return min(int(text[:2]) * 3600 + int(text[2:4]) * 60 + int(text[4:6]), _LAST_SECOND)


def _tm(seconds: int) -> str:
    return f"{seconds // 3600:02}{seconds // 60 % 60:02}{seconds % 60:02}"


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
