"""N-CREATE and N-SET answered by the handlers of scripts (PS3.7 10.1.3, 10.1.5)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from pydicom.dataset import Dataset

from dicomquest import evt
from dicomquest.dimse.commands import NCreateRQ, NormalizedRQ, echoed_uid
from dicomquest.errors import DataSetError, DicomquestError
from dicomquest.services.handlers import Answer, Handler, read_status, tags_of, unsigned_short
from dicomquest.services.identifiers import encode_response
from dicomquest.standard import statuses
from dicomquest.standard.statuses import StatusClass, status_class

if TYPE_CHECKING:
    from dicomquest.services.request import ServiceRequest

_CARRIED_OUT = frozenset({StatusClass.SUCCESS, StatusClass.WARNING})


class _Outcome(NamedTuple):
    answer: Answer
    error_id: int | None
    attributes: Dataset | None


def event_of(command: NormalizedRQ) -> evt.InterventionEvent:
    """Return the event of a request."""
    return evt.EVT_N_CREATE if isinstance(command, NCreateRQ) else evt.EVT_N_SET


async def answer_instance(
    request: ServiceRequest, command: NormalizedRQ, handler: Handler | None
) -> None:
    """Answer a request by its handler; other exceptions than of attributes pass through."""
    if handler is None:
        comment = f"no handler is bound to {event_of(command).name}"
        await request.send_final(statuses.PROCESSING_FAILURE, comment)
        return
    try:
        if handler.is_async:
            given = await handler.call(request)
        else:
            given = await request.run(handler.call, request)
    except DataSetError as error:
        # Handlers read the attributes whenever they like, and they may be unreadable.
        await request.send_final(statuses.PROCESSING_FAILURE, f"attributes: {error}")
        return
    outcome = _read(given)
    if status_class(outcome.answer.status) in _CARRIED_OUT:
        _name_instance(request, command, outcome)
        _take_attributes(request, outcome)
    request.error_id = outcome.error_id
    await request.send_final(*outcome.answer.explained)


def _read(given: Any) -> _Outcome:
    """Read the answer of a handler: ``(status, Dataset or None)``, or a status alone."""
    status, attributes = given if isinstance(given, tuple) and len(given) == 2 else (given, None)
    if attributes is not None and not isinstance(attributes, Dataset):
        raise TypeError(
            f"a handler gave {type(attributes).__name__} as attributes: give a Dataset or None"
        )
    answer, error_id = read_status(status), None
    if answer.is_pending:
        raise ValueError(
            f"a handler gave the status {answer.status:04X}, after which more would follow: give a "
            "final one of PS3.7 Annex C"
        )
    if isinstance(status, Dataset):
        if (value := status.get("ErrorID")) is not None:
            error_id = unsigned_short(value, "Error ID (0000,0903)")
        named = tags_of(status.get("AttributeIdentifierList"))
        answer = answer._replace(offending=named or answer.offending)
    if attributes is not None:
        # The handler may keep its own: Dataset(attributes) would share its elements.
        given, attributes = attributes, Dataset()
        attributes.update(given)
    return _Outcome(answer, error_id, attributes)


def _name_instance(request: ServiceRequest, command: NormalizedRQ, outcome: _Outcome) -> None:
    """Take the UID that the handler chose for an instance without one (PS3.7 10.1.5.1.4)."""
    if not isinstance(command, NCreateRQ) or command.affected_sop_instance_uid:
        return
    uid = outcome.attributes.get("AffectedSOPInstanceUID") if outcome.attributes else None
    if outcome.attributes is None or not uid:
        raise ValueError(
            "the request names no instance: give a Dataset with AffectedSOPInstanceUID"
        )
    if not echoed_uid(str(uid)):
        raise ValueError("AffectedSOPInstanceUID of a handler is no UID: give one of 64 characters")
    del outcome.attributes.AffectedSOPInstanceUID
    request.command = replace(command, affected_sop_instance_uid=str(uid))


def _take_attributes(request: ServiceRequest, outcome: _Outcome) -> None:
    if not outcome.attributes:
        return
    try:
        request.attributes = encode_response(outcome.attributes, request.context.transfer_syntax)
    except DicomquestError as error:
        # Another class, because a DicomquestError would be blamed on the request.
        raise ValueError(f"a handler gave attributes that cannot be encoded: {error}") from error
