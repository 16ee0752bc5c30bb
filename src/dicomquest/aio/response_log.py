"""The log's lines about how requests ended (PS3.7 C)."""

from __future__ import annotations

import logging

from dicomquest.dimse.commands import CEchoRQ, CStoreRQ, Request, name_of
from dicomquest.services.repeated_lines import RepeatedLines
from dicomquest.services.request import ServiceUser
from dicomquest.standard import statuses

LOGGER = logging.getLogger("dicomquest.server")

LONGEST_LOGGED = 128
"""Characters of a peer's UID that are logged: twice what one may have."""

CARRIED_OUT = frozenset({statuses.SUCCESS, statuses.CANCEL, statuses.CLASS_NOT_TOLD})
"""The statuses of requests that a service has carried out."""


class ResponseLog:
    """The lines about the requests of one association, at INFO.

    A C-STORE that failed is a WARNING with all that helps to find the instance and the reason.
    """

    def __init__(self, number: int, lines: RepeatedLines) -> None:
        """Log for association ``number``; to ``lines`` what costs the peer nothing."""
        self._number = number
        self._lines = lines

    def performed(
        self,
        requestor: ServiceUser,
        command: Request,
        status: int,
        comment: str,
        words: str = "",
    ) -> None:
        """Log how a request ended that a service has answered, and ``words`` for what it was.

        Requests that were carried out have a line each; C-ECHO and failures cost a peer little.
        """
        level = _level(command, status)
        if not LOGGER.isEnabledFor(level):
            return
        if level == logging.INFO and status in CARRIED_OUT and not isinstance(command, CEchoRQ):
            # The log's own thread formats it.
            name = words or name_of(command)
            LOGGER.info("association %d: %s ended with %04X", self._number, name, status)
            return
        line = self._line(requestor, command, status, comment, words)
        if isinstance(command, CEchoRQ) or status not in CARRIED_OUT:
            self._lines.log(LOGGER, level, "ended", line)
        else:
            LOGGER.log(level, "%s", line)

    def refused(self, requestor: ServiceUser, command: Request, status: int, comment: str) -> None:
        """Log how a request ended that no service has seen."""
        line = self._line(requestor, command, status, comment)
        self._lines.log(LOGGER, _level(command, status), "refused", line)

    def _line(
        self,
        requestor: ServiceUser,
        command: Request,
        status: int,
        comment: str,
        words: str = "",
    ) -> str:
        name = words or name_of(command)
        if not isinstance(command, CStoreRQ) or status == statuses.SUCCESS:
            return f"association {self._number}: {name} ended with {status:04X}"
        # A peer may put anything in place of a UID, line breaks and megabytes too.
        uid = ascii(command.affected_sop_instance_uid[:LONGEST_LOGGED])[1:-1]
        words = statuses.in_words(status, statuses.C_STORE_STATUSES, comment)
        return (
            f"association {self._number}: {name} of {uid or 'no SOP Instance UID'} by "
            f"{requestor.ae_title} at {requestor.address} ended with {words}"
        )


def _level(command: Request, status: int) -> int:
    failed = isinstance(command, CStoreRQ) and status != statuses.SUCCESS
    return logging.WARNING if failed else logging.INFO
