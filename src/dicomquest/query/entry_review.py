"""A look at answers of a model without levels: what contradicts the question (PS3.4 K.4.1.3)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dicomquest.query.criteria import FuzzyName, HasValue, KeyCriterion, SequenceMatch
from dicomquest.query.evaluate import matches_data_set
from dicomquest.query.identifier.entry_models import ENTRY_MODELS_BY_UID
from dicomquest.query.search_forms import is_empty
from dicomquest.standard.attributes import attribute_name
from dicomquest.standard.models import MODALITY_WORKLIST
from dicomquest.standard.tags import (
    QUERY_RETRIEVE_LEVEL,
    SCHEDULED_PROCEDURE_STEP_SEQUENCE,
    SPECIFIC_CHARACTER_SET,
    TIMEZONE_OFFSET_FROM_UTC,
    is_private_creator,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dicomquest.dataset.elements import DataSet, Element
    from dicomquest.query.model import Query, ReturnKey

_STRUCTURED_DOCUMENTS = 0x0040A390
_UNASKED = frozenset({SPECIFIC_CHARACTER_SET, TIMEZONE_OFFSET_FROM_UTC, _STRUCTURED_DOCUMENTS})


@dataclass(slots=True)
class EntryReview:
    """The counts over the answers to ``query``, the SCU's own reading of its identifier."""

    query: Query
    total: int = 0
    wrong_steps: int = 0
    others: Counter[str] = field(default_factory=Counter)
    lacking: Counter[str] = field(default_factory=Counter)
    unasked: Counter[str] = field(default_factory=Counter)
    _keys: list[tuple[str, KeyCriterion]] = field(default_factory=list)
    _asked: dict[tuple[int, ...], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._keys = list(_each(self.query.criteria))
        needed = ENTRY_MODELS_BY_UID[self.query.model.uid].needed
        for key in self.query.return_keys:
            for path in _paths(key):
                if path in needed:
                    self._asked[path] = attribute_name(path[-1])

    def add(self, answer: DataSet) -> bool:
        """Count one answer; False if a value in it contradicts a key."""
        self.total += 1
        steps = answer.get(SCHEDULED_PROCEDURE_STEP_SEQUENCE)
        if any(key.tag == SCHEDULED_PROCEDURE_STEP_SEQUENCE for key in self.query.return_keys):
            self.wrong_steps += steps is None or len(steps.values) != 1
        wanted = {key.tag for key in self.query.return_keys} | _UNASKED
        for tag in answer.keys() - wanted:
            if not is_private_creator(tag):
                self.unasked[attribute_name(tag)] += 1
        for path, name in self._asked.items():
            self.lacking[name] += is_empty(_at(answer, path))
        zone = self.query.options.timezone_offset_minutes
        contradicted = [
            name for name, key in self._keys if not matches_data_set(answer, [key], zone)
        ]
        self.others.update(set(contradicted))
        return not contradicted

    def lines(self, peer: str) -> Iterator[str]:
        """Yield a sentence for each way in which the answers contradict question or Standard."""
        total = f"{self.total:,} answer{'s' * (self.total != 1)}"
        for name, count in sorted(self.others.items()):
            yield (
                f"{peer} ignored {name}, or reads it otherwise: {count:,} of {total} "
                f"{'does' if count == 1 else 'do'} not match. --filter-here drops such answers."
            )
        if self.wrong_steps:
            yield (
                f"{self.wrong_steps:,} of {total} {'has' if self.wrong_steps == 1 else 'have'} not "
                "exactly one Scheduled Procedure Step (PS3.4 K.4.1.3)."
            )
        model = self.query.model
        clause = "PS3.4 K.6.1.2.2" if model is MODALITY_WORKLIST else f"PS3.4 {model.clause}"
        for name, count in sorted(self.lacking.items()):
            if count:
                yield f"{name}, of type 1, has no value in {count:,} of {total} ({clause})."
        kind = ENTRY_MODELS_BY_UID[model.uid].kind
        for name, count in sorted(self.unasked.items()):
            rule = f"{kind} has no levels" if name == _LEVEL else "nobody asked for it"
            yield f"{name} came in {count:,} of {total}: {rule} (PS3.4 K.4.1.1.3.2)."


_LEVEL = attribute_name(QUERY_RETRIEVE_LEVEL)


def _each(keys: tuple[KeyCriterion, ...]) -> Iterator[tuple[str, KeyCriterion]]:
    """Yield each key of the step as a key of its own; sounds of names are the peer's affair."""
    for key in keys:
        match key.criterion:
            case SequenceMatch(inner) if key.tag == SCHEDULED_PROCEDURE_STEP_SEQUENCE:
                for each in inner:
                    if not isinstance(each.criterion, FuzzyName | HasValue):
                        alone = key._replace(criterion=SequenceMatch((each,)))
                        yield attribute_name(*each.path[-1]), alone
            case FuzzyName() | HasValue():
                continue
            case _:
                yield attribute_name(*key.path[-1]), key


def _paths(key: ReturnKey) -> Iterator[tuple[int, ...]]:
    yield (key.tag,)
    for inner in key.item_keys or ():
        yield (key.tag, inner.tag)


def _at(answer: DataSet, path: tuple[int, ...]) -> Element | None:
    for tag in path[:-1]:
        element = answer.get(tag)
        if element is None or element.vr != "SQ" or not element.values:
            return None
        answer = element.values[0]
    return answer.get(path[-1])
