"""What the log says of a request's end."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dicomquest.dimse.commands import CStoreRQ, name_of
from dicomquest.standard import statuses

if TYPE_CHECKING:
    from dicomquest.aio.acceptor import AcceptedAssociation
    from dicomquest.dimse.commands import Request

LOGGER = logging.getLogger("dicomquest.server")

LONGEST_LOGGED = 128
"""Characters of a peer's UID that are logged: twice what one may have."""


def log_response(
    association: AcceptedAssociation, command: Request, status: int, comment: str
) -> None:
    """Log how a request ended: of an instance that is not stored, all that helps to find it and the reason."""
    name = name_of(command)
    if not isinstance(command, CStoreRQ) or status == statuses.SUCCESS:
        LOGGER.info("association %d: %s ended with %04X", association.number, name, status)
        return
    # A peer may put anything in place of a UID.
    uid = ascii(command.affected_sop_instance_uid[:LONGEST_LOGGED])[1:-1] or "no SOP Instance UID"
    words = statuses.in_words(status, statuses.C_STORE_STATUSES, comment)
    LOGGER.warning(
        "association %d: %s of %s by %s at %s ended with %s",
        association.number, name, uid, association.requestor.ae_title, association.peer_address[0], words,
    )  # fmt: skip
