"""The names of a server's limits, for settings, log and metrics (PS3.8 9.3.4, PS3.4 C.4)."""

from __future__ import annotations

from enum import Enum


class LimitName(Enum):
    """A limit of the server; the value is its key in the table [limits] of the configuration."""

    ASSOCIATIONS = "max-associations"
    ASSOCIATIONS_OF_ADDRESS = "max-associations-per-peer"
    ASSOCIATIONS_OF_TITLE = "max-associations-per-ae"
    CONNECTIONS = "spare-connections"
    CONNECTIONS_OF_ADDRESS = "spare-connections-per-peer"
    VERIFICATIONS = "max-verifications"
    VERIFICATIONS_OF_ADDRESS = "max-verifications-per-peer"
    FAILURES = "max-failures"
    FAILURES_OF_ADDRESS = "max-failures-per-peer"
    REQUEST_TIMEOUT = "request-timeout"
    ARTIM_TIMEOUT = "artim-timeout"
    IDLE_TIMEOUT = "idle-timeout"
    PDU_TIMEOUT = "pdu-timeout"
    WRITE_TIMEOUT = "write-timeout"
    PDU = "max-pdu"
    COMMAND_SET = "max-command-set"
    WAITING_REQUESTS = "max-waiting-requests"
    IDENTIFIER = "max-identifier"
    KEYS = "max-keys"
    NESTING = "max-nesting"
    ITEMS = "max-items"
    TEXT = "max-text"
    VALUES = "max-values"
    UIDS = "max-uids"
    ALL_VALUES = "max-values-of-all"
    WILD_CARDS = "max-wild-cards"
    FINDS = "max-finds"
    FIND_RATE = "finds-per-second"
    QUERY_TIME = "query-timeout"
    RESULTS = "result-limit"
    RETRIEVES = "max-retrieves"
    RETRIEVED_INSTANCES = "max-retrieve-instances"
    DESTINATION_TIMEOUT = "destination-timeout"
    STORE_TIMEOUT = "store-timeout"
    RENDERINGS = "max-renderings"
    RENDERED_PIXELS = "max-rendered-pixels"
    RENDERING_TIMEOUT = "rendering-timeout"
    HTTP_HEAD = "max-http-head"
    STOW_METADATA = "max-stow-metadata"
    STOW_HEADERS = "max-stow-headers"
    STEP = "max-step"
    ORDERS = "max-orders"
    HL7_CONNECTIONS = "max-hl7-connections"
    HL7_MESSAGE = "max-hl7-message"
    HL7_TIMEOUT = "hl7-timeout"
    HL7_IDLE_TIMEOUT = "hl7-idle-timeout"
    READ_RATE = "reads-per-second"


def reached(limit: LimitName) -> str:
    """Return the words of the log for a limit that is reached."""
    return f"limit {limit.value} reached"


LOCKING = frozenset({LimitName.FAILURES, LimitName.FAILURES_OF_ADDRESS})
"""The limits beyond which a user or an address is locked out."""

OF_ASSOCIATION = {
    "associate_request": LimitName.REQUEST_TIMEOUT,
    "artim": LimitName.ARTIM_TIMEOUT,
    "idle": LimitName.IDLE_TIMEOUT,
    "pdu": LimitName.PDU_TIMEOUT,
    "write": LimitName.WRITE_TIMEOUT,
    "maximum_length": LimitName.PDU,
    "command_set": LimitName.COMMAND_SET,
    "waiting": LimitName.WAITING_REQUESTS,
}
"""The limits that end an association, by the names that its session has for them."""

OF_IDENTIFIER = {
    "elements": LimitName.KEYS,
    "depth": LimitName.NESTING,
    "items": LimitName.ITEMS,
    "text": LimitName.TEXT,
    "values": LimitName.VALUES,
    "uids": LimitName.UIDS,
    "all_values": LimitName.ALL_VALUES,
    "wild_cards": LimitName.WILD_CARDS,
    "value": LimitName.IDENTIFIER,
    "inflated": LimitName.IDENTIFIER,
}
"""The limits of an identifier, by the names that its errors have for them."""
