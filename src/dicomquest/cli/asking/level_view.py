"""The answers of one level of ``find --tree``: what contradicts the question (PS3.4 C.4.1.2.1)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dicomquest.cli.asking.answers import Outcome
from dicomquest.cli.asking.contradictions import Circumstances, contradictions
from dicomquest.cli.counting import number_of
from dicomquest.cli.messages import say
from dicomquest.errors import IdentifierError
from dicomquest.query.answer_review import AnswerReview
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.options import QueryOptions
from dicomquest.query.splitting import is_round

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet
    from dicomquest.standard.levels import Level
    from dicomquest.standard.models import InformationModel


@dataclass(slots=True)
class LevelView:
    """The many queries of one level, seen as one; ``identifier`` has no key of a level above.

    Threads add to it.
    """

    level: Level
    identifier: DataSet
    model: InformationModel
    is_filtering: bool = False
    outcome: Outcome = field(default_factory=Outcome)
    round_ones: int = 0
    dropped: int = 0
    _review: AnswerReview | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        options = QueryOptions(relational=True)
        with suppress(IdentifierError):
            self._review = AnswerReview(parse_identifier(self.identifier, self.model.uid, options))

    def look_at(self, found: Sequence[DataSet], outcome: Outcome) -> list[DataSet]:
        """Count the answers to one query, and return those to show."""
        with self._lock:
            self.outcome.add(outcome)
            self.round_ones += is_round(outcome.count)
            kept = [each for each in found if self._is_shown(each)]
            self.dropped += len(found) - len(kept)
            return kept

    def _is_shown(self, answer: DataSet) -> bool:
        fits = self._review is None or self._review.add(answer)
        return fits or not self.is_filtering

    def conclude(self, peer: str, *, is_stopped: bool) -> None:
        """Print a line for each way in which the answers contradict the question."""
        circumstances = Circumstances(
            peer, self.level, is_filtered=self.is_filtering, is_stopped=is_stopped, is_split=True
        )
        for line in contradictions(circumstances, self.identifier, self.outcome, self._review):
            say(f"Warning: {line}")
        if self.round_ones:
            queries = number_of(self.round_ones, "time")
            say(
                f"Warning: a round number of {self.level.entities} came {queries}, such as 100 or "
                f"500: {peer} may stop there."
            )
        if self.dropped:
            say(f"--filter-here dropped {number_of(self.dropped, 'answer')}.")
