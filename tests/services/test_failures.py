"""The statuses that errors stand for: the table of ``services.failures``, row by row."""

from __future__ import annotations

import pytest

from dicomquest.dimse.commands import CEchoRQ, CFindRQ, CGetRQ, CMoveRQ, CStoreRQ, Request
from dicomquest.errors import DataSetError, IdentifierError, IndexDatabaseError, StoreError
from dicomquest.services.failures import Failure, ServiceError, failure_of, failure_of_handler

PATIENT_NAME = 0x00100010


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (IdentifierError(0xA900, "no date", (0x00080020,)), (0xA900, "no date", (0x00080020,))),
        (StoreError(0xC000, "no pixels", (0x7FE00010,)), (0xC000, "no pixels", (0x7FE00010,))),
        (DataSetError("cut off", offset=8), (0xC001, "identifier: cut off", ())),
        (MemoryError(), (0xA700, "out of memory", ())),
    ],
)
def test_error_has_its_status(error: ServiceError, failure: Failure) -> None:
    assert failure_of(error) == failure


def test_peer_learns_nothing_of_the_database() -> None:
    """A database's message may name a host or a path, so the peer gets the status alone."""
    error = IndexDatabaseError("/srv/archive.sqlite is locked")
    assert failure_of(error) == (0xC002, "the index failed", ())


@pytest.mark.parametrize(
    ("error", "comment"),
    [
        (ValueError("DOE^JANE has no studies"), "handler failed: ValueError"),
        (None, "handler failed: no final response"),
    ],
)
def test_peer_learns_only_the_class_of_the_error(error: Exception | None, comment: str) -> None:
    assert failure_of_handler(error, CFindRQ(message_id=1)) == (0xC311, comment, ())


@pytest.mark.parametrize(
    ("request_class", "status"),
    [(CEchoRQ, 0xC311), (CFindRQ, 0xC311), (CStoreRQ, 0xC211), (CGetRQ, 0xC411), (CMoveRQ, 0xC511)],
)
def test_failed_handler_by_its_service(request_class: type[Request], status: int) -> None:
    """Each service has the status for it that pynetdicom's users know."""
    assert failure_of_handler(None, request_class(message_id=1)).status == status
