"""C-STORE answered: a data set streams to a file, which is stored before the response (PS3.4 B.2).

The data set goes to the file while it arrives, so no instance is held in memory. Once it is whole,
the instances of all associations that are whole at the moment are synced and indexed together.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

from dicomquest.dataset.part10 import FileStart, encode_file_meta
from dicomquest.dimse.commands import CStoreRQ
from dicomquest.errors import StoreError
from dicomquest.index.ingest.file_reader import read_arrived
from dicomquest.index.ingest.instance import Prepared, Reason, Received, Skipped
from dicomquest.index.ingest.known_headers import KnownHeaders
from dicomquest.pdu.user_information import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicomquest.services.batching import Gatherer
from dicomquest.services.failures import failure_of
from dicomquest.services.request import ServiceRequest, StoredInstance
from dicomquest.standard import statuses
from dicomquest.standard.keys import KEYS_BY_KEYWORD, UNIQUE_KEYS
from dicomquest.standard.levels import Level
from dicomquest.store.archive import Archive, Arrival, out_of_resources
from dicomquest.store.incoming import Incoming
from dicomquest.store.worker_thread import Outcome, WorkerThread

LOGGER = logging.getLogger("dicomquest.store")


CHUNK = 512 * 1024
"""Bytes of a write: the turn of a thread costs as much as writing some ten kilobytes."""

_SOP_CLASS_UID = KEYS_BY_KEYWORD["SOPClassUID"]
_PATIENT_NAME = KEYS_BY_KEYWORD["PatientName"]
_SOP_INSTANCE_UID = UNIQUE_KEYS[Level.IMAGE]

REFUSED = {
    Reason.NO_SOP_INSTANCE_UID: (statuses.DATA_SET_DOES_NOT_MATCH, (_SOP_INSTANCE_UID.tag,)),
    Reason.NO_STUDY_OR_SERIES_UID: (
        statuses.DATA_SET_DOES_NOT_MATCH,
        (UNIQUE_KEYS[Level.STUDY].tag, UNIQUE_KEYS[Level.SERIES].tag),
    ),
    Reason.UNFIT_UID: (statuses.DATA_SET_DOES_NOT_MATCH, ()),
    Reason.DICOMDIR: (statuses.DATA_SET_DOES_NOT_MATCH, (_SOP_CLASS_UID.tag,)),
}
"""The status and the Offending Element for each reason of the index to skip an instance.

An unfit UID tells its own tag; reasons without a row are answered with C000.
"""

_Step = TypeVar("_Step")


class StudyStoreRequest(ServiceRequest):
    """A request whose instance has to be of the study ``study_uid``, unless that is empty."""

    __slots__ = ("study_uid",)

    study_uid: str


@dataclass(slots=True, eq=False)
class _Whole:
    """A request whose data set has arrived, with the outcome of its storing.

    ``incoming`` is its file, if it has one yet, and ``parts`` are the bytes that are not in it.
    """

    request: ServiceRequest
    incoming: Incoming | None
    parts: list[bytes]
    status: int = statuses.SUCCESS
    failure: StoreError | None = None


class StorageService:
    """A service that answers C-STORE requests by keeping their instances in an archive."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._headers = KnownHeaders()
        self._gatherer: Gatherer[_Whole] = Gatherer(
            self._store, WorkerThread("dicomquest-store").do
        )

    def scratch(self) -> BinaryIO:
        """Open a file without a name beside the instances; StoreError if there is no room."""
        return self._archive.scratch()

    async def handle(self, request: ServiceRequest) -> None:
        """Answer the request, when its instance is on disk and in the index or is refused."""
        command, stream = request.command, request.stream
        if not isinstance(command, CStoreRQ):
            await request.send_final(statuses.UNRECOGNIZED_OPERATION)
            return
        if stream is None:
            await request.send_final(statuses.CANNOT_UNDERSTAND, "no data set")
            return
        try:
            status = await self._receive(request, command)
        except StoreError as error:
            # Some peers read no response before all is sent.
            await stream.drain()
            await request.send_final(*failure_of(error))
        else:
            request.association.state.has_stored = True
            offending = () if status == statuses.SUCCESS else (_SOP_CLASS_UID.tag,)
            await request.send_final(status, "", offending)

    async def _receive(self, request: ServiceRequest, command: CStoreRQ) -> int:
        assert request.stream is not None  # noqa: S101
        if not command.affected_sop_instance_uid:
            raise StoreError(statuses.INVALID_SOP_INSTANCE, "no Affected SOP Instance UID")
        incoming: Incoming | None = None
        try:
            parts = await request.stream.read(CHUNK)
            while not request.stream.is_complete:
                incoming = await request.run(self._write, incoming, request, parts)
                parts = await request.stream.read(CHUNK)
            # From here on the batch owns the file: it goes on even if this association ends.
            whole, incoming = _Whole(request, incoming, parts), None
            await self._gatherer.do(whole)
            if whole.failure is not None:
                raise whole.failure
            return whole.status
        finally:
            if incoming is not None:
                incoming.discard()

    def _write(
        self, incoming: Incoming | None, request: ServiceRequest, parts: list[bytes]
    ) -> Incoming:
        """Append to the file, begun if there is none yet; like all below, in a server's thread."""
        if incoming is None:
            incoming = self._archive.begin(_meta(request))
        try:
            incoming.write(parts)
        except OSError as error:
            incoming.discard()
            raise out_of_resources(error) from error
        return incoming

    def _store(self, batch: list[_Whole]) -> None:
        """Write the rest of each file, read its header, and store all that are sound."""
        synced: Outcome | None = None
        try:
            complete = _each(batch, self._complete)
            synced = self._archive.sync([incoming for _, incoming in complete])
            arrivals = _each([whole for whole, _ in complete], self._look)
            if arrivals:
                self._archive.store([arrival for _, arrival in arrivals], synced)
            for whole, arrival in arrivals:
                whole.failure = arrival.failure
        finally:
            # A file must stay open until its disk has it.
            if synced is not None:
                synced.exception()
            for whole in batch:
                if whole.incoming is not None:
                    whole.incoming.discard()

    def _complete(self, whole: _Whole) -> Incoming:
        """Write the last parts, so that the file is a whole DICOM file."""
        incoming = whole.incoming = self._write(whole.incoming, whole.request, whole.parts)
        whole.parts = []
        try:
            incoming.complete()
        except OSError as error:
            raise out_of_resources(error) from error
        return incoming

    def _look(self, whole: _Whole) -> Arrival:
        """Read the file's header, and compare it with the command."""
        assert whole.incoming is not None  # noqa: S101
        incoming, syntax = whole.incoming, whole.request.context.transfer_syntax
        start = FileStart(incoming.start, syntax, {}, guessed=False)
        zone = self._archive.index.timezone_offset_minutes
        received = read_arrived(incoming.descriptor, incoming.first, start, zone, self._headers)
        if isinstance(received, Skipped):
            status, element = REFUSED.get(received.reason, (statuses.CANNOT_UNDERSTAND, ()))
            raise StoreError(
                status, _words(received), element if received.tag is None else (received.tag,)
            )
        if isinstance(received, Received):
            whole.request.instance = StoredInstance(
                received.study_uid,
                received.patient[0],
                received.records[Level.PATIENT].texts.get(_PATIENT_NAME.column, ""),
                received.series_uid,
            )
        elif isinstance(whole.request, StudyStoreRequest):
            status, element = REFUSED[Reason.NO_STUDY_OR_SERIES_UID]
            raise StoreError(status, "the instance belongs to no study", element)
        whole.status = _check(received, whole.request)
        return Arrival(incoming, received)


def _words(skipped: Skipped) -> str:
    """Say in an Error Comment why an instance is not taken."""
    # An Error Comment has 64 characters: the detail says more than that the data set is malformed.
    if skipped.reason is Reason.MALFORMED:
        return skipped.detail or skipped.reason.value
    return f"{skipped.reason.value}: {skipped.detail}" if skipped.detail else skipped.reason.value


def _each(batch: list[_Whole], step: Callable[[_Whole], _Step]) -> list[tuple[_Whole, _Step]]:
    """Take each of a batch through a step; those that it fails for are left out, and know why."""
    done = []
    for whole in batch:
        try:
            done.append((whole, step(whole)))
        except StoreError as error:
            whole.failure = error
    return done


def _meta(request: ServiceRequest) -> bytes:
    command = request.command
    assert isinstance(command, CStoreRQ)  # noqa: S101
    return encode_file_meta(
        command.affected_sop_class_uid,
        command.affected_sop_instance_uid,
        request.context.transfer_syntax,
        implementation=(IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME),
        source_ae_title=request.association.requestor.ae_title,
    )


def _check(received: Prepared, request: ServiceRequest) -> int:
    """Compare the data set with the command; StoreError unless their UIDs agree.

    The status is Success, or a warning for a data set without SOP Class UID.
    """
    command = request.command
    assert isinstance(command, CStoreRQ)  # noqa: S101
    if received.sop_uid != command.affected_sop_instance_uid:
        raise StoreError(
            statuses.DATA_SET_DOES_NOT_MATCH,
            "SOP Instance UID is not that of the command",
            (_SOP_INSTANCE_UID.tag,),
        )
    if (
        isinstance(received, Received)
        and isinstance(request, StudyStoreRequest)
        and request.study_uid not in {"", received.study_uid}
    ):
        raise StoreError(
            statuses.DATA_SET_DOES_NOT_MATCH,
            "Study Instance UID is not that of the request",
            (UNIQUE_KEYS[Level.STUDY].tag,),
        )
    sop_class = received.texts[Level.IMAGE].get(_SOP_CLASS_UID.column)
    if sop_class is None:
        return statuses.CLASS_NOT_TOLD
    if sop_class != command.affected_sop_class_uid:
        raise StoreError(
            statuses.DATA_SET_DOES_NOT_MATCH,
            "SOP Class UID is not that of the command",
            (_SOP_CLASS_UID.tag,),
        )
    return statuses.SUCCESS
