"""The settings of ``dicomquest serve``, of all topics: PS3.8 9, PS3.4 B and C."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from dicomquest.cli.settings.access_settings import AccessSettings
from dicomquest.cli.settings.audit_settings import AuditSettings
from dicomquest.cli.settings.caller_settings import CallerSettings
from dicomquest.cli.settings.federation_settings import FederationSettings
from dicomquest.cli.settings.limit_settings import LimitSettings
from dicomquest.cli.settings.log_settings import LogSettings
from dicomquest.cli.settings.matching_settings import MatchingSettings
from dicomquest.cli.settings.monitor_settings import MonitorSettings
from dicomquest.cli.settings.network_settings import NetworkSettings
from dicomquest.cli.settings.storing_settings import StoringSettings
from dicomquest.cli.settings.web_settings import HttpSettings
from dicomquest.cli.settings.worklist_settings import WorklistSettings

SERVE_TABLE = "serve"
"""The table of the configuration file for settings whose class names no ``TABLE`` of its own."""


# Classes with slots cannot be mixed. The last base comes first in --help, in the order of fields.
@dataclass(frozen=True)
class ServeSettings(
    AuditSettings,
    MonitorSettings,
    HttpSettings,
    LogSettings,
    MatchingSettings,
    LimitSettings,
    AccessSettings,
    NetworkSettings,
    WorklistSettings,
    FederationSettings,
    StoringSettings,
):
    """The settings of the server.

    ``peers`` has the settings that differ for a calling AE title, by that title, and
    ``move_destinations`` the tables [destinations.TITLE] by theirs, ``upstreams`` the tables
    [upstreams.NAME].
    ``has_dimse`` is False for a server that answers by HTTP alone.
    """

    has_dimse: ClassVar[bool] = True

    peers: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict, metadata={"is_option": False}
    )
    move_destinations: Mapping[str, Any] = field(
        default_factory=dict, metadata={"is_option": False}
    )
    upstreams: Mapping[str, Any] = field(default_factory=dict, metadata={"is_option": False})


TABLE_OF = {
    each.name: getattr(topic, "TABLE", SERVE_TABLE)
    for topic in reversed(ServeSettings.__bases__)
    for each in fields(topic)
}
"""The table of the configuration file where each setting belongs."""

PEER_SETTINGS = (
    *(each.name for each in fields(ServeSettings) if each.metadata.get("by_peer")),
    *(each.name for each in fields(CallerSettings)),
)
"""The settings that a table [peers.TITLE] may have for a calling AE title."""
