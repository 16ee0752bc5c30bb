"""The events that a server tells its observer: for logs, metrics and audit (PS3.15 A.5).

An association makes two of them, its begin and its end; a request makes one. Their words and
fields have no value of an identifier, so no patient data.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from dicomquest.query.criteria import HasValue
from dicomquest.services.disclosures import InstancesAccessed, StudiesExported
from dicomquest.services.limit_names import LimitName
from dicomquest.services.retrieve_progress import Outcome
from dicomquest.services.step_events import StepFinished
from dicomquest.standard import statuses
from dicomquest.standard.attributes import attribute_name
from dicomquest.standard.models import FIND_MODELS_BY_UID, RETRIEVE_MODELS_BY_UID

if TYPE_CHECKING:
    from dicomquest.pdu.pdus import AAssociateRJ
    from dicomquest.query.model import Query
    from dicomquest.services.request import (
        AssociationInfo,
        ServiceUser,
        StoredInstance,
    )
    from dicomquest.services.retrieve_progress import Retrieved
    from dicomquest.ul.negotiation import AcceptedContext

_LIMITS = frozenset(f"limit {each.value}" for each in LimitName)
"""The beginnings of Error Comments that name a limit."""

LONGEST_LOGGED = 128
"""Characters of a peer's UID that are logged: twice what one may have."""

NO_STATUS = "ended with its association"
"""The reason of a request whose peer was gone before its final response."""


class AlertKind(Enum):
    """The kinds of security alerts."""

    HANDSHAKE = "TLS handshake failed"
    IDENTITY = "association of an identity that is not accepted"
    LOCKED_OUT = "lockout after wrong passcodes"
    FORBIDDEN = "use of a service not allowed"


# NamedTuples, not dataclasses: every query makes one, and a tuple is made in C. None holds its
# request: the log keeps events for a moment, and a request leads to all of its association.
class AssociationBegan(NamedTuple):
    """An association was accepted."""

    association: AssociationInfo

    def __str__(self) -> str:
        association = self.association
        return (
            f"{_asked(association.number, association.requestor, association.acceptor)}: "
            f"accepted, contexts: {len(association.contexts)}"
        )

    def fields(self) -> dict[str, object]:
        """Return the fields of the log's line."""
        return {
            "event": "association accepted",
            **_peer(self.association),
            "called": self.association.acceptor.ae_title,
            "contexts": len(self.association.contexts),
        }


class AssociationRefused(NamedTuple):
    """An association was rejected with this A-ASSOCIATE-RJ; ``detail`` is for the operator.

    ``user`` is the name that the requestor claimed, if any. A request by HTTP, ``is_http``, was
    refused for what this answer stands for.
    """

    number: int
    requestor: ServiceUser
    acceptor: ServiceUser
    answer: AAssociateRJ
    detail: str = ""
    user: str = ""
    is_http: bool = False

    @property
    def reason(self) -> str:
        """The reason that the peer learns, and that for the operator."""
        if self.is_http:
            return self.detail
        return f"{self.answer}; {self.detail}" if self.detail else str(self.answer)

    def __str__(self) -> str:
        if self.is_http:
            address = self.requestor.address
            return f"request {self.number}: by HTTP at {address}, refused: {self.reason}"
        return f"{_asked(self.number, self.requestor, self.acceptor)}: {self.reason}"

    def fields(self) -> dict[str, object]:
        """Return the fields of the log's line."""
        kind = "request" if self.is_http else "association"
        return {
            "event": f"{kind} {'refused' if self.is_http else 'rejected'}",
            kind: self.number,
            "ae": self.requestor.ae_title,
            "address": self.requestor.address,
            "called": self.acceptor.ae_title,
            "reason": self.reason,
        }


class AssociationOver(NamedTuple):
    """An accepted association has ended; ``how`` is a word of ``LifeStage``."""

    association: AssociationInfo
    how: str
    reason: str
    seconds: float


class FindFinished(NamedTuple):
    """A C-FIND request has its final response, or has lost its peer (``status`` None).

    - ``identifier`` has the bytes of its data set, in the transfer syntax of ``context``.
    - ``query`` is None if the identifier makes none, or a handler reads it.
    - ``comment`` is the Error Comment: it may hold a value of the identifier.
    - ``matches`` counts the Pending responses.
    - ``seconds`` run from the request's arrival.
    - ``service_name`` is that of the request.
    """

    association: AssociationInfo
    context: AcceptedContext
    identifier: bytes
    query: Query | None
    status: int | None
    comment: str
    offending: tuple[int, ...]
    matches: int
    seconds: float
    service_name: str = ""

    @property
    def model(self) -> str:
        """The information model in two words, or the UID of another SOP class."""
        return _model(self.context.abstract_syntax)

    @property
    def level(self) -> str:
        """The query level; empty if it is not known."""
        return self.query.level_name if self.query is not None else ""

    @property
    def reason(self) -> str:
        """The meaning of the status, with what explains it but the values of keys."""
        if self.status is None:
            return NO_STATUS
        meaning = _meaning(self.status)
        if self.offending:
            # The comment quotes the value of a key that is wrong, so the key alone is named.
            keys = ", ".join(map(attribute_name, self.offending))
            limit = self.comment.partition(": ")[0]
            return f"{meaning}: {limit}: {keys}" if limit in _LIMITS else f"{meaning}: {keys}"
        return f"{meaning}: {self.comment}" if self.comment else meaning

    @property
    def code(self) -> str:
        """The status in hexadecimal, or a dash if there was none."""
        return _code(self.status)

    @property
    def matching_keys(self) -> list[str]:
        """The names of the keys that restrict the query, sequences and all."""
        keys = () if self.query is None else self.query.criteria
        return [
            ".".join(attribute_name(step.tag) for step in key.path)
            for key in keys
            if not isinstance(key.criterion, HasValue)
        ]

    @property
    def return_keys(self) -> list[str]:
        """The names of the keys that the responses have."""
        keys = () if self.query is None else self.query.return_keys
        return [attribute_name(key.tag) for key in keys]

    def without_time(self) -> str:
        """Return the line's constant part: equal ones are counted in the log, not repeated."""
        association, query = self.association, self.query
        requestor = association.requestor
        level = None if query is None else query.level_name
        # What most queries share is put together once.
        find = find_in_words(
            self.context.abstract_syntax,
            level,
            is_http=association.is_http,
            service_name=self.service_name,
        )
        if self.comment or self.offending or self.status is None:
            reason = self.reason
            ended = reason if self.status is None else f"ended with {self.code}, {reason}"
        else:
            ended = _ended_in_words(self.status)
        return f"{association.words}: {find} by {requestor.ae_title} at {requestor.address} {ended}"

    def __str__(self) -> str:
        matches = "1 match" if self.matches == 1 else f"{self.matches:,} matches"
        return f"{self.without_time()}; {matches} in {self.seconds * 1000:,.1f} ms"

    def with_keys(self) -> str:
        """Return the line with the names of keys."""
        if self.query is None:
            return str(self)
        matching = ", ".join(self.matching_keys) or "none"
        return f"{self}; matching keys: {matching}; return keys: {', '.join(self.return_keys)}"

    def fields(self) -> dict[str, object]:
        """Return the fields of the log's line."""
        return {
            "event": "find",
            **_peer(self.association),
            "model": self.model,
            "query_level": self.level,
            "status": self.code,
            "reason": self.reason,
            "matches": self.matches,
            "milliseconds": round(self.seconds * 1000, 3),
        }

    def key_fields(self) -> dict[str, object]:
        """Return the further fields of the line with the names of keys."""
        return {"matching_keys": self.matching_keys, "return_keys": self.return_keys}


class StoreFinished(NamedTuple):
    """A C-STORE request has its response, or has lost its peer (``status`` None).

    ``instance`` is None if the data set was refused before it was read.
    """

    association: AssociationInfo
    sop_class_uid: str
    sop_instance_uid: str
    instance: StoredInstance | None
    status: int | None
    comment: str
    seconds: float

    def __str__(self) -> str:
        association = self.association
        service = "STOW-RS" if association.is_http else "C-STORE-RQ"
        name = f"{association.words}: {service}"
        if self.status == statuses.SUCCESS:
            return f"{name} ended with 0000"
        requestor = association.requestor
        return (
            f"{name} of {logged_uid(self.sop_instance_uid)} by {requestor.ae_title} at "
            f"{requestor.address} {self._ended}"
        )

    @property
    def code(self) -> str:
        """The status in hexadecimal, or a dash if there was none."""
        return _code(self.status)

    @property
    def _ended(self) -> str:
        if self.status is None:
            return NO_STATUS
        words = statuses.in_words(self.status, statuses.C_STORE_STATUSES, self.comment)
        return f"ended with {words}"

    def fields(self) -> dict[str, object]:
        """Return the fields of the log's line."""
        return {
            "event": "store",
            **_peer(self.association),
            "sop_class": logged_uid(self.sop_class_uid),
            "sop_instance": logged_uid(self.sop_instance_uid),
            "status": self.code,
            "reason": self._ended,
            "milliseconds": round(self.seconds * 1000, 3),
        }


class RetrieveFinished(NamedTuple):
    """A C-GET or C-MOVE request has its final response, or has lost its peer (``status`` None).

    ``retrieved`` has what is known of it: the level, the destination, the counts.
    """

    association: AssociationInfo
    context: AcceptedContext
    service: str
    retrieved: Retrieved
    status: int | None
    comment: str
    offending: tuple[int, ...]
    seconds: float

    @property
    def level(self) -> str:
        """The level of the request; empty if it is not known."""
        level = self.retrieved.level
        return level.name if level is not None else ""

    @property
    def code(self) -> str:
        """The status in hexadecimal, or a dash if there was none."""
        return _code(self.status)

    @property
    def reason(self) -> str:
        """The meaning of the status, with what explains it but the values of keys."""
        if self.status is None:
            return NO_STATUS
        row = statuses.find_status(self.status, statuses.C_MOVE_STATUSES)
        meaning = row.meaning if row is not None else "a status of no table"
        if self.offending:
            return f"{meaning}: {', '.join(map(attribute_name, self.offending))}"
        return f"{meaning}: {self.comment}" if self.comment else meaning

    @property
    def counts(self) -> dict[str, int]:
        """The numbers of sub-operations by their outcome, and of those that were not begun."""
        progress = self.retrieved.progress
        if progress is None:
            return {}
        counts = {each.value: progress.counts[each] for each in Outcome}
        return {**counts, "remaining": progress.remaining}

    def __str__(self) -> str:
        association, requestor = self.association, self.association.requestor
        level = f" at {self.level} level" if self.level else ""
        to = f" to {ascii(self.retrieved.destination)[1:-1]}" if self.retrieved.destination else ""
        ended = self.reason if self.status is None else f"ended with {self.code}, {self.reason}"
        counted = ", ".join(f"{count:,} {name}" for name, count in self.counts.items())
        return (
            f"{association.words}: {self.service} "
            f"{_model(self.context.abstract_syntax)}{level}{to} by {requestor.ae_title} at "
            f"{requestor.address} {ended}; {counted or 'nothing sent'} in {self.seconds:,.3f} s"
        )

    def fields(self) -> dict[str, object]:
        """Return the fields of the log's line."""
        return {
            "event": "retrieve",
            **_peer(self.association),
            "service": self.service,
            "model": _model(self.context.abstract_syntax),
            "query_level": self.level,
            "destination": self.retrieved.destination,
            "status": self.code,
            "reason": self.reason,
            **self.counts,
            "milliseconds": round(self.seconds * 1000, 3),
        }


class LimitHit(NamedTuple):
    """A limit of the server was reached by a peer, whose AE title may not be known yet."""

    limit: LimitName
    address: str
    ae_title: str = ""


class SecurityAlert(NamedTuple):
    """Somebody tried what is not allowed; ``reason`` says what, without patient data."""

    kind: AlertKind
    address: str
    ae_title: str
    reason: str
    user: str = ""


class SignedIn(NamedTuple):
    """A person signed in by a form, or out again (``begins`` False)."""

    association: AssociationInfo
    begins: bool


class UpstreamFinished(NamedTuple):
    """An archive behind this one has answered a query, or fallen short of that (``how``)."""

    upstream: str
    how: str
    matches: int
    seconds: float


Event: TypeAlias = (
    AssociationBegan
    | AssociationRefused
    | AssociationOver
    | FindFinished
    | StoreFinished
    | RetrieveFinished
    | StepFinished
    | LimitHit
    | SecurityAlert
    | SignedIn
    | UpstreamFinished
    | InstancesAccessed
    | StudiesExported
)

LoggedEvent: TypeAlias = (
    AssociationBegan
    | AssociationRefused
    | FindFinished
    | StoreFinished
    | RetrieveFinished
    | StepFinished
    | InstancesAccessed
)

LOGGED = frozenset(
    {
        AssociationBegan,
        AssociationRefused,
        FindFinished,
        StoreFinished,
        RetrieveFinished,
        StepFinished,
        InstancesAccessed,
    }
)
"""The events that are lines of the log, made of their fields when they are written."""


class Observer(Protocol):
    """A listener to a server; called in the event loop, so it must neither wait nor raise."""

    def tell(self, event: Event) -> None:
        """Hear of an event."""


def logged_uid(uid: str) -> str:
    """Return a UID for the log: a peer may put anything in its place, line breaks and megabytes."""
    return ascii(uid[:LONGEST_LOGGED])[1:-1] or "no SOP Instance UID"


def _asked(number: int, requestor: ServiceUser, acceptor: ServiceUser) -> str:
    return (
        f"association {number}: requested by {requestor.ae_title} at {requestor.address}, "
        f"called {acceptor.ae_title}"
    )


def _peer(association: AssociationInfo) -> dict[str, object]:
    return {
        "request" if association.is_http else "association": association.number,
        "ae": association.requestor.ae_title,
        "address": association.requestor.address,
    }


def _model(uid: str) -> str:
    known = FIND_MODELS_BY_UID.get(uid) or RETRIEVE_MODELS_BY_UID.get(uid)
    return known.words if known is not None else uid


@lru_cache
def find_in_words(uid: str, level: str | None, *, is_http: bool, service_name: str = "") -> str:
    """Return a search in words, as the log names it; ``service_name`` is that of no standard."""
    service = service_name or ("QIDO-RS" if is_http else f"C-FIND {_model(uid)}")
    return service + (f" at {level} level" if level else "")


@lru_cache
def _meaning(status: int) -> str:
    row = statuses.find_status(status, statuses.REPOSITORY_STATUSES)
    return row.meaning if row is not None else "a status of no table"


@lru_cache
def _ended_in_words(status: int) -> str:
    return f"ended with {_code(status)}, {_meaning(status)}"


def _code(status: int | None) -> str:
    return "-" if status is None else f"{status:04X}"
