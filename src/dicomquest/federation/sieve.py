"""The answers of a source sifted by our own matching (PS3.4 C.2.2.2, C.4.1.2.1 notes).

An SCP may ignore an optional key, and then returns what its caller did not ask for. A key of which
the answer lacks the attribute cannot be judged here: the answer stays, as FF01 says of such a key.
A key of the visibility filter has to be seen to hold.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.federation.asked_query import ISSUER, MODALITIES, MODALITY
from dicomquest.query.criteria import (
    Criterion,
    DateTimePairMatch,
    EmptyValue,
    FuzzyName,
    HasValue,
    KeyCriterion,
    SequenceMatch,
    Step,
)
from dicomquest.query.evaluate import find_element, matches_data_set
from dicomquest.query.search_forms import is_empty
from dicomquest.standard.keys import UNIQUE_KEYS
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicomquest.query.model import Query
    from dicomquest.query.options import QueryOptions

_PATIENT_ID = UNIQUE_KEYS[Level.PATIENT].tag


class Sieve:
    """The keys of a query that answers are held against; ``dropped`` counts those that failed.

    ``without_key`` counts answers that lack the unique key of the level, which nobody can name.
    """

    def __init__(self, query: Query, accepted: QueryOptions, issuer: str = "") -> None:
        """Judge answers of a source that accepted these options.

        ``issuer`` is that of patients whose answer names none.
        """
        self._query = query
        self._accepted = accepted
        self.issuer = issuer
        self._issuer = Element("LO", (issuer,)) if issuer else None
        self._zone = query.options.timezone_offset_minutes
        self._keys = [key for key in map(self._judged, query.criteria) if key is not None]
        self._visible = [key for key in query.visible if key.level <= query.level]
        self._unique = UNIQUE_KEYS[query.level].tag
        self.dropped = 0
        self.without_key = 0

    @property
    def sees_all(self) -> bool:
        """Tell whether answers of the level show all that the visibility filter asks about."""
        return len(self._visible) == len(self._query.visible)

    def take(self, answer: DataSet) -> DataSet | None:
        """Return an answer, its patient's issuer filled in; None for one that was not asked for."""
        if is_empty(answer.get(self._unique)):
            self.without_key += 1
            return None
        if (
            self._issuer is not None
            and is_empty(answer.get(ISSUER))
            and not is_empty(answer.get(_PATIENT_ID))
        ):
            answer = dict(sorted({**answer, ISSUER: self._issuer}.items()))
        if self._fits(answer):
            return answer
        self.dropped += 1
        return None

    def identity(self, answer: DataSet) -> bytes:
        """Return the unique key as bytes; of a patient the identifier and its issuer."""
        tags = (self._unique, ISSUER) if self._query.level is Level.PATIENT else (self._unique,)
        parts = (answer[tag].values if tag in answer else () for tag in tags)
        return "\0".join("\\".join(map(str, values)) for values in parts).encode()

    def _judged(self, key: KeyCriterion) -> KeyCriterion | None:
        """Return a key as answers show it; None for one that they cannot show."""
        if isinstance(key.criterion, FuzzyName):
            # The sound of names is each SCP's own affair (C.2.2.2.1.1).
            return None
        if self._accepted.timezone_adjustment and _depends_on_zone(key):
            # Answers seldom name the zone of their times, which the source knows.
            return None
        if key.level <= self._query.level:
            return key
        if self._query.level is Level.STUDY and key.path == (Step(MODALITY),):
            # Some series has the modality, if the study has it.
            return key._replace(path=(Step(MODALITIES),))
        return None

    def judges(self) -> list[tuple[KeyCriterion, Callable[[DataSet], bool]]]:
        """Return the keys of answers, each with its verdict on what it looks at."""
        return [
            *((key, partial(self._meets, key)) for key in self._keys),
            *((key, partial(self._shows, key)) for key in self._visible),
        ]

    def _fits(self, answer: DataSet) -> bool:
        return all(self._meets(key, answer) for key in self._keys) and all(
            self._shows(key, answer) for key in self._visible
        )

    def _meets(self, key: KeyCriterion, answer: DataSet) -> bool:
        element = find_element(answer, key.path[0])
        if element is None and not isinstance(key.criterion, HasValue):
            return True
        if is_empty(element) and isinstance(key.criterion, EmptyValue):
            return True
        return self._shows(key, answer)

    def _shows(self, key: KeyCriterion, answer: DataSet) -> bool:
        return matches_data_set(answer, (key,), self._zone)


def _depends_on_zone(key: KeyCriterion) -> bool:
    criterion: Criterion = key.criterion
    if isinstance(criterion, SequenceMatch):
        return any(map(_depends_on_zone, criterion.keys))
    if isinstance(criterion, DateTimePairMatch):
        return criterion.zone_minutes is not None
    return key.vr == "DT"
