"""Nothing found: what can be said at once, and further questions to the peer (PS3.4 C.4.1.2)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING

from dicomquest.cli.asking.answers import Outcome, answers
from dicomquest.cli.counting import counted, number_of
from dicomquest.cli.messages import say
from dicomquest.query.loosening import (
    MOST_QUESTIONS,
    FurtherQuestion,
    find_cause,
    hints,
    noun_of,
    restricting_keys,
)

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet
    from dicomquest.standard.levels import Level, Noun
    from dicomquest.standard.models import InformationModel
    from dicomquest.sync import Association

MOST_ANSWERS = 100
"""Answers that a further question takes; then it is cancelled."""


def say_hints(identifier: DataSet, model: InformationModel, peer: str, *, relational: bool) -> None:
    """Say what needs no question."""
    for hint in hints(identifier):
        say(hint)
    count = len(restricting_keys(identifier, model, relational=relational))
    if count > 1:
        say(f"--explain asks {peer} which of the {count} keys excludes everything.")
    elif count:
        say(f"--explain asks {peer} whether the key excludes everything.")


def say_why_nothing(
    ask: Callable[[FurtherQuestion], int | None],
    identifier: DataSet,
    model: InformationModel,
    peer: str,
    *,
    relational: bool,
) -> None:
    """Ask further questions, and say which keys exclude everything.

    ``ask`` returns the number of answers, None after a message if there is no answer.
    """
    plan = find_cause(identifier, model, relational=relational, peer=peer[0].upper() + peer[1:])
    say(
        f"Asking {peer} at most {MOST_QUESTIONS} more questions "
        f"(at most {number_of(MOST_ANSWERS, 'answer')} each) ..."
    )
    count = None
    while True:
        try:
            question = next(plan) if count is None else plan.send(count)
        except StopIteration as end:
            say(end.value.words)
            return
        count = ask(question)
        if count is None:
            return
        say(f"  {question.words:<44} {_in_words(count, noun_of(question.identifier, model))}")


def ask_peer(
    association: Association, model: InformationModel, question: FurtherQuestion
) -> int | None:
    """Return the number of a peer's answers; None, with a word why, if it refused the question."""
    outcome = Outcome()
    found = answers(association, question.identifier, model, outcome)
    count = sum(1 for _ in islice(found, MOST_ANSWERS))
    if count == 0 and not outcome.is_complete:
        reason = association.failure or "the peer refused it"
        say(f"  {question.words}: no answer: {reason}")
        return None
    return count


def _in_words(count: int, noun: Level | Noun) -> str:
    more = " or more" if count == MOST_ANSWERS else ""
    return f"{counted(count, noun)}{more}"
