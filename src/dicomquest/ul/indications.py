"""What the upper layer tells its user: indications and confirmations (PS3.8 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from dicomquest.pdu.pdus import AAssociateAC, AAssociateRJ, AAssociateRQ, PresentationDataValue


@dataclass(frozen=True, slots=True)
class AssociateRequested:
    """The peer wants an association; answer with ``send_associate_ac`` or ``send_associate_rj``."""

    rq: AAssociateRQ


@dataclass(frozen=True, slots=True)
class AssociateAccepted:
    """The peer accepted, and its answer fits the request."""

    ac: AAssociateAC


@dataclass(frozen=True, slots=True)
class AssociateRejected:
    """The peer refused."""

    rj: AAssociateRJ


@dataclass(frozen=True, slots=True)
class DataReceived:
    """The PDVs of a P-DATA-TF, or of several that came together, all on accepted presentation contexts."""

    pdvs: tuple[PresentationDataValue, ...]


@dataclass(frozen=True, slots=True)
class ReleaseRequested:
    """The peer wants to release; answer with ``send_release_rp`` as soon as ``allows(Event.RELEASE_RESPONSE)``.

    In a collision the acceptor has to wait for ``ReleaseConfirmed`` first.
    """


@dataclass(frozen=True, slots=True)
class ReleaseConfirmed:
    """The peer answered our release request."""


@dataclass(frozen=True, slots=True)
class Aborted:
    """The peer sent A-ABORT: source 0 its user, 2 its provider (then the reason counts)."""

    source: int
    reason: int


@dataclass(frozen=True, slots=True)
class ProviderAborted:
    """The association is lost: by the peer's error, a time-out or the end of the connection; ``message`` says which."""

    reason: int
    message: str


@dataclass(frozen=True, slots=True)
class TransportClosed:
    """The last indication, exactly once: the state is 1 for good, and the face is to close its end."""

    message: str


Indication: TypeAlias = (
    AssociateRequested
    | AssociateAccepted
    | AssociateRejected
    | DataReceived
    | ReleaseRequested
    | ReleaseConfirmed
    | Aborted
    | ProviderAborted
    | TransportClosed
)
