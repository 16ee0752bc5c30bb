"""``--split auto``: a query in parts, past a peer's limit of answers (PS3.4 C.4.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dicomquest.cli.asking.answers import Outcome, answers, failure_of
from dicomquest.cli.counting import counted, number_of
from dicomquest.cli.messages import say
from dicomquest.query.splitting import PartAnswer, SplitReport, seen, split, with_split_keys
from dicomquest.standard.keys import UNIQUE_KEYS

if TYPE_CHECKING:
    from dicomquest.dataset.charset import Terms
    from dicomquest.dataset.elements import DataSet
    from dicomquest.standard.levels import Level
    from dicomquest.standard.models import InformationModel
    from dicomquest.sync import Association

_CUT = frozenset({0xA700, 0xFE00})
"""Final statuses of a query that the peer ended early (PS3.4 C.4.1.1.4)."""

_NAMED_PARTS = 5


@dataclass(slots=True)
class Parts:
    """A query in parts; each entity is yielded once, by its unique key."""

    association: Association
    model: InformationModel
    level: Level
    charset: Terms = ()
    outcome: Outcome = field(default_factory=Outcome)
    failure: str | None = None
    report: SplitReport | None = None
    count: int = 0

    def ask(self, identifier: DataSet) -> Iterator[DataSet]:
        """Yield the answers of all parts."""
        unique = UNIQUE_KEYS[self.level].tag
        plan = split(with_split_keys(identifier, self.level), self.level)
        answer: PartAnswer | None = None
        known: set[str] = set()
        while True:
            try:
                asked = next(plan) if answer is None else plan.send(answer)
            except StopIteration as end:
                self.report = end.value
                break
            outcome, found = Outcome(), []
            for match in answers(self.association, asked, self.model, outcome, self.charset):
                short = seen(match, unique)
                found.append(short)
                if short.unique not in known:
                    known.add(short.unique)
                    self.count += 1
                    yield match
            is_cut = outcome.final is not None and outcome.final.status in _CUT
            self.outcome.add(outcome)
            if not (is_cut or outcome.is_complete):
                self.failure = failure_of(outcome, self.association)
                return
            answer = PartAnswer(tuple(found), is_cut=is_cut)
        if self.report is not None and not self.report.is_complete:
            self.failure = self._incomplete(self.report)

    def conclude(self) -> None:
        """Say whether the parts are the whole, and by what."""
        if self.report is None or not self.report.is_complete:
            return
        entities = counted(self.count, self.level)
        if self.report.cap is None:
            say(f"{entities}: the peer cut nothing off.")
            return
        say(
            f"{entities} in {number_of(self.report.parts, 'part')}, each once; "
            f"no part is at the peer's limit of {self.report.cap:,}: the list is complete."
        )
        for assumption in self.report.assumptions:
            say(f"Note: {assumption}, if there are any, are in no part.")

    def _incomplete(self, report: SplitReport) -> str:
        named = "; ".join(report.uncovered[:_NAMED_PARTS])
        more = "; ..." if len(report.uncovered) > _NAMED_PARTS else ""
        if not report.uncovered:
            return (
                f"the list is incomplete: {number_of(report.lost, 'answer')} of the peer "
                "in none of the parts, and perhaps there are more like them"
            )
        return (
            f"the list is incomplete: the peer ends at {number_of(report.cap or 0, 'answer')}, and "
            f"cannot be asked for less than: {named}{more}"
        )
