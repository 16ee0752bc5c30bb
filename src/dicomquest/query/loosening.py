"""A query that found nothing, asked anew with keys dropped or loosened (PS3.4 C.2.2.2).

Which key excludes everything? ``find_cause`` is a plan without I/O: a generator that yields
questions, takes the number of answers of each, and returns its finding. All keys hold at once, so a
query without one key finds at least what a query with it loosened finds. A key is named by its
path: those of a model without levels stand in items, too.
"""

from __future__ import annotations

import calendar
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

from pydicom.datadict import keyword_for_tag

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.query.identifier.entry_models import ENTRY_MODELS_BY_UID, TagPath
from dicomquest.query.identifier.key_paths import element_at, leaf_paths, with_element
from dicomquest.query.patterns import has_wild_card
from dicomquest.standard.attributes import attribute_name
from dicomquest.standard.keys import KEYS_BY_KEYWORD, UNIQUE_KEYS
from dicomquest.standard.levels import Level, Noun
from dicomquest.standard.models import InformationModel
from dicomquest.standard.tags import QUERY_RETRIEVE_LEVEL, SPECIFIC_CHARACTER_SET, is_private

MOST_QUESTIONS = 12
"""Further questions at most: each costs the peer a search."""

_FEW_KEYS = 4
"""Keys up to which all pairs are asked for; of more, the greatest part that finds something."""

_MODALITY = KEYS_BY_KEYWORD["Modality"].tag
_MODALITIES_IN_STUDY = KEYS_BY_KEYWORD["ModalitiesInStudy"].tag
_PROSE = frozenset({"LO", "ST", "LT", "UT", "UC"})
_WORDS = _PROSE | {"SH", "PN", "CS", "AE"}
_IDENTIFIERS = frozenset({"PatientID", "AccessionNumber", "StudyID"})
_ID_TAGS = frozenset(KEYS_BY_KEYWORD[keyword].tag for keyword in _IDENTIFIERS)


@dataclass(frozen=True, slots=True)
class Change:
    """One key dropped (no ``values``) or loosened; ``place`` is the key that takes its place."""

    key: TagPath
    place: TagPath
    values: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The change in words."""
        if not self.values:
            return f"without {_name(self.key)}"
        return f"{_name(self.place)} = {_joined(self.values)}"


@dataclass(frozen=True, slots=True)
class FurtherQuestion:
    """One question to the peer: its words, and its identifier."""

    words: str
    identifier: DataSet


@dataclass(frozen=True, slots=True)
class Finding:
    """The result in words; ``is_certain`` if the questions name the keys at fault."""

    words: str
    is_certain: bool = True


Plan: TypeAlias = Generator[FurtherQuestion, int, Finding]


def restricting_keys(
    identifier: DataSet, model: InformationModel, *, relational: bool
) -> list[TagPath]:
    """Return the paths of the keys that restrict and can be left out, the most doubtful first.

    A unique key above the level stays: no query may lack it.
    """
    row = ENTRY_MODELS_BY_UID.get(model.uid)
    upper = {(UNIQUE_KEYS[each].tag,) for each in _uppers(identifier, model)}
    unmatched = row.never_matched if row is not None else frozenset()
    keys = [
        path
        for path in _restricting(identifier)
        if (relational or path not in upper) and not unmatched & set(path)
    ]
    return sorted(keys, key=lambda path: (not variants(identifier, path), path))


def _restricting(identifier: DataSet) -> list[TagPath]:
    """Return the paths of the keys with a value; a sequence of Q/R counts as one key."""
    paths = leaf_paths(identifier, is_deep=QUERY_RETRIEVE_LEVEL not in identifier)
    return [path for path in paths if _restricts(element_at(identifier, path))]


def _uppers(identifier: DataSet, model: InformationModel) -> list[Level]:
    if QUERY_RETRIEVE_LEVEL not in identifier:
        return []
    level = Level[str(identifier[QUERY_RETRIEVE_LEVEL].values[0])]
    return [each for each in model.levels if each < level]


def noun_of(identifier: DataSet, model: InformationModel) -> Level | Noun:
    """Return the words for what a query finds."""
    if QUERY_RETRIEVE_LEVEL not in identifier:
        return ENTRY_MODELS_BY_UID[model.uid].noun
    return Level[str(identifier[QUERY_RETRIEVE_LEVEL].values[0])]


def names_ancestors(identifier: DataSet, model: InformationModel) -> bool:
    """Tell whether each unique key above the level has a value: a query of those alone."""
    uppers = [UNIQUE_KEYS[each].tag for each in _uppers(identifier, model)]
    return bool(uppers) and all(tag in identifier and _restricts(identifier[tag]) for tag in uppers)


def _restricts(element: Element) -> bool:
    if element.vr == "SQ":
        return any(_restricts(each) for item in element.values for each in item.values())
    return any(value not in ("", "*") for value in element.values)


def variants(identifier: DataSet, path: TagPath) -> list[Change]:
    """Return the values that were perhaps meant by a key, the most likely first."""
    element, tag = element_at(identifier, path), path[-1]
    if element.vr == "SQ" or is_private(tag):
        return []
    if path == (_MODALITY,) and _is_of_studies(identifier):
        return [Change(path, (_MODALITIES_IN_STUDY,), tuple(map(str, element.values)))]
    if len(element.values) != 1:
        return []
    value = str(element.values[0])
    if element.vr == "DA":
        found = _wider_dates(value)
    elif element.vr == "PN":
        found = _names(value)
    elif element.vr in _WORDS:
        found = [value.upper()]
        if not has_wild_card(value) and element.vr != "CS":
            found = [f"*{value}*", f"*{value.upper()}*"]
    else:
        found = []
    return [Change(path, path, (each,)) for each in dict.fromkeys(found) if each != value]


def _is_of_studies(identifier: DataSet) -> bool:
    level = identifier.get(QUERY_RETRIEVE_LEVEL)
    return level is not None and level.values == (Level.STUDY.name,)


def _names(value: str) -> list[str]:
    """Return the patterns that a name was perhaps meant as, also in capital letters."""
    found = [value]
    if not has_wild_card(value):
        family, comma, given = (part.strip() for part in value.partition(","))
        if comma and given:
            found = [f"{family}^{given}*"]
        elif "^" in value or "=" in value:
            found = [f"{value}*"]
        elif " " in value.strip():
            *given_names, last = value.split()
            found = [f"{last}^{' '.join(given_names)}*", f"{value}*"]
        else:
            found = [f"{value}^*"]
    return [*found, *(each.upper() for each in found)]


def _wider_dates(value: str) -> list[str]:
    """Return the month of a single day."""
    if len(value) != 8 or not value.isdigit():
        return []
    year, month = value[:4], value[4:6]
    last = calendar.monthrange(int(year), int(month))[1]
    return [f"{year}{month}01-{year}{month}{last:02}"]


def hints(identifier: DataSet) -> list[str]:
    """Return what can be said at once of a query that found nothing: no question is needed."""
    found = []
    for path in _restricting(identifier):
        element = element_at(identifier, path)
        if path[-1] in _ID_TAGS:
            continue
        changes = variants(identifier, path)
        is_of_series = bool(changes) and changes[0].place != path
        if not changes or (element.vr not in {*_PROSE, "PN"} and not is_of_series):
            continue
        value, change = _joined(element.values), changes[0]
        perhaps = f"Perhaps {_keyword(change.place)}='{_joined(change.values)}'."
        if is_of_series:
            found.append(f"Modality is a key of series: many peers ignore it here. {perhaps}")
        elif not has_wild_card(value):
            what = (
                f"a patient whose whole name is {value}"
                if element.vr == "PN"
                else f"{value} alone, not text that contains it"
            )
            found.append(f"'{value}' has no wild card: it finds {what}. {perhaps}")
    return found


def find_cause(
    identifier: DataSet,
    model: InformationModel,
    *,
    relational: bool,
    most: int = MOST_QUESTIONS,
    peer: str = "The peer",
) -> Plan:
    """Plan the questions that name the keys which exclude everything; ``peer`` is asked."""
    keys = restricting_keys(identifier, model, relational=relational)
    left = _Budget(most, noun_of(identifier, model))
    if not keys:
        return (yield from _nothing_at_all(identifier, model, left, peer, relational=relational))
    found = (
        (yield from _among_few(identifier, keys, left))
        if len(keys) <= _FEW_KEYS
        else (yield from _greatest_part(identifier, keys, left))
    )
    if found is not None:
        return found
    return (yield from _nothing_at_all(identifier, model, left, peer, relational=relational))


@dataclass(slots=True)
class _Budget:
    """The questions that may still be asked, and the words for what they find."""

    left: int
    noun: Level | Noun

    def ask(
        self, identifier: DataSet, changes: Sequence[Change]
    ) -> Generator[FurtherQuestion, int, int]:
        """Ask with these changes; 0 answers without a question if the budget is spent."""
        if self.left < 1:
            return 0
        self.left -= 1
        words = ", ".join(change.words for change in changes)
        return (yield FurtherQuestion(words, changed(identifier, changes)))


_Search: TypeAlias = Generator[FurtherQuestion, int, Finding | None]


def _among_few(identifier: DataSet, keys: Sequence[TagPath], left: _Budget) -> _Search:
    """Ask without one key at a time, then without two, and so on."""
    for size in range(1, len(keys) + 1):
        culprits = []
        for group in combinations(keys, size):
            if (yield from left.ask(identifier, [Change(key, key) for key in group])):
                culprits.append(group)
                if size > 1:
                    break
        if culprits:
            return (yield from _advice(identifier, culprits, left))
    return None


def _greatest_part(identifier: DataSet, keys: Sequence[TagPath], left: _Budget) -> _Search:
    """Take the keys in one by one, the doubtful ones last, and leave out each that finds nothing.

    What is left out is as little as can be: each of those keys excludes everything beside the kept.
    """
    dropped = list(keys)
    if not (yield from left.ask(identifier, [Change(key, key) for key in dropped])):
        return None
    for key in reversed(keys):
        if left.left < 1:
            return Finding(
                f"{len(keys)} keys are too many to find the one at fault: leave some out.",
                is_certain=False,
            )
        without = [each for each in dropped if each != key]
        if not without or (
            yield from left.ask(identifier, [Change(each, each) for each in without])
        ):
            dropped = without
    # The last key to be taken in would make the whole query, which found nothing.
    return (yield from _advice(identifier, [tuple(dropped or keys[:1])], left))


def _advice(
    identifier: DataSet, culprits: Sequence[tuple[TagPath, ...]], left: _Budget
) -> Generator[FurtherQuestion, int, Finding]:
    """Ask with each key at fault loosened instead of dropped, and put the result into words."""
    better: dict[tuple[TagPath, ...], dict[TagPath, Change]] = {}
    for group in culprits:
        better[group] = {}
        for key in group:
            for change in variants(identifier, key):
                rest = [better[group].get(each, Change(each, each)) for each in group]
                tried = [
                    change if each == key else old for each, old in zip(group, rest, strict=True)
                ]
                if (yield from left.ask(identifier, tried)):
                    better[group][key] = change
                    break
    loosened = [group for group in culprits if better[group]]
    if len(culprits) > 1 and not loosened:
        names = [_name(group[0]) for group in culprits]
        return Finding(
            f"{_listed(names)} contradict each other: without either there are "
            f"{left.noun.entities}."
        )
    group = loosened[0] if loosened else culprits[0]
    others = len(_restricting(identifier)) > len(group)
    such = "such " if others else ""
    entity = f"{such}{left.noun.entity}"
    reasons = [_reason(identifier, key, better[group].get(key), entity) for key in group]
    number = {1: "One key excludes", 2: "Two keys exclude", 3: "Three keys exclude"}
    heading = number.get(len(group), f"{len(group)} keys exclude")
    return Finding(f"{heading} everything: {', and '.join(reasons)}.")


def _reason(identifier: DataSet, key: TagPath, change: Change | None, entity: str) -> str:
    element = element_at(identifier, key)
    old = _joined(element.values) if element.vr != "SQ" else ""
    if change is None:
        has = f"{_name(key)} '{old}'" if old else f"such an item of {_name(key)}"
        return f"no {entity} has {has}"
    new = _joined(change.values)
    if change.place != key:
        return f"{_keyword(key)} should be {_keyword(change.place)}={new}"
    return f"{_name(key)} '{old}' should be '{new}'"


def _nothing_at_all(
    identifier: DataSet, model: InformationModel, left: _Budget, peer: str, *, relational: bool
) -> Generator[FurtherQuestion, int, Finding]:
    """Ask for the entities above, whose unique keys no query may lack."""
    entities = left.noun.entities
    uppers = _uppers(identifier, model)
    if relational or not uppers:
        return Finding(f"{peer} shows us no {entities} at all, whatever the keys.")
    given = {QUERY_RETRIEVE_LEVEL, SPECIFIC_CHARACTER_SET}
    for upper in uppers:
        unique = UNIQUE_KEYS[upper]
        given.add(unique.tag)
        if unique.tag not in identifier or left.left < 1:
            break
        left.left -= 1
        asked = {tag: element for tag, element in identifier.items() if tag in given}
        asked[QUERY_RETRIEVE_LEVEL] = Element("CS", (upper.name,))
        value = _joined(identifier[unique.tag].values)
        words = f"the {upper.entity} with {attribute_name(unique.tag)} {value}"
        if not (yield FurtherQuestion(words, dict(sorted(asked.items())))):
            return Finding(
                f"{peer} has no {upper.entity} with {attribute_name(unique.tag)} {value}."
            )
    return Finding(f"{peer} shows no {entities} of that {uppers[-1].entity}.")


def changed(identifier: DataSet, changes: Sequence[Change]) -> DataSet:
    """Return an identifier with keys dropped or loosened; a dropped one is still returned."""
    made = identifier
    for change in changes:
        vr = element_at(made, change.key).vr
        made = with_element(made, change.key, Element(vr, ()))
        made = with_element(made, change.place, Element(vr, change.values))
    return made


def _name(path: TagPath) -> str:
    return attribute_name(path[-1])


def _keyword(path: TagPath) -> str:
    return keyword_for_tag(path[-1]) or attribute_name(path[-1])


def _joined(values: Sequence[object]) -> str:
    return "\\".join(map(str, values))


def _listed(names: Sequence[str]) -> str:
    return " and ".join(names) if len(names) == 2 else ", ".join(names)
