"""A question to a peer from its first answer to the last word about it (PS3.4 C.4.1.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from dicomquest.cli.asking.answers import Outcome, answers, failure_of
from dicomquest.cli.asking.contradictions import Circumstances, contradictions
from dicomquest.cli.asking.filtering import SeriesLookup
from dicomquest.cli.asking.parts import Parts
from dicomquest.cli.asking.record_pages import RecordPages
from dicomquest.cli.asking.value_lists import ValueLists
from dicomquest.cli.asking.why_nothing import ask_peer, say_hints, say_why_nothing
from dicomquest.cli.counting import number_of
from dicomquest.cli.messages import say
from dicomquest.errors import IdentifierError
from dicomquest.query.answer_review import AnswerReview
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.standard.keys import UNIQUE_KEYS
from dicomquest.standard.models import REPOSITORY_QUERY

if TYPE_CHECKING:
    from dicomquest.cli.asking.asking_settings import AskingSettings
    from dicomquest.cli.asking.value_files import ValueFile
    from dicomquest.cli.request_identifier import Request
    from dicomquest.dataset.elements import DataSet
    from dicomquest.query.options import QueryOptions
    from dicomquest.standard.models import InformationModel
    from dicomquest.sync import Association

_NAMED_VALUES = 3
_MOST_REMARKS = 10
_ANY_SCP = "ANY-SCP"


@dataclass(slots=True)
class Enquiry:
    """A question on an association; ``more`` opens further associations with the peer."""

    association: Association
    request: Request
    model: InformationModel
    options: QueryOptions
    settings: AskingSettings
    title: str
    more: Callable[[], AbstractContextManager[Association]]
    values: ValueFile | None = None
    outcome: Outcome = field(default_factory=Outcome)
    review: AnswerReview | None = None
    dropped: int = 0
    _parts: Parts | None = None
    _lists: ValueLists | None = None
    _pages: RecordPages | None = None

    @property
    def peer(self) -> str:
        """The peer's name in a sentence: its title, unless that is our default."""
        return "the peer" if self.title == _ANY_SCP else self.title

    def answers(self) -> Iterator[DataSet]:
        """Ask, and yield the answers; leaving the loop cancels the query."""
        with suppress(IdentifierError):
            query = parse_identifier(self.request.identifier, self.model.uid, self.options)
            self.review = AnswerReview(query) if self.values is None else None
        if not self.settings.filter_here:
            for answer in self._source():
                if self.review is not None:
                    self.review.add(answer)
                yield answer
            return
        with SeriesLookup(self.request.identifier, self.model, self.more) as lookup:
            for answer in self._source():
                completed = lookup.complete(answer)
                if self.review is None or self.review.add(completed):
                    yield completed
                else:
                    self.dropped += 1

    def _source(self) -> Iterator[DataSet]:
        identifier, charset = self.request.identifier, self._charset()
        if self.values is not None:
            if self.settings.split is not None:
                say("Note: --split auto is left out: each value of the file is asked for alone.")
            self._lists = ValueLists(
                identifier, self.model, self.values, self._takes_list(self.values), charset
            )
            yield from self._lists.ask(self.association, self.more, self.settings.associations)
            self.outcome = self._lists.outcome
        elif self.settings.split is not None:
            self._parts = Parts(self.association, self.model, self.request.level, charset)
            yield from self._parts.ask(identifier)
            self.outcome = self._parts.outcome
        elif self.model is REPOSITORY_QUERY:
            self._pages = RecordPages(
                self.association, self.model, self.settings.page, self.settings.after, charset,
                self.outcome,
            )  # fmt: skip
            yield from self._pages.ask(identifier)
        else:
            yield from answers(self.association, identifier, self.model, self.outcome, charset)

    def _charset(self) -> tuple[str, ...]:
        terms = self.settings.charset_of_peer
        return tuple(terms.split("\\")) if terms else ()

    def _takes_list(self, values: ValueFile) -> bool:
        """Tell whether the key takes a list: a unique key above the level needs one value."""
        level = self.request.level
        uppers = {UNIQUE_KEYS[each].tag for each in self.model.levels if each < level}
        return values.vr == "UI" and (self.options.relational or values.tag not in uppers)

    def failure(self) -> str | None:
        """Return why the answers are not all; None if they are."""
        if self._lists is not None:
            return self._lists.failure or None
        if self._parts is not None:
            return self._parts.failure
        if self._pages is not None:
            return self._pages.failure
        return failure_of(self.outcome, self.association)

    def conclude(self, *, is_stopped: bool) -> None:
        """Print a line for each way in which the answers contradict the question."""
        if self.settings.explain:
            self._explain()
        circumstances = Circumstances(
            self.peer,
            self.request.level,
            is_filtered=self.settings.filter_here,
            is_stopped=is_stopped,
            is_split=self._parts is not None or self._lists is not None,
        )
        for line in contradictions(
            circumstances, self.request.identifier, self.outcome, self.review
        ):
            say(f"Warning: {line}")
        if self.dropped:
            say(f"--filter-here dropped {number_of(self.dropped, 'answer')}.")
        if self._parts is not None and not is_stopped:
            self._parts.conclude()
        if self._lists is not None and not is_stopped:
            self._say_missing(self._lists)
        last = self._pages.last if self._pages is not None else None
        if last is not None and (is_stopped or self.failure() is not None):
            say(f"To go on there: --after {last.hex()}")

    def _say_missing(self, lists: ValueLists) -> None:
        missing, total = lists.missing, len(lists.values.values)
        if lists.is_singly:
            say(f"Note: {self.peer} takes no list of UIDs, so each was asked for alone.")
        if missing:
            named = ", ".join(missing[:_NAMED_VALUES])
            more = ", ..." if len(missing) > _NAMED_VALUES else ""
            say(f"{len(missing):,} of {total:,} values found nothing: {named}{more}")

    def _explain(self) -> None:
        """Print the answers in the eyes of the Standard: keys that the peer seems to ignore."""
        if self.outcome.pending.get(0xFF01):
            say(
                "Answers: status FF01: the peer does not support an optional key, or matching on it"
            )
        for remark in self.review.remarks()[:_MOST_REMARKS] if self.review is not None else ():
            say(f"Answers: {remark.name}: {remark.remark} (in {remark.count} of {remark.total})")

    def say_why_nothing(self) -> None:
        """Say what can be said of a question without an answer; with --explain ask on."""
        if self.values is not None:
            return
        relational = self.options.relational
        identifier, model = self.request.identifier, self.model
        if self.settings.explain:
            ask = partial(ask_peer, self.association, model)
            say_why_nothing(ask, identifier, model, self.peer, relational=relational)
        else:
            say_hints(identifier, model, self.peer, relational=relational)
