"""The names of the limits that metrics count when a peer reaches one (PS3.8 9.3.4, PS3.4 C.4.1)."""

from __future__ import annotations

from enum import Enum


class LimitName(Enum):
    """A limit of the server; the value is a label of the metrics."""

    ASSOCIATIONS = "associations"
    CONNECTIONS = "connections"
    RESULTS = "results"
