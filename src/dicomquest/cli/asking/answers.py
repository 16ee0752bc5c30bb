"""One query of a peer: its answers while they come, and its outcome (PS3.4 C.4.1.1.4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dicomquest.cli.counting import number_of
from dicomquest.dataset.codec import RemarkKind, Remarks, decode
from dicomquest.dataset.elements import to_pydicom
from dicomquest.dimse.commands import PENDING
from dicomquest.services.identifiers import read_identifier
from dicomquest.standard.statuses import StatusClass, status_class
from dicomquest.standard.tags import SPECIFIC_CHARACTER_SET, tag_text

if TYPE_CHECKING:
    from dicomquest.dataset.charset import Terms
    from dicomquest.dataset.elements import DataSet
    from dicomquest.dimse.commands import Response
    from dicomquest.standard.models import InformationModel
    from dicomquest.sync import Association

_WRONG_TEXT = frozenset({RemarkKind.UNDECODABLE, RemarkKind.UNKNOWN_CHARSET, RemarkKind.NO_CHARSET})


@dataclass(slots=True)
class Outcome:
    """The responses so far: Pending by status, unreadable ones, the final one.

    ``wrong_text`` counts the answers with text that is not in the character set that they name.
    """

    pending: Counter[int] = field(default_factory=Counter)
    unreadable: int = 0
    wrong_text: Counter[str] = field(default_factory=Counter)
    final: Response | None = None

    @property
    def count(self) -> int:
        """The number of answers."""
        return self.pending.total()

    @property
    def is_complete(self) -> bool:
        """Tell whether the peer ended the query with Success."""
        return self.final is not None and status_class(self.final.status) is StatusClass.SUCCESS

    def add(self, other: Outcome) -> None:
        """Add the outcome of another part of the same question; the first bad end stays."""
        self.pending += other.pending
        self.unreadable += other.unreadable
        self.wrong_text += other.wrong_text
        if self.final is None or self.is_complete:
            self.final = other.final


def failure_of(outcome: Outcome, association: Association) -> str | None:
    """Return why the answers are not all; None if the peer ended the query well."""
    from dicomquest.ae.find_call import query_failure

    final = outcome.final
    if outcome.unreadable:
        return f"{number_of(outcome.unreadable, 'response')} of the peer could not be read"
    if final is None:
        reason = association.failure or "the association ended"
        return f"the peer did not answer the query to its end: {reason}"
    if outcome.is_complete:
        return None
    tags = ", ".join(map(tag_text, final.offending_element or ()))
    return f"{query_failure(final)}{f', at {tags}' if tags else ''}"


def answers(
    association: Association,
    identifier: DataSet,
    model: InformationModel,
    outcome: Outcome,
    charset: Terms = (),
) -> Iterator[DataSet]:
    """Send a query, and yield its answers; leaving the loop cancels it.

    ``charset`` is the character set to read them in, whatever they say.
    """
    remarks = Remarks()

    def read(data: bytes, transfer_syntax: str) -> DataSet:
        remarks.clear()
        return decode(data, transfer_syntax, remarks=remarks, charset=charset)

    for response in association.responses(to_pydicom(identifier), model.uid):
        if response is None or response.command.status not in PENDING:
            outcome.final = None if response is None else response.command
            return
        answer = read_identifier(response, read)
        if answer is None:
            outcome.unreadable += 1
            continue
        outcome.pending[response.command.status] += 1
        if remarks and any(remark.kind in _WRONG_TEXT for remark in remarks):
            named = answer.get(SPECIFIC_CHARACTER_SET)
            terms = "\\".join(map(str, named.values)) if named is not None else ""
            outcome.wrong_text[terms] += 1
        yield answer
