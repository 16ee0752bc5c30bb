"""A look at answers: the keys that the SCP seems to have ignored (PS3.4 C.4.1.2.1, notes)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dicomquest.query.evaluate import find_element, matches_data_set
from dicomquest.query.search_forms import is_empty
from dicomquest.standard.attributes import attribute_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicomquest.dataset.elements import DataSet
    from dicomquest.query.model import Query


@dataclass(frozen=True, slots=True)
class AnswerRemark:
    """A remark on one key: ``count`` of the ``total`` answers give reason for it."""

    tag: int
    name: str
    remark: str
    count: int
    total: int


def review_answers(query: Query, answers: Sequence[DataSet]) -> tuple[AnswerRemark, ...]:
    """Remark on keys with returned values that do not match, and on keys missing from answers.

    ``query`` is the SCU's own reading of its identifier. An empty value gives no remark, because
    the SCP may not know it.
    """
    zone = query.options.timezone_offset_minutes
    unmatched: dict[tuple[int, str], int] = {}
    for key in query.criteria:
        step = key.path[-1]
        name = attribute_name(*step)
        for answer in answers:
            if not is_empty(find_element(answer, step)) and not matches_data_set(
                answer, (key,), zone
            ):
                unmatched[step.tag, name] = unmatched.get((step.tag, name), 0) + 1
    total = len(answers)
    remarks = [
        AnswerRemark(tag, name, "the value returned does not match the key", count, total)
        for (tag, name), count in unmatched.items()
    ]
    for returned in query.return_keys:
        missing = sum(1 for answer in answers if find_element(answer, returned.step) is None)
        if missing:
            remarks.append(
                AnswerRemark(
                    returned.tag,
                    attribute_name(*returned.step),
                    "asked for, not returned",
                    missing,
                    total,
                )
            )
    return tuple(sorted(remarks, key=lambda remark: remark.tag))
