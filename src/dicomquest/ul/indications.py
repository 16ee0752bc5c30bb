"""The indications and confirmations that the upper layer tells its user (PS3.8 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from dicomquest.pdu.pdus import AAssociateAC, AAssociateRJ, AAssociateRQ, PresentationDataValue
from dicomquest.pdu.reader import RepeatedPDVs


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
    """The PDVs of one P-DATA-TF or several, all on accepted presentation contexts."""

    pdvs: tuple[PresentationDataValue | RepeatedPDVs, ...]


@dataclass(frozen=True, slots=True)
class ReleaseRequested:
    """The peer wants to release; answer with ``send_release_rp``.

    In a collision the acceptor has to wait for ``ReleaseConfirmed`` first:
    ``allows(Event.RELEASE_RESPONSE)`` tells.
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
    """The association is lost; ``message`` says by which error, time-out or end of connection."""

    reason: int
    message: str


@dataclass(frozen=True, slots=True)
class TransportClosed:
    """The last indication, told once: the state is 1 for good, and the face has to close."""

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
