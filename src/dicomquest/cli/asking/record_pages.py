"""A Repository Query page by page: each goes on after the last record of the one before (C.6.4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dicomquest.cli.asking.answers import Outcome, answers, failure_of
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.standard import statuses
from dicomquest.standard.tags import MAXIMUM_NUMBER_OF_RECORDS, PRIOR_RECORD_KEY, RECORD_KEY

if TYPE_CHECKING:
    from dicomquest.dataset.charset import Terms
    from dicomquest.standard.models import InformationModel
    from dicomquest.sync import Association


def page_of_records(identifier: DataSet, size: int | None, after: bytes | None) -> DataSet:
    """Return the identifier that asks for a page: ``size`` records after one of them."""
    asked = {RECORD_KEY: Element("OB", ())} | identifier
    if size is not None:
        asked[MAXIMUM_NUMBER_OF_RECORDS] = Element("UV", (size,))
    if after is not None:
        asked[PRIOR_RECORD_KEY] = Element("OB", (after,))
    return dict(sorted(asked.items()))


@dataclass(slots=True)
class RecordPages:
    """The pages of one question; ``last`` is the key of the last record that was taken.

    ``trouble`` says why the peer cannot be asked on, though it has more.
    """

    association: Association
    model: InformationModel
    size: int | None
    last: bytes | None = None
    charset: Terms = ()
    outcome: Outcome = field(default_factory=Outcome)
    trouble: str = ""

    def ask(self, identifier: DataSet) -> Iterator[DataSet]:
        """Ask until the peer says that there is no more; leaving the loop cancels the query."""
        is_wanted = RECORD_KEY in identifier
        while True:
            before, outcome = self.last, Outcome()
            asked = page_of_records(identifier, self.size, before)
            try:
                for answer in answers(self.association, asked, self.model, outcome, self.charset):
                    key = _key_of(answer)
                    if not is_wanted:
                        answer.pop(RECORD_KEY, None)
                    yield answer
                    # Only now: whoever left the loop has not had this one.
                    self.last = key or self.last
            finally:
                self.outcome.pending += outcome.pending
                self.outcome.unreadable += outcome.unreadable
                self.outcome.wrong_text += outcome.wrong_text
                self.outcome.final = outcome.final
            final = outcome.final
            if final is None or final.status != statuses.RESPONSE_LIMIT_REACHED:
                return
            if self.last == before:
                self.trouble = (
                    "the peer has more records (B001), but gave no new Record Key to go on from"
                )
                return

    @property
    def failure(self) -> str | None:
        """Why the records are not all; None if they are."""
        return self.trouble or failure_of(self.outcome, self.association)


def _key_of(answer: DataSet) -> bytes | None:
    element = answer.get(RECORD_KEY)
    if element is None or not element.values:
        return None
    value = element.values[0]
    return value if isinstance(value, bytes) else str(value).encode("latin-1", "replace")
