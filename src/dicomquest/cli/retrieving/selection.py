"""The entities that keys select, asked for from level to level by C-FIND (PS3.4 C.4.1.3.1).

A retrieve takes unique keys alone. All other keys are matched by queries beforehand, which also
tell how many instances come, and of which SOP classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dicomquest.cli.asking.answers import Outcome, answers, failure_of
from dicomquest.cli.retrieving.portions import (
    CLASSES,
    COUNTS,
    MOST_UIDS,
    Listed,
    Portion,
    Uniques,
    portion_of,
)
from dicomquest.dataset.charset import choose
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.errors import AssociationError
from dicomquest.query.identifier.key_arguments import Key, KeyTextError, build_identifier
from dicomquest.standard.attributes import level_of
from dicomquest.standard.keys import KEYS_BY_KEYWORD, UNIQUE_KEYS
from dicomquest.standard.levels import Level
from dicomquest.standard.tags import QUERY_RETRIEVE_LEVEL, SPECIFIC_CHARACTER_SET

if TYPE_CHECKING:
    from dicomquest.cli.asking.value_files import ValueFile
    from dicomquest.standard.models import InformationModel
    from dicomquest.sync import Association

UNIVERSAL = "*"

MOST_SHORT = 100
"""Queries that may fail after answers; a peer that fails more of them is not asked on."""
_WILD = frozenset("*?")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The keys that say what to retrieve, by the level of the query that matches them."""

    model: InformationModel
    level: Level
    keys: Mapping[Level, tuple[Key, ...]]
    values: ValueFile | None = None

    @property
    def each(self) -> Iterator[Wanted]:
        """The same for each part of the values that a file gives to a key (``KEY=@FILE``)."""
        if self.values is None:
            yield self
            return
        # The key of the level that is asked for takes a list of UIDs, any other one value.
        key, level = self.values.key, self.model.query_level(level_of(self.values.tag))
        is_list = self.values.tag == UNIQUE_KEYS[self.level].tag and self.values.vr == "UI"
        step = MOST_UIDS if is_list else 1
        for start in range(0, len(self.values.values), step):
            value = "\\".join(self.values.values[start : start + step])
            own = tuple(
                replace(each, value=value) if each.path == key.path else each
                for each in self.keys[level]
            )
            yield replace(self, keys={**self.keys, level: own}, values=None)

    @property
    def is_exact(self) -> bool:
        """Tell whether the keys are those of a retrieve: unique keys, each with its values."""
        levels = [level for level in self.model.levels if level <= self.level]
        return all(_named(self.keys.get(level, ()), level) for level in levels)

    @property
    def noun(self) -> Level:
        """The words for what is selected: those of the level."""
        return self.level

    @property
    def exact_portions(self) -> list[Portion]:
        """The portions of exact keys, as they are: nobody has been asked."""
        return [each.exact_portion for each in self.each]

    @property
    def exact_portion(self) -> Portion:
        """The portion of exact keys without a file."""
        return Portion(
            self.level,
            {
                level: _named(self.keys[level], level)
                for level in self.model.levels
                if level <= self.level
            },
        )


def wanted(
    keys: Sequence[Key],
    model: InformationModel,
    level: Level | None,
    values: ValueFile | None = None,
) -> Wanted:
    """Sort keys by level, the lowest of which is retrieved; KeyTextError if they select nothing.

    ``level`` names another level to retrieve, not above those of the keys.
    """
    if not any(key.value for key in keys):
        raise KeyTextError(
            "no KEY=VALUE says what to fetch: name a study (StudyInstanceUID=1.2.3), a patient "
            "(PatientID=4711), or a date (StudyDate=today); StudyInstanceUID=* is the whole archive"
        )
    found: dict[Level, list[Key]] = {}
    for key in keys:
        if key.value:
            # A lone * is the universal key, which is sent without a value: UIDs have no wild cards.
            own = replace(key, value="") if key.value == UNIVERSAL else key
            found.setdefault(model.query_level(level_of(key.path[0].tag)), []).append(own)
    lowest = max(found)
    if lowest not in model.levels:
        allowed = ", ".join(each.name for each in model.levels)
        raise KeyTextError(
            f"{found[lowest][0].name} is a key of {lowest.name} level, which {model.words} does "
            f"not have; its levels are {allowed}"
        )
    if level is not None and level < lowest:
        raise KeyTextError(
            f"-L {level.name} would fetch more than {found[lowest][0].name} selects, which is a "
            f"key of {lowest.name} level: leave -L out"
        )
    if level is not None and level not in model.levels:
        raise KeyTextError(f"{model.words} has no level {level.name}")
    by_level = {each: tuple(own) for each, own in sorted(found.items())}
    return Wanted(model, level or lowest, by_level, values)


def _named(keys: Sequence[Key], level: Level) -> tuple[str, ...]:
    """Return the values of the unique key if it is the only key; nothing if it has wild cards."""
    if len(keys) != 1 or [step.tag for step in keys[0].path] != [UNIQUE_KEYS[level].tag]:
        return ()
    value = keys[0].value
    if not value or _WILD & set(value):
        return ()
    # PatientID is text, which may have several values only in a query (PS3.4 C.4.2.1.4.1).
    values = tuple(value.split("\\"))
    return values if level is not Level.PATIENT or len(values) == 1 else ()


@dataclass(frozen=True, slots=True)
class Selection:
    """Queries on one association; ``relational`` says that the peer accepted relational ones.

    ``shortfalls`` gets the reasons of queries that the peer ended with a failure after answers;
    None makes such a failure an error. A federation ends so whose archives do not all answer.
    """

    association: Association
    model: InformationModel
    relational: bool = False
    shortfalls: list[str] | None = None

    def portions(self, asked: Wanted) -> Iterator[Portion]:
        """Yield what matches; AssociationError if the peer does not answer."""
        levels = [level for level in self.model.levels if level <= asked.level]
        yield from self._walk(asked.keys, {}, levels)

    def listed(self, portion: Portion) -> list[Listed] | None:
        """Return the instances of a portion; None if the model has no level for them."""
        if Level.IMAGE not in self.model.levels:
            return None
        if portion.level is Level.IMAGE:
            return list(portion.listed or ()) or self._named_instances(portion)
        levels = [level for level in self.model.levels if level > portion.level]
        found = []
        for own in portion.uniques[portion.level]:
            uppers = {**portion.uniques, portion.level: (own,)}
            for each in self._walk({}, uppers, levels):
                (classes,) = each.sop_classes or ("",)
                found.append(
                    Listed(
                        next(iter(each.uniques.get(Level.SERIES, ())), ""),
                        each.uniques[Level.IMAGE][0],
                        classes,
                    )
                )
        return found

    def _named_instances(self, portion: Portion) -> list[Listed]:
        series = next(iter(portion.uniques.get(Level.SERIES, ())), "")
        classes = tuple(portion.sop_classes) if len(portion.sop_classes) == 1 else ("",)
        return [Listed(series, uid, classes[0]) for uid in portion.uniques[Level.IMAGE]]

    def _walk(
        self, keys: Mapping[Level, tuple[Key, ...]], uppers: Uniques, levels: Sequence[Level]
    ) -> Iterator[Portion]:
        level, *lower = levels
        own = keys.get(level, ())
        if lower:
            # Without a name of anything above, the archive would be walked through as a whole. A
            # peer of relational queries needs no series between study and instances.
            if not own and (not uppers or self.relational):
                yield from self._walk(keys, uppers, lower)
                return
            if values := _named(own, level):
                for value in values:
                    yield from self._walk(keys, {**uppers, level: (value,)}, lower)
                return
        found = self._ask(level, own, uppers)
        # Queries of the levels below share the association.
        for match in list(found) if lower else found:
            portion = portion_of(match, level, uppers)
            if portion is None:
                continue
            if lower:
                yield from self._walk(keys, portion.uniques, lower)
            else:
                yield portion

    def _ask(self, level: Level, own: Sequence[Key], uppers: Uniques) -> Iterator[DataSet]:
        outcome = Outcome()
        identifier = self.identifier(level, own, uppers)
        yield from answers(self.association, identifier, self.model, outcome)
        if (reason := failure_of(outcome, self.association)) is not None:
            hint = ""
            if level > self.model.top and not uppers:
                above = UNIQUE_KEYS[self.model.top].keyword
                hint = f"\n  Perhaps the peer needs the key of the level above: {above}=..."
            if self._is_short(outcome):
                assert self.shortfalls is not None  # noqa: S101  it says so
                self.shortfalls.append(f"not all {level.entities} were listed: {reason}")
                return
            raise AssociationError(f"{level.entities} were not listed: {reason}{hint}")

    def _is_short(self, outcome: Outcome) -> bool:
        """Tell whether there are answers of this query, or an earlier one, to go on with."""
        if self.shortfalls is None or outcome.final is None:
            return False
        return bool(outcome.count) or 0 < len(self.shortfalls) < MOST_SHORT

    def identifier(self, level: Level, own: Sequence[Key], uppers: Uniques) -> DataSet:
        """Return the identifier of one query: its keys, and what a retrieve needs to know."""
        found = build_identifier(own)
        for each in self.model.levels:
            key = UNIQUE_KEYS[each]
            if each <= level:
                found.setdefault(key.tag, Element(key.vr, uppers.get(each, ())))
        for table in (COUNTS, CLASSES):
            if level in table:
                key = KEYS_BY_KEYWORD[table[level]]
                found.setdefault(key.tag, Element(key.vr, ()))
        found[QUERY_RETRIEVE_LEVEL] = Element("CS", (level.name,))
        if terms := choose(found):
            found[SPECIFIC_CHARACTER_SET] = Element("CS", terms)
        return dict(sorted(found.items()))
