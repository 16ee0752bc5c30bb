"""The searches and downloads of the page, as log and audit trail know them (PS3.15 A.5)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias, cast

from dicomquest.dataset.encoder import encode
from dicomquest.dimse.commands import CFindRQ, CGetRQ
from dicomquest.errors import IndexDatabaseError, StoredInstanceError
from dicomquest.query.identifier.key_arguments import build_identifier, parse_key
from dicomquest.services.disclosures import InstancesAccessed
from dicomquest.services.limit_names import LimitName
from dicomquest.services.request import ServiceRequest
from dicomquest.services.retrieve_progress import Outcome, Progress, Retrieved
from dicomquest.standard import statuses
from dicomquest.standard.levels import Level
from dicomquest.standard.models import STUDY_ROOT
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from dicomquest.ul.negotiation import AcceptedContext
from dicomquest.web.refusals import RefusalError

if TYPE_CHECKING:
    from dicomquest.query.model import Query
    from dicomquest.services.request import Channel
    from dicomquest.services.retrieve_source import StudyOfPatient
    from dicomquest.web.page.chosen_instances import ChosenInstance
    from dicomquest.web.page.page_endpoint import PageRequest
    from dicomquest.web.web_service import Visit, WebService

_FIND = CFindRQ(message_id=1, affected_sop_class_uid=STUDY_ROOT.uid)
_FIND_CONTEXT = AcceptedContext(1, STUDY_ROOT.uid, EXPLICIT_VR_LITTLE_ENDIAN)
_GET = CGetRQ(message_id=1, affected_sop_class_uid=STUDY_ROOT.get_uid)
_GET_CONTEXT = AcceptedContext(1, STUDY_ROOT.get_uid, EXPLICIT_VR_LITTLE_ENDIAN)

Notes: TypeAlias = "list[tuple[ChosenInstance, str, int]]"
"""Instances that a piece begins, without a class, or ends, with their class and length."""

# The page writes its own responses.
_NO_CHANNEL = cast("Channel", None)


class PageSearch(ServiceRequest):
    """A search by the page, whose matches are rows."""

    __slots__ = ()
    service_name = "page search"


class CsvExport(ServiceRequest):
    """A search by the page, whose matches are lines of a table."""

    __slots__ = ()
    service_name = "CSV export"


class ZipDownload(ServiceRequest):
    """A download of studies as a zip file."""

    __slots__ = ()
    service_name = "zip download"


class FileDownload(ServiceRequest):
    """A download of one instance as a file."""

    __slots__ = ()
    service_name = "file download"


class WeasisDownload(ServiceRequest):
    """A download of one instance by Weasis."""

    __slots__ = ()
    service_name = "Weasis download"


def identifier_of(keys: Iterable[tuple[str, str]], returned: Iterable[str]) -> bytes:
    """Return the encoded identifier of a search for studies, by keywords and their values.

    Several values of one keyword stand in one element.
    """
    values: dict[str, str] = {}
    for keyword, value in keys:
        values[keyword] = f"{values[keyword]}\\{value}" if values.get(keyword) else value
    asked = [replace(parse_key(f"{name}="), value=value) for name, value in values.items()]
    asked += [parse_key(name) for name in returned if name not in values]
    asked.append(parse_key("QueryRetrieveLevel=STUDY"))
    return encode(build_identifier(asked), EXPLICIT_VR_LITTLE_ENDIAN, ("ISO_IR 192",))


@asynccontextmanager
async def told_search(
    page: PageRequest,
    query: Query,
    keys: Iterable[tuple[str, str]],
    returned: Iterable[str],
    made: type[PageSearch | CsvExport] = PageSearch,
) -> AsyncIterator[ServiceRequest]:
    """Tell how a search ends; the caller counts its ``matches``."""
    service = page.service
    data_set = identifier_of(keys, returned) if service.observer is not None else None
    request = made(_NO_CHANNEL, page.visit.association, _FIND_CONTEXT, _FIND, data_set)
    request.query = query
    status: int | None = None
    try:
        yield request
        status = statuses.SUCCESS
    except IndexDatabaseError:
        status = None if page.search.is_interrupted else statuses.INDEX_FAILED
        raise
    finally:
        service.teller(page.visit).finished(request, status, "", ())


class SentInstances:
    """Counts the instances of a download: those of which the client has taken all bytes.

    A thread notes which instances its next piece begins and ends, ``take`` hands the notes out with
    the piece, and ``count`` counts them once that is sent.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._notes: Notes = []

    def begin(self, instance: ChosenInstance) -> None:
        """Note that bytes of an instance follow."""
        self._notes.append((instance, "", 0))

    def end(self, instance: ChosenInstance, sop_class_uid: str, length: int) -> None:
        """Note that an instance is whole."""
        self._notes.append((instance, sop_class_uid, length))

    def fail(self, instance: ChosenInstance) -> None:
        """Count an instance that cannot be read."""
        self._progress.fail(instance.uid)

    def take(self) -> Notes:
        """Return the notes since the last time."""
        notes, self._notes = self._notes, []
        return notes

    def count(self, notes: Notes) -> None:
        """Count what was sent; a study of which some bytes were sent is told, too."""
        for instance, sop_class_uid, length in notes:
            if sop_class_uid:
                self._progress.send(Outcome.COMPLETED, instance.belongs_to, sop_class_uid)
                self._progress.bytes_sent += length
            else:
                self._progress.touch(instance.belongs_to)


@asynccontextmanager
async def told_download(
    service: WebService,
    visit: Visit,
    made: type[ZipDownload | FileDownload | WeasisDownload],
    level: Level,
    total: int,
) -> AsyncIterator[SentInstances]:
    """Let a download run as one of the retrieves, and tell how it ends, also one that is left.

    RefusalError 503 if too many retrieves run.
    """
    request = made(_NO_CHANNEL, visit.association, _GET_CONTEXT, _GET, None)
    progress = Progress(total)
    request.retrieved = Retrieved(level, progress=progress)
    status: int | None = None
    gate, teller = service.retrieve_gate, service.teller(visit)
    if gate.enter("", None, request.began) is not None:
        teller.hit(visit.association.requestor, LimitName.RETRIEVES)
        raise RefusalError(503, "too many retrieves are running", {"Retry-After": "1"})
    try:
        yield SentInstances(progress)
        status = progress.status()
    except (StoredInstanceError, IndexDatabaseError, RefusalError):
        status = statuses.CANNOT_PERFORM_SUB_OPERATIONS
        raise
    finally:
        gate.leave()
        teller.finished(request, status, "", ())


def tell_shown(
    service: WebService, visit: Visit, shown: str, study: StudyOfPatient, sop_class_uid: str = ""
) -> None:
    """Tell that a study, or a part of it, is shown to the caller."""
    event = InstancesAccessed(visit.association, shown, study, sop_class_uid)
    service.teller(visit).disclosed(event)
