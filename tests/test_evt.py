from __future__ import annotations

import logging
from datetime import datetime

import pytest
from pydicom.uid import UID

from dicomquest import evt
from dicomquest.dimse.commands import CEchoRQ, CFindRQ
from dicomquest.errors import DataSetError
from dicomquest.handled_request import PresentationContextTuple, Request
from fixtures.faces import IDENTIFIER, IMPLICIT, PATIENT_ROOT, VERIFICATION

FIND = Request(
    CFindRQ(message_id=7, affected_sop_class_uid=PATIENT_ROOT, priority=2),
    IDENTIFIER,
    transfer_syntax=IMPLICIT,
)
ECHO = Request(
    CEchoRQ(message_id=8, affected_sop_class_uid=VERIFICATION), None, transfer_syntax=IMPLICIT
)


def one(event: evt.Event) -> None: ...
def two(event: evt.Event) -> None: ...


def test_notification_has_many_handlers_each_once() -> None:
    """A notification has any number of handlers, each once."""
    handlers = evt.Handlers(
        [(evt.EVT_RELEASED, one), (evt.EVT_RELEASED, two), (evt.EVT_RELEASED, one)]
    )
    assert [bound.function for bound in handlers.bound(evt.EVT_RELEASED)] == [one, two]
    assert handlers.events() == [evt.EVT_RELEASED]


def test_intervention_has_handler_bound_last() -> None:
    handlers = evt.Handlers([(evt.EVT_C_FIND, one), (evt.EVT_C_FIND, two)])
    assert [bound.function for bound in handlers.bound(evt.EVT_C_FIND)] == [two]


def test_unbinding_undoes_that_handler_only() -> None:
    handlers = evt.Handlers([(evt.EVT_RELEASED, one), (evt.EVT_RELEASED, two)])
    handlers.unbind(evt.EVT_RELEASED, one)
    handlers.unbind(evt.EVT_C_FIND, one)
    assert [bound.function for bound in handlers.bound(evt.EVT_RELEASED)] == [two]


def test_handler_gets_its_arguments_after_event() -> None:
    got: list[tuple[object, ...]] = []
    handlers = evt.Handlers([(evt.EVT_CONN_OPEN, lambda *given: got.append(given), [1, "two"])])
    event = evt.Event(None, evt.EVT_CONN_OPEN, address=("host", 104))
    handlers.notify(event)
    assert got == [(event, 1, "two")]


def test_failing_notified_handler_is_logged_alone(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """An error in a notified handler goes to the log and not to the next handler."""
    told: list[evt.Event] = []

    def fail(event: evt.Event) -> None:
        raise KeyError(event.event.name)

    with caplog.at_level(logging.INFO, "dicomquest"):
        evt.Handlers([(evt.EVT_RELEASED, fail), (evt.EVT_RELEASED, told.append)]).notify(
            evt.Event(None, evt.EVT_RELEASED)
        )
    assert len(told) == 1
    assert "KeyError: 'EVT_RELEASED'" in caplog.text
    assert "Traceback" not in caplog.text
    assert "Traceback" not in capfd.readouterr().err


def test_traceback_of_handler_is_logged_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "dicomquest"), evt.guarded("a handler") as guard:
        raise LookupError("gone")
    assert isinstance(guard.failure, LookupError)
    assert "Traceback" in caplog.text


def test_guard_lets_pass_what_ends_program() -> None:
    with pytest.raises(KeyboardInterrupt), evt.guarded("a handler"):
        raise KeyboardInterrupt


def test_event_of_a_query() -> None:
    cancelled = False
    context = PresentationContextTuple(3, UID(PATIENT_ROOT), UID(IMPLICIT))
    event = evt.Event(
        "assoc", evt.EVT_C_FIND, request=FIND, cancelled=lambda: cancelled, context=context
    )
    assert event.assoc == "assoc"
    assert event.event is evt.EVT_C_FIND
    assert isinstance(event.timestamp, datetime)
    assert event.context.transfer_syntax.is_implicit_VR
    assert event.message_id == 7
    assert event.identifier.QueryRetrieveLevel == "PATIENT"
    assert event.identifier.PatientName == ""
    assert event.identifier is event.identifier
    assert not event.is_cancelled
    cancelled = True
    assert event.is_cancelled


def test_request_has_names_of_command_elements() -> None:
    """A request has the names of its command elements."""
    assert (FIND.MessageID, FIND.AffectedSOPClassUID, FIND.Priority) == (7, PATIENT_ROOT, 2)
    assert FIND.Identifier is not None
    assert FIND.Identifier.read() == IDENTIFIER
    assert (ECHO.Priority, ECHO.Identifier) == (None, None)


def test_missing_attribute_error_tells_what_exists() -> None:
    """An event asked for an attribute that it lacks tells which ones it has."""
    event = evt.Event(None, evt.EVT_C_ECHO, request=ECHO)
    assert not event.is_cancelled
    with pytest.raises(
        AttributeError, match="EVT_C_ECHO has no 'address'; it has request, message_id"
    ):
        _ = event.address
    with pytest.raises(AttributeError, match="has no 'identifier'"):
        _ = event.identifier


def test_malformed_identifier_is_data_set_error() -> None:
    request = Request(FIND.command, b"\x08\x00\x52\x00\xff\xff\x00\x00", IMPLICIT)
    with pytest.raises(DataSetError):
        _ = evt.Event(None, evt.EVT_C_FIND, request=request).identifier


@pytest.mark.parametrize("name", ["EVT_N_GET", "EVT_N_ACTION"])
def test_event_that_is_not_here_says_so(name: str) -> None:
    with pytest.raises(AttributeError, match=f"no {name}: .* keep pynetdicom"):
        getattr(evt, name)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = evt.nothing


def test_name_instead_of_an_event_is_refused() -> None:
    with pytest.raises(TypeError, match="'EVT_C_FIND' is no event: give one"):
        evt.Handlers([("EVT_C_FIND", one)])  # type: ignore[list-item]
