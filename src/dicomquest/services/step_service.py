"""N-CREATE and N-SET of performed procedure steps answered from the database (PS3.4 F.7.2)."""

from __future__ import annotations

import logging
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from dicomquest.dataset.charset import FALLBACK, Terms, normalise_terms
from dicomquest.dataset.codec import decode
from dicomquest.dataset.limits import IDENTIFIER_LIMITS, Limits
from dicomquest.dimse.commands import NCreateRQ, NSetRQ
from dicomquest.errors import DataSetError, IndexDatabaseError
from dicomquest.query.search_forms import is_empty
from dicomquest.services.limit_defaults import LARGEST_STEP
from dicomquest.services.limit_names import LimitName
from dicomquest.services.request import ServiceRequest, StoredInstance
from dicomquest.standard import statuses
from dicomquest.standard.step_attributes import SCHEDULED_STEP_ATTRIBUTES
from dicomquest.standard.tags import SPECIFIC_CHARACTER_SET
from dicomquest.worklist.performed_step import STUDY_INSTANCE_UID, PerformedStep, StepError
from dicomquest.worklist.performed_steps import PerformedSteps

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet
    from dicomquest.index import Index

LOGGER = logging.getLogger("dicomquest.server")

_UID = re.compile(r"(?=.{1,64}\Z)[0-9]+(\.[0-9]+)*")
_PATIENT_NAME, _PATIENT_ID = 0x00100010, 0x00100020


class _Outcome(NamedTuple):
    step: PerformedStep
    refused: tuple[int, ...] = ()


class StepService:
    """Answers the N-CREATE and N-SET requests of modalities: each is committed, then answered."""

    def __init__(
        self, index: Index, longest: int = LARGEST_STEP, depth: int = IDENTIFIER_LIMITS.depth
    ) -> None:
        """Keep the steps in the database of an index, beside its worklist.

        ``longest`` bounds the bytes of a request's attributes, ``depth`` their sequences.
        """
        self._steps = PerformedSteps(index.database)
        self._limits = step_limits(longest, depth)

    async def handle(self, request: ServiceRequest) -> None:
        """Answer a request; all but N-CREATE and N-SET are of other SOP classes."""
        command = request.command
        if not isinstance(command, NCreateRQ | NSetRQ):
            await request.send_final(statuses.UNRECOGNIZED_OPERATION)
            return
        if isinstance(command, NCreateRQ) and not command.affected_sop_instance_uid:
            # The response names the instance, whoever chose its UID.
            request.command = command = replace(command, affected_sop_instance_uid=_new_uid())
        try:
            outcome = await request.run(self._perform, request, command)
        except StepError as error:
            request.error_id = error.error_id
            await request.send_final(error.status, error.comment, error.attributes)
        except DataSetError as error:
            limit = LimitName.NESTING if error.limit == "depth" else LimitName.STEP
            if not error.limit:
                await request.send_final(statuses.PROCESSING_FAILURE, f"attributes: {error}")
                return
            request.hit(limit)
            comment = f"limit {limit.value}: {error}"
            await request.send_final(statuses.RESOURCE_LIMITATION, comment)
        except IndexDatabaseError as error:
            # Its words may hold a path or a host name: they go to the log alone.
            words = request.association.words
            LOGGER.error("%s: the step is not stored: %s", words, error)  # noqa: TRY400
            await request.send_final(statuses.PROCESSING_FAILURE, "the index failed")
        else:
            request.instance = _instance(outcome.step)
            status = statuses.ATTRIBUTE_LIST_ERROR if outcome.refused else statuses.SUCCESS
            await request.send_final(status, "", outcome.refused)

    def _perform(self, request: ServiceRequest, command: NCreateRQ | NSetRQ) -> _Outcome:
        uid, association = command.affected_sop_instance_uid, request.association
        if not _UID.fullmatch(uid):
            raise StepError(statuses.INVALID_SOP_INSTANCE, "no UID of up to 64 characters")
        visible, title = association.profile.visible, association.requestor.ae_title
        if isinstance(command, NCreateRQ):
            data_set = self._decoded(request)
            charset = data_set.get(SPECIFIC_CHARACTER_SET)
            terms = normalise_terms(tuple(map(str, charset.values)) if charset else ())
            return _Outcome(
                self._steps.create(
                    uid,
                    data_set,
                    creator=title,
                    received=int(time.time()),
                    character_set=terms,
                    visible=visible,
                )
            )

        def read(terms: Terms) -> DataSet:
            return self._decoded(request, terms)

        # Who sees a part of the worklist changes the steps that it made, and no others.
        return _Outcome(*self._steps.change(uid, read, caller=title if visible else None))

    def _decoded(self, request: ServiceRequest, terms: Terms = ()) -> DataSet:
        """Return the attributes of a request, read by ``terms`` if they name no character set."""
        data, syntax = request.data_set or b"", request.context.transfer_syntax
        default = request.association.profile.choices.default_charset
        fallback = (default, *FALLBACK) if default else FALLBACK
        data_set = decode(data, syntax, fallback=fallback, limits=self._limits)
        if terms and SPECIFIC_CHARACTER_SET not in data_set:
            return decode(data, syntax, limits=self._limits, charset=terms)
        return data_set


def step_limits(longest: int, depth: int) -> Limits:
    """Return the bounds on attributes of so many bytes: parts that cost more have a share each."""
    return Limits(
        depth=depth,
        elements=max(1_000, longest // 20),  # an instance has two, and its UIDs
        items=max(1_000, longest // 40),
        value=longest,
        text=max(1 << 14, longest // 64),
        values=1_000,
        uids=1_000,
        inflated=longest,
    )


def _instance(step: PerformedStep) -> StoredInstance:
    """Return whose step it is, for the audit trail."""
    item = step.attributes[SCHEDULED_STEP_ATTRIBUTES].values[0]
    attributes = step.attributes
    return StoredInstance(
        _text(item, STUDY_INSTANCE_UID),
        _text(attributes, _PATIENT_ID),
        _text(attributes, _PATIENT_NAME),
    )


def _text(data_set: DataSet, tag: int) -> str:
    element = data_set.get(tag)
    return "" if element is None or is_empty(element) else str(element.values[0])


def _new_uid() -> str:
    return f"2.25.{uuid4().int}"
