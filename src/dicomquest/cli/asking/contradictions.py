"""The warnings after a query whose answers contradict the question (PS3.4 C.4.1.2.1, C.4.1.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dicomquest.cli.counting import counted, number_of
from dicomquest.query.splitting import is_round
from dicomquest.standard.keys import KEYS_BY_KEYWORD, UNIQUE_KEYS
from dicomquest.standard.statuses import PENDING_WITH_UNSUPPORTED_KEYS

if TYPE_CHECKING:
    from dicomquest.cli.asking.answers import Outcome
    from dicomquest.dataset.elements import DataSet
    from dicomquest.query.answer_review import AnswerReview, KeyReview
    from dicomquest.standard.levels import Level

_OUT_OF_RESOURCES = 0xA700
_CANCELLED = 0xFE00
_MODALITIES_IN_STUDY = KEYS_BY_KEYWORD["ModalitiesInStudy"].tag


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The circumstances of a query: the peer's name, the level, and the user's wishes.

    ``is_stopped``: we ended it early, so its number of answers says nothing.
    """

    peer: str
    level: Level
    is_filtered: bool = False
    is_stopped: bool = False
    is_split: bool = False


def contradictions(
    circumstances: Circumstances,
    identifier: DataSet,
    outcome: Outcome,
    review: AnswerReview | None,
) -> list[str]:
    """Return a sentence for each way in which the answers contradict the question."""
    peer = circumstances.peer
    reviewed = review.keys() if review is not None else ()
    ignored = [key for key in reviewed if key.is_ignored]
    lines = [_ignored(circumstances, key, identifier) for key in ignored]
    if outcome.pending.get(PENDING_WITH_UNSUPPORTED_KEYS) and not ignored:
        lines.append(f"{peer} does not support one of the keys as asked (status FF01).")
    lines += _cap(circumstances, outcome)
    if review is not None:
        lines += _identities(circumstances, review)
    lines += _texts(outcome)
    return lines


def _ignored(circumstances: Circumstances, key: KeyReview, identifier: DataSet) -> str:
    element = identifier.get(key.tag)
    texts = [str(value) for value in element.values] if element and element.vr != "SQ" else []
    value = "\\".join(texts)
    asked = f"{key.name} = {value}" if value else key.name
    entities = circumstances.level.entities
    if not key.other:
        hint = f"The list holds {entities} with any {key.name}"
        if key.tag == _MODALITIES_IN_STUDY:
            hint = "--filter-here asks for each study's series, and drops the others"
        elif circumstances.is_filtered:
            hint = "--filter-here cannot tell them apart"
        return f"{circumstances.peer} ignored {asked}: no answer has that attribute. {hint}."
    others = f"{key.other:,} of {counted(key.total, circumstances.level)}"
    verb = "has" if key.other == 1 else "have"
    them = "it" if key.other == 1 else "them"
    hint = f"--filter-here {'has dropped' if circumstances.is_filtered else 'drops'} {them}"
    return f"{circumstances.peer} ignored {asked}: {others} {verb} another value. {hint}."


def _cap(circumstances: Circumstances, outcome: Outcome) -> Iterator[str]:
    if circumstances.is_stopped or circumstances.is_split:
        return
    peer, count = circumstances.peer, outcome.count
    way_out = "--split auto fetches the rest."
    status = outcome.final.status if outcome.final is not None else None
    if status in {_OUT_OF_RESOURCES, _CANCELLED} and count:
        yield f"{peer} stopped after {number_of(count, 'answer')} (status {status:04X}). {way_out}"
    elif outcome.is_complete and is_round(count):
        yield f"exactly {number_of(count, 'answer')}: {peer} probably stops there. {way_out}"


def _identities(circumstances: Circumstances, review: AnswerReview) -> Iterator[str]:
    peer, entities = circumstances.peer, circumstances.level.entities
    if review.duplicates:
        again = "answer names" if review.duplicates == 1 else "answers name"
        one = circumstances.level.entity
        yield (
            f"{review.duplicates:,} {again} a {one} that came before: "
            f"there are fewer {entities} than lines."
        )
    if review.without_unique_key:
        name = UNIQUE_KEYS[circumstances.level].keyword
        yield (
            f"{number_of(review.without_unique_key, 'answer')} of {peer} "
            f"{'has' if review.without_unique_key == 1 else 'have'} no {name}: "
            f"no later query can name these {entities}."
        )


def _texts(outcome: Outcome) -> Iterator[str]:
    for terms, count in outcome.wrong_text.items():
        answers = number_of(count, "answer")
        hold = "holds" if count == 1 else "hold"
        way_out = "--charset-of-peer 'ISO_IR 192' reads it as UTF-8."
        if terms:
            yield (
                f"{answers} {hold} text that is not in the character set that it names ({terms}); "
                f"it is shown as well as can be. {way_out}"
            )
        else:
            yield (
                f"{answers} {hold} text beyond ASCII, but {'names' if count == 1 else 'name'} no "
                f"character set; it is read as UTF-8, else as ISO_IR 100. "
                "--charset-of-peer TERM names another one."
            )
