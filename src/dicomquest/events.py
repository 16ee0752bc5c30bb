"""The events, under pynetdicom's module name: the same as ``dicomquest.evt`` (PS3.7 9.1)."""

from __future__ import annotations

from typing import Never

from dicomquest.absent_names import no_name
from dicomquest.evt import (
    EVT_ABORTED,
    EVT_ACCEPTED,
    EVT_C_ECHO,
    EVT_C_FIND,
    EVT_C_GET,
    EVT_C_MOVE,
    EVT_C_STORE,
    EVT_CONN_CLOSE,
    EVT_CONN_OPEN,
    EVT_ESTABLISHED,
    EVT_N_CREATE,
    EVT_N_SET,
    EVT_REJECTED,
    EVT_RELEASED,
    EVT_REQUESTED,
    EVT_SOP_EXTENDED,
    EVT_USER_ID,
    Event,
    EventType,
    InterventionEvent,
    NotificationEvent,
)

__all__ = [
    "EVT_ABORTED",
    "EVT_ACCEPTED",
    "EVT_CONN_CLOSE",
    "EVT_CONN_OPEN",
    "EVT_C_ECHO",
    "EVT_C_FIND",
    "EVT_C_GET",
    "EVT_C_MOVE",
    "EVT_C_STORE",
    "EVT_ESTABLISHED",
    "EVT_N_CREATE",
    "EVT_N_SET",
    "EVT_REJECTED",
    "EVT_RELEASED",
    "EVT_REQUESTED",
    "EVT_SOP_EXTENDED",
    "EVT_USER_ID",
    "Event",
    "EventType",
    "InterventionEvent",
    "NotificationEvent",
]


def __getattr__(name: str) -> Never:
    raise no_name(__name__, name)
