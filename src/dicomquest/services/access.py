"""The requestor of an association, and the profile of what it may do (PS3.7 D.3.3.7, PS3.15 B)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from dicomquest.query.criteria import KeyCriterion
from dicomquest.query.options import QueryOptions
from dicomquest.standard.levels import Level
from dicomquest.standard.models import (
    MODALITY_WORKLIST,
    MODELS,
    NON_PATIENT_MODELS,
    OBJECT_RETRIEVE_MODELS,
    REPOSITORY_QUERY,
    UPS_MODELS,
    InformationModel,
)
from dicomquest.standard.sop_classes import RETRIEVE_SOP_CLASSES, VERIFICATION
from dicomquest.standard.step_attributes import MPPS


class ServiceKind(Enum):
    """The services that a profile allows; the value is the word of the configuration file."""

    VERIFICATION = "verification"
    FIND = "find"
    STORE = "store"
    RETRIEVE = "retrieve"
    WORKLIST = "worklist"
    OBJECTS = "objects"
    STEPS = "steps"
    ORDERS = "orders"
    UPS = "ups"


_KINDS: dict[str, tuple[ServiceKind, InformationModel | None]] = {
    VERIFICATION.uid: (ServiceKind.VERIFICATION, None),
    **{model.uid: (ServiceKind.FIND, model) for model in (*MODELS, REPOSITORY_QUERY)},
    MODALITY_WORKLIST.uid: (ServiceKind.WORKLIST, None),
    **{model.uid: (ServiceKind.OBJECTS, None) for model in NON_PATIENT_MODELS},
    MPPS: (ServiceKind.STEPS, None),
    **dict.fromkeys(OBJECT_RETRIEVE_MODELS, (ServiceKind.OBJECTS, None)),
    **{model.uid: (ServiceKind.UPS, None) for model in UPS_MODELS},
    # Composite Instance Root is no model of queries.
    **{each.uid: (ServiceKind.RETRIEVE, None) for each in RETRIEVE_SOP_CLASSES},
    **{model.get_uid: (ServiceKind.RETRIEVE, model) for model in MODELS},
    **{model.move_uid: (ServiceKind.RETRIEVE, model) for model in MODELS},
}


def kind_and_model(abstract_syntax: str) -> tuple[ServiceKind, InformationModel | None]:
    """Return the service of an abstract syntax, and the model of a query or a retrieval."""
    return _KINDS.get(abstract_syntax, (ServiceKind.STORE, None))


@dataclass(frozen=True, slots=True)
class Certificate:
    """The certificate that a peer showed in the TLS handshake (PS3.15 B.12).

    ``fingerprint`` is the SHA-256 of its DER form, 64 hexadecimal digits in small letters.
    ``common_name`` is the CN of its subject, empty unless there is exactly one.
    """

    fingerprint: str
    common_name: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """The one who asks; ``user`` is a verified name only.

    The calling AE title is the peer's own word. The address, the user and the certificate are what
    this side has seen or verified itself.
    """

    ae_title: str
    address: str
    user: str | None = None
    certificate: Certificate | None = None


@dataclass(frozen=True, slots=True)
class PeerChoices:
    """The choices for one calling AE title, where the Standard leaves one (PS3.4 C.2.2.2, C.4.1).

    docs/reference/conformance.md, 4.1 lists them.

    - ``options`` say how keys are matched.
    - ``result_limit`` is the most Pending responses to one query; None for no limit. A query with
      more ends with A700, or with 0000 if ``limit_is_success``.
    - ``default_charset`` is the defined term for identifiers that name no character set.
    - ``query_seconds`` is the longest time that a query may take, ``finds_per_second`` the number
      of queries that may begin in a second; None for no limit.
    - ``most_retrieved`` are the most instances of a retrieve; None for no limit.
    """

    options: QueryOptions = field(default_factory=QueryOptions)
    result_limit: int | None = None
    limit_is_success: bool = False
    incomplete_is_success: bool = False
    default_charset: str | None = None
    query_seconds: float | None = None
    finds_per_second: float | None = None
    most_retrieved: int | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """The rights of an identity and the choices for it, the same for its whole association.

    - ``services``, ``models`` and ``levels`` are those that it may use.
    - ``visible`` is the filter of all that it may see (``query.visibility``); none shows all.
    - ``choices`` are those of its queries.
    - ``most_associations`` may be held under its AE title at a time; None for any number.
    - ``destinations`` are those that its C-MOVE may name; None for all.
    - ``caller_port`` makes it a destination of its own, at its address; None does not.
    - ``assumes_roles`` sends instances of a C-GET on contexts without role selection, too.
    """

    services: frozenset[ServiceKind] = frozenset(ServiceKind)
    models: frozenset[InformationModel] = frozenset((*MODELS, REPOSITORY_QUERY))
    levels: frozenset[Level] = frozenset(Level)
    visible: tuple[KeyCriterion, ...] = ()
    choices: PeerChoices = field(default_factory=PeerChoices)
    most_associations: int | None = None
    destinations: frozenset[str] | None = None
    caller_port: int | None = None
    assumes_roles: bool = False

    def allows(self, abstract_syntax: str) -> bool:
        """Tell whether the identity may have a presentation context for an abstract syntax."""
        kind, model = kind_and_model(abstract_syntax)
        return kind in self.services and (model is None or model in self.models)


EVERYTHING = Profile()
"""The profile of a server without rules."""
