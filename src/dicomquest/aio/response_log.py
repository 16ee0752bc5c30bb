"""The log's lines about how requests ended (PS3.7 C)."""

from __future__ import annotations

import logging

from dicomquest.dimse.commands import CStoreRQ, Request, name_of
from dicomquest.services.request import ServiceUser
from dicomquest.standard import statuses

LOGGER = logging.getLogger("dicomquest.server")

LONGEST_LOGGED = 128
"""Characters of a peer's UID that are logged: twice what one may have."""


def log_response(
    number: int, requestor: ServiceUser, command: Request, status: int, comment: str
) -> None:
    """Log how a request of association ``number`` ended, at INFO.

    A C-STORE that failed is a WARNING with all that helps to find the instance and the reason.
    """
    name = name_of(command)
    if not isinstance(command, CStoreRQ) or status == statuses.SUCCESS:
        LOGGER.info("association %d: %s ended with %04X", number, name, status)
        return
    # A peer may put anything in place of a UID, line breaks and megabytes too.
    uid = ascii(command.affected_sop_instance_uid[:LONGEST_LOGGED])[1:-1] or "no SOP Instance UID"
    words = statuses.in_words(status, statuses.C_STORE_STATUSES, comment)
    LOGGER.warning(
        "association %d: %s of %s by %s at %s ended with %s",
        number,
        name,
        uid,
        requestor.ae_title,
        requestor.address,
        words,
    )
