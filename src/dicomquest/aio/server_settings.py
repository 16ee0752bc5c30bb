"""The settings of a server: its policy, services, time-outs and limits (PS3.8 7.1, 9.1)."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dicomquest.aio.connections import SPARE_CONNECTIONS, SPARE_OF_ADDRESS, ConnectionLimits
from dicomquest.dimse.link import SessionOptions
from dicomquest.services.admission import Admission
from dicomquest.services.observer import Observer
from dicomquest.services.request import Service
from dicomquest.ul.negotiation import AcceptorPolicy
from dicomquest.ul.timers import Timeouts


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The policy, services, time-outs and limits of a server.

    - ``policy`` says which associations and presentation contexts are accepted.
    - ``services`` has the service that answers, by abstract syntax.
    - ``timeouts`` are in seconds.
    - ``maximum_associations`` bounds all associations at a time, ``maximum_associations_per_peer``
      those of one address; an association too many is rejected (PS3.8 9.3.4).
    - ``spare_connections`` and ``spare_connections_per_peer`` may be open beyond these, in a
      handshake, silent or rejected. ``Connections`` has the rules.
    - ``threads`` bounds the pool for blocking handlers and databases; without it each association
      can have one thread.
    - ``reuse_port`` lets several processes listen on one port (SO_REUSEPORT).
    - ``ae`` is what handlers find as that of an association.
    - ``admission`` has the rules of who may ask; without it everybody may.
    - ``suspension`` gives the reason why nobody is served now; empty where all are.
    - ``observer`` hears of associations, requests and alerts.
    - ``ending`` is awaited when the server has closed, for what its services hold open.
    - ``access`` changes the policy for each association: titles may change while the server runs.
    """

    policy: AcceptorPolicy
    services: Mapping[str, Service]
    timeouts: Timeouts = field(default_factory=Timeouts)
    maximum_associations: int = 100
    maximum_associations_per_peer: int | None = None
    spare_connections: int = SPARE_CONNECTIONS
    spare_connections_per_peer: int = SPARE_OF_ADDRESS
    threads: int | None = None
    ssl_context: ssl.SSLContext | None = None
    reuse_port: bool = False
    session: SessionOptions | None = None
    admission: Admission | None = None
    observer: Observer | None = None
    suspension: Callable[[], str] = str
    access: Callable[[AcceptorPolicy], AcceptorPolicy] | None = None
    ending: Callable[[], Awaitable[None]] | None = None

    ae: Any = None

    @property
    def connection_limits(self) -> ConnectionLimits:
        """The limits of connections and associations."""
        return ConnectionLimits(
            self.maximum_associations,
            self.maximum_associations_per_peer,
            self.spare_connections,
            self.spare_connections_per_peer,
        )

    @property
    def policy_now(self) -> AcceptorPolicy:
        """The policy for an association that begins now."""
        return self.policy if self.access is None else self.access(self.policy)
