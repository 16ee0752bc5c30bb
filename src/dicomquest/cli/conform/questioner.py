"""Questions to the peer under test, and its whole replies (PS3.4 C.4.1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import TYPE_CHECKING, Protocol

from dicomquest.errors import AssociationError, DicomquestError
from dicomquest.standard.models import MODELS, STUDY_ROOT, InformationModel

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from dicomquest.dimse.events import ResponseReceived
    from dicomquest.sync import Association

MOST_ANSWERS = 1000
"""Answers to one question after which it is cancelled: a check is no load."""

Keys = Mapping[str, "str | Keys"]
"""The keys of a question by keyword.

A mapping is the item of a sequence; a sequence of "" has no item.
"""


@dataclass(frozen=True, slots=True)
class Reply:
    """All responses to one question.

    ``status`` is the final one, None without one; ``failure`` says why there is none.
    ``pending`` are the statuses of the answers, as many as ``answers`` and ``unreadable``.
    """

    status: int | None
    answers: tuple[Dataset, ...] = ()
    pending: tuple[int, ...] = ()
    comment: str = ""
    failure: str = ""
    unreadable: int = 0
    is_cut: bool = False

    @property
    def is_refused(self) -> bool:
        """Tell whether the final status is a failure (PS3.4 Table C.4-1)."""
        return self.status is not None and self.status not in {0x0000, 0xFE00}

    @property
    def has_warning(self) -> bool:
        """Tell whether the peer says that it does not support a key (FF01)."""
        return 0xFF01 in self.pending

    def values(self, keyword: str) -> list[tuple[str, ...]]:
        """Return the values of an attribute in each answer; none if it is empty or absent."""
        return [values_of(answer, keyword) for answer in self.answers]

    def repeated(self, *keywords: str) -> int:
        """Return how many answers repeat an entity, which has its values in ``keywords``."""
        found = Counter(
            tuple(values_of(answer, keyword) for keyword in keywords)
            for answer in self.answers
            if values_of(answer, keywords[0])
        )
        return sum(found.values()) - len(found)

    def end(self) -> str:
        """Return the end of the reply in words."""
        if self.status is None:
            return f"no final response: {self.failure}"
        comment = f" ({self.comment})" if self.comment else ""
        return f"status {self.status:04X}{comment}"


def values_of(answer: Dataset, keyword: str) -> tuple[str, ...]:
    """Return the values of an attribute as text; none if it is empty or absent."""
    value = answer.get(keyword)
    if value is None or value == "":
        return ()
    from pydicom.multival import MultiValue

    several = value if isinstance(value, MultiValue | list) else [value]
    return tuple(str(each).rstrip(" \0") for each in several if str(each))


class Asks(Protocol):
    """Everything that a check may do with a peer."""

    def ask(
        self,
        level: str | None,
        keys: Keys,
        *,
        model: InformationModel = STUDY_ROOT,
        extended: bytes = b"",
        cancel_after: int | None = None,
    ) -> Reply:
        """Ask a question, and return the whole reply."""

    def negotiate(
        self, abstract_syntaxes: Sequence[str], extended: Mapping[str, bytes]
    ) -> Negotiated | None:
        """Propose an association, and return what the peer accepts; None for no association."""

    def echo(self) -> str:
        """Send a C-ECHO, and return its status in words."""


@dataclass(frozen=True, slots=True)
class Negotiated:
    """The answer to a proposal: accepted and refused abstract syntaxes, extended negotiation."""

    accepted: frozenset[str]
    refused: Mapping[str, int | None]
    extended: Mapping[str, bytes]


@dataclass(slots=True)
class Questioner:
    """Asks one peer, a question at a time, and no more than ``rate`` a second."""

    connect: Callable[[Sequence[str], Mapping[str, bytes]], Association]
    rate: float
    questions: int = 0
    _next: float = 0.0
    _open: dict[tuple[str, bytes], Association] = field(default_factory=dict)

    def ask(
        self,
        level: str | None,
        keys: Keys,
        *,
        model: InformationModel = STUDY_ROOT,
        extended: bytes = b"",
        cancel_after: int | None = None,
    ) -> Reply:
        """Ask a question; the reply says if there was no association for it."""
        self._wait()
        try:
            association = self._association(model, extended)
            identifier = identifier_of(level, keys)
            responses = association.responses(identifier, model.uid)
            return self._read(association, responses, cancel_after)
        except DicomquestError as error:
            return Reply(None, failure=str(error).partition("\n")[0])

    def negotiate(
        self, abstract_syntaxes: Sequence[str], extended: Mapping[str, bytes]
    ) -> Negotiated | None:
        """Propose an association and release it again."""
        # A peer may serve one association at a time.
        self.close()
        self._wait()
        try:
            association = self.connect(abstract_syntaxes, extended)
        except AssociationError:
            return None
        found = Negotiated(
            frozenset(str(each.abstract_syntax) for each in association.accepted_contexts),
            {str(each.abstract_syntax): each.result for each in association.rejected_contexts},
            dict(association.extended_negotiation),
        )
        association.release()
        return found

    def echo(self) -> str:
        """Send a C-ECHO on an association of its own."""
        from dicomquest.standard.sop_classes import VERIFICATION

        self._wait()
        try:
            with self.connect([VERIFICATION.uid], {}) as association:
                response = association.echo()
        except DicomquestError as error:
            return str(error).partition("\n")[0]
        return "no response" if response is None else f"status {response.status:04X}"

    def close(self) -> None:
        """Release the associations."""
        for association in self._open.values():
            association.release()
        self._open.clear()

    def _wait(self) -> None:
        now = monotonic()
        if now < self._next:
            sleep(self._next - now)
        self._next = max(now, self._next) + 1 / self.rate
        self.questions += 1

    def _association(self, model: InformationModel, extended: bytes) -> Association:
        key = (model.uid, extended)
        association = self._open.get(key)
        if association is None or not association.is_established:
            offer = {model.uid: extended} if extended else {}
            association = self._open[key] = self.connect([model.uid], offer)
        return association

    def _read(
        self,
        association: Association,
        responses: Iterable[ResponseReceived | None],
        cancel_after: int | None,
    ) -> Reply:
        from dicomquest.services.identifiers import read_response

        answers: list[Dataset] = []
        pending: list[int] = []
        unreadable = 0
        last: ResponseReceived | None = None
        limit = min(cancel_after or MOST_ANSWERS, MOST_ANSWERS)
        for response in responses:
            _, answer, is_pending = read_response(response)
            if response is None or not is_pending:
                last = response
                continue
            # A peer that goes on after the C-CANCEL must not fill the memory.
            if len(pending) >= limit + MOST_ANSWERS:
                continue
            pending.append(response.command.status)
            if answer is None:
                unreadable += 1
            else:
                answers.append(answer)
            if len(pending) == limit:
                association.cancel_all()
        return Reply(
            None if last is None else last.command.status,
            tuple(answers),
            tuple(pending),
            "" if last is None else last.command.error_comment or "",
            str(association.failure or "the association ended") if last is None else "",
            unreadable,
            is_cut=len(pending) >= limit,
        )


def identifier_of(level: str | None, keys: Keys) -> Dataset:
    """Return the identifier of a question; malformed values stay as they are."""
    identifier = _data_set(keys)
    if level is not None:
        identifier.QueryRetrieveLevel = level
    if "SpecificCharacterSet" not in keys:
        identifier.SpecificCharacterSet = "ISO_IR 192"
    return identifier


def _data_set(keys: Keys) -> Dataset:
    from pydicom import config
    from pydicom.datadict import dictionary_VR, tag_for_keyword
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence as Items

    made = Dataset()
    for keyword, value in keys.items():
        tag = tag_for_keyword(keyword)
        assert tag is not None, keyword  # noqa: S101
        if not value and dictionary_VR(tag) == "SQ":
            element = DataElement(tag, "SQ", Items([] if value == "" else [Dataset()]))
        elif isinstance(value, str):
            element = DataElement(tag, dictionary_VR(tag), value, validation_mode=config.IGNORE)
        else:
            element = DataElement(tag, "SQ", Items([_data_set(value)]))
        made.add(element)
    return made


def models_of(negotiated: Negotiated | None) -> tuple[InformationModel, ...]:
    """Return the information models that a peer accepts."""
    accepted = negotiated.accepted if negotiated else frozenset()
    return tuple(model for model in MODELS if model.uid in accepted)
