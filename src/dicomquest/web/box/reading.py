"""A question as it was understood: keys, words, one query (PS3.4 C.4.1.1.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from dicomquest.query.identifier.key_arguments import build_identifier, parse_key
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.short_words import short_sentence
from dicomquest.standard.models import STUDY_ROOT
from dicomquest.web.box.box_keys import BoxKey, Choice, Trouble
from dicomquest.web.box.key_making import USUAL, criteria_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dicomquest.query.criteria import KeyCriterion
    from dicomquest.query.model import Query
    from dicomquest.query.options import QueryOptions

_ORDER = (
    "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex",
    "AccessionNumber", "StudyID", "StudyInstanceUID", "ModalitiesInStudy", "StudyDate", "StudyTime",
    "StudyDescription",
)  # fmt: skip
_PLACES = {keyword: at for at, keyword in enumerate(_ORDER)}


def in_order(keys: Iterable[BoxKey]) -> tuple[BoxKey, ...]:
    """Return keys in the order in which sentence, chips and addresses have them."""
    return tuple(
        sorted(keys, key=lambda key: (_PLACES.get(key.keyword, len(_ORDER)), key.keyword, key.text))
    )


@dataclass(frozen=True, slots=True)
class Reading:
    """A question.

    It has an answer unless there are ``troubles``, or a ``question`` back to the one who asked:
    with ``choices`` among meanings, or for a code that nothing has. ``offers`` are other questions
    that may have been meant. ``now`` is the instant at which relative dates were read.
    """

    text: str
    now: datetime
    keys: tuple[BoxKey, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    choices: tuple[Choice, ...] = ()
    offers: tuple[Choice, ...] = ()
    question: str = ""

    @property
    def is_answerable(self) -> bool:
        """Tell whether the question has one meaning."""
        return not (self.troubles or self.question)

    @property
    def canonical(self) -> str:
        """The text of the keys alone, which needs no look-up; the text itself without an answer."""
        if not self.is_answerable:
            return self.text
        return " ".join(key.text for key in self.keys)

    @property
    def sentence(self) -> str:
        """The question in words."""
        asked: list[KeyCriterion] = []
        relative = {}
        for key in self.keys:
            if key.relative:
                relative[len(asked)] = key.words
            asked += criteria_of(key, USUAL)
        return short_sentence(asked, relative=relative)

    def retold(self, text: str) -> Reading:
        """Return the question with another text that has the same keys."""
        return replace(self, text=text)

    def without(self, key: BoxKey) -> Reading:
        """Return the question without a key."""
        return self._of(each for each in self.keys if each != key)

    def with_(self, other: Reading) -> Reading:
        """Return the question with another's keys in the place of those of their attributes."""
        taken = {each.keyword for each in other.keys}
        return self._of([*(each for each in self.keys if each.keyword not in taken), *other.keys])

    def _of(self, keys: Iterable[BoxKey]) -> Reading:
        kept = in_order(keys)
        return Reading(" ".join(each.text for each in kept), self.now, kept)

    def query(self, returned: Sequence[str] = (), options: QueryOptions = USUAL) -> Query:
        """Return the query of studies; IdentifierError if it is beyond the limits of ``options``.

        ``returned`` are the keywords of the attributes that matches have.
        """
        keys = [parse_key("QueryRetrieveLevel=STUDY"), parse_key("StudyInstanceUID")]
        keys += [parse_key(name) for name in dict.fromkeys(returned) if name != "StudyInstanceUID"]
        asked = replace(options, relational=True, strict=False)
        query = parse_identifier(build_identifier(keys), STUDY_ROOT.uid, asked)
        criteria = [each for key in self.keys for each in criteria_of(key, options)]
        return replace(query, criteria=(*query.criteria, *criteria))
