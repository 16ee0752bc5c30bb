"""An archive behind this one: the way to it, and what it holds (PS3.8 7.1, PS3.4 C.4.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dicomquest.standard.levels import Level
from dicomquest.standard.models import PATIENT_ROOT, STUDY_ROOT, InformationModel
from dicomquest.ul.timers import Timeouts

if TYPE_CHECKING:
    import ssl

    from dicomquest.pdu.user_information import UserIdentityRQ

MOST_ASSOCIATIONS = 4
"""Associations with an upstream at a time, if its table names no number."""

RETRY_SECONDS = 5.0
"""Seconds for which an upstream that could not be reached is not tried again."""

HELD_MODELS = (PATIENT_ROOT, STUDY_ROOT)
"""The information models that an upstream holds, if its table names none."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """The table of an archive; ``issuer`` is that of patients without one.

    ``relational`` says that it answers relational queries, though it does not negotiate them.
    """

    name: str
    ae_title: str
    host: str
    port: int
    own_ae_title: str = "DICOMQUEST"
    models: tuple[InformationModel, ...] = HELD_MODELS
    levels: frozenset[Level] = frozenset(Level)
    issuer: str = ""
    relational: bool = False
    most_associations: int = MOST_ASSOCIATIONS
    retry_seconds: float = RETRY_SECONDS
    maximum_length: int = 65536
    timeouts: Timeouts = field(default_factory=Timeouts)
    ssl_context: ssl.SSLContext | None = None
    user_identity: UserIdentityRQ | None = None

    @property
    def words(self) -> str:
        """The upstream in a line of the log."""
        return f"upstream {self.name} ({self.ae_title} at {self.host} port {self.port})"
