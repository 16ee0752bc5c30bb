"""The log's lines about how requests ended (PS3.7 C)."""

from __future__ import annotations

import logging

from dicomquest.dimse.commands import CStoreRQ, Request, name_of
from dicomquest.services.event_log import EVENT_LOG
from dicomquest.services.observer import (
    FindFinished,
    RetrieveFinished,
    StoreFinished,
    logged_uid,
)
from dicomquest.services.repeated_lines import RepeatedLines
from dicomquest.services.request import ServiceUser
from dicomquest.services.step_events import CARRIED_OUT as STORED_STEP
from dicomquest.services.step_events import StepFinished
from dicomquest.standard import statuses

LOGGER = logging.getLogger("dicomquest.server")

CARRIED_OUT = frozenset(
    {
        statuses.SUCCESS,
        statuses.CANCEL,
        statuses.CLASS_NOT_TOLD,
        statuses.RESPONSE_LIMIT_REACHED,
    }
)
"""The statuses of requests that a service has carried out."""


class ResponseLog:
    """The lines about the requests of one association, at INFO.

    A C-STORE that failed is a WARNING with all that helps to find the instance and the reason.
    """

    def __init__(self, number: int, lines: RepeatedLines) -> None:
        """Log for association ``number``; to ``lines`` what costs the peer nothing."""
        self._number = number
        self._lines = lines

    def find(self, event: FindFinished) -> None:
        """Log how a C-FIND ended; failures cost a peer little, so equal ones are counted."""
        if event.status in CARRIED_OUT:
            EVENT_LOG.log(event)
        else:
            self._lines.log(LOGGER, logging.INFO, "ended", event.without_time(), event)

    def store(self, event: StoreFinished) -> None:
        """Log how a C-STORE ended; refusals cost a peer little."""
        if event.status == statuses.SUCCESS:
            EVENT_LOG.log(event)
            return
        is_failure = event.status not in {statuses.SUCCESS, None}
        level = logging.WARNING if is_failure else logging.INFO
        if event.status in CARRIED_OUT:
            LOGGER.log(level, "%s", event)
        elif LOGGER.isEnabledFor(level):
            self._lines.log(LOGGER, level, "ended", str(event), event)

    def retrieve(self, event: RetrieveFinished) -> None:
        """Log how a C-GET or C-MOVE ended; one that sent nothing costs a peer little."""
        if event.retrieved.progress is not None:
            EVENT_LOG.log(event)
        else:
            line = f"{event.service} {event.level} {event.code} {event.reason}"
            self._lines.log(LOGGER, logging.INFO, "ended", line, event)

    def step(self, event: StepFinished) -> None:
        """Log how an N-CREATE or N-SET ended; refusals cost a peer little."""
        if event.status in STORED_STEP:
            EVENT_LOG.log(event)
        else:
            self._lines.log(LOGGER, logging.INFO, "ended", str(event), event)

    def echo(self, status: int) -> None:
        """Log how a C-ECHO ended."""
        line = f"association {self._number}: C-ECHO-RQ ended with {status:04X}"
        self._lines.log(LOGGER, logging.INFO, "ended", line)

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
    ) -> str:
        name = name_of(command)
        if not isinstance(command, CStoreRQ) or status == statuses.SUCCESS:
            ended = f"association {self._number}: {name} ended with {status:04X}"
            return f"{ended}, {comment}" if comment else ended
        words = statuses.in_words(status, statuses.C_STORE_STATUSES, comment)
        return (
            f"association {self._number}: {name} of "
            f"{logged_uid(command.affected_sop_instance_uid)} by "
            f"{requestor.ae_title} at {requestor.address} ended with {words}"
        )


def _level(command: Request, status: int) -> int:
    failed = isinstance(command, CStoreRQ) and status != statuses.SUCCESS
    return logging.WARNING if failed else logging.INFO
