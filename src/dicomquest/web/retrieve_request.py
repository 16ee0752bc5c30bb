"""A request of WADO-RS: who asks, for which instances, and what is told of it (PS3.18 10.4)."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, cast

from dicomquest.dataset.elements import Element
from dicomquest.dimse.commands import CGetRQ
from dicomquest.errors import (
    AssociationAbortedError,
    DamagedInstanceError,
    IdentifierError,
    IndexDatabaseError,
    StoredInstanceError,
)
from dicomquest.query.identifier.retrieve_identifier import RetrieveIdentifier, parse_retrieve
from dicomquest.services.access import ServiceKind
from dicomquest.services.find import check_level
from dicomquest.services.interruptible_source import TooManyInstancesError
from dicomquest.services.limit_names import LimitName
from dicomquest.services.request import ServiceRequest
from dicomquest.services.retrieve_progress import Outcome, Progress, Retrieved
from dicomquest.services.retrieve_source import Selected
from dicomquest.services.stored_source import IndexedInstance, StoredSource
from dicomquest.standard import statuses
from dicomquest.standard.keys import UNIQUE_KEYS
from dicomquest.standard.levels import Level
from dicomquest.standard.models import STUDY_ROOT
from dicomquest.standard.tags import QUERY_RETRIEVE_LEVEL
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from dicomquest.store.stored_instance import StoredInstance
from dicomquest.ul.negotiation import AcceptedContext
from dicomquest.web.exchange import Exchange
from dicomquest.web.refusals import RefusalError
from dicomquest.web.search_parameters import check_uids

if TYPE_CHECKING:
    from dicomquest.services.request import Channel
    from dicomquest.web.fetched_source import FetchedSource
    from dicomquest.web.web_service import Visit, WebService

NOT_FOUND: Final = "there is no such study, series or instance"
"""The same words for what does not exist and for what the caller may not see."""

UNREADABLE: Final = "a file of this instance cannot be read: it was moved or damaged"

DAMAGED: Final = (
    "the file of this instance is malformed or cut off, so this part of it cannot be found: "
    "retrieve the instance itself, which is sent as it is stored"
)
"""The words for a part that a damaged file has not: they quote nothing of its bytes."""

LOGGER = logging.getLogger("dicomquest.web")

_CONTEXT = AcceptedContext(1, STUDY_ROOT.get_uid, EXPLICIT_VR_LITTLE_ENDIAN)
_COMMAND = CGetRQ(message_id=1, affected_sop_class_uid=STUDY_ROOT.get_uid)
_NAMES = ("study", "series", "instance")


@dataclass(frozen=True, slots=True)
class Inventory:
    """The look at all files before the first byte: how many are gone, and a digest of the rest.

    ``warning`` says what is not sent; "" if all is.
    """

    missing: int
    digest: str
    warning: str = ""


class Retrieval:
    """One request: its exchange, its caller, and the instances that it selects."""

    def __init__(
        self, service: WebService, exchange: Exchange, visit: Visit, path: Mapping[str, str]
    ) -> None:
        check_uids({name: path[name] for name in _NAMES if name in path})
        self.service = service
        self.exchange = exchange
        self.visit = visit
        self.path = path
        self.parameters = exchange.parameters
        # Its endpoint writes the response, so the request has no channel of its own.
        channel = cast("Channel", None)
        self.request = ServiceRequest(channel, visit.association, _CONTEXT, _COMMAND, None)
        self._source: StoredSource | FetchedSource | None = None
        self._fetched: FetchedSource | None = None
        self.total = 0

    @property
    def is_one(self) -> bool:
        """Tell whether the resource is one instance, or a part of it."""
        return "instance" in self.path

    @property
    def progress(self) -> Progress:
        """The counts of what was sent."""
        assert self.request.retrieved is not None  # noqa: S101  select makes it
        assert self.request.retrieved.progress is not None  # noqa: S101
        return self.request.retrieved.progress

    async def select(self, *, all_of: bool = True) -> int:
        """Select the instances; RefusalError 404 if the caller sees none.

        Those of other archives are fetched, unless not ``all_of`` them are wanted.
        """
        values = [self.path[name] for name in _NAMES if name in self.path]
        levels = (Level.STUDY, Level.SERIES, Level.IMAGE)
        level = levels[len(values) - 1]
        data_set = {
            QUERY_RETRIEVE_LEVEL: Element("CS", (level.name,)),
            **{
                UNIQUE_KEYS[each].tag: Element("UI", (uid,))
                for each, uid in zip(levels, values, strict=False)
            },
        }
        profile = self.visit.profile
        try:
            options = replace(profile.choices.options, relational=False)
            keys = dict(sorted(data_set.items()))
            identifier = parse_retrieve(keys, _CONTEXT.abstract_syntax, options)
            check_level(identifier.level, profile)
        except IdentifierError as error:
            code = 403 if error.status == statuses.NOT_AUTHORIZED else 400
            raise RefusalError(code, str(error)) from error
        query = replace(identifier.query, visible=profile.visible)
        self.request.query = query
        most = profile.choices.most_retrieved
        self._source = self._source_of(replace(identifier, query=query), most)
        self.request.on_cancel(self._source.interrupt)
        try:
            self.total = await self._source.count()
        except TooManyInstancesError as error:
            self.service.teller(self.visit).hit(
                self.visit.association.requestor, LimitName.RETRIEVED_INSTANCES
            )
            raise RefusalError(413, f"more than {most:,} instances: ask for less") from error
        self._check_archives()
        if not self.total:
            raise RefusalError(404, NOT_FOUND)
        self.request.retrieved = Retrieved(level, progress=Progress(self.total))
        if self._fetched is not None and all_of and not await self._fetched.fetch():
            self._check_sent(self._fetched)
        return self.total

    def _source_of(
        self, identifier: RetrieveIdentifier, most: int | None
    ) -> StoredSource | FetchedSource:
        service = self.service
        if not service.search.is_federated:
            return StoredSource(
                service.index, identifier.query, service.run, most=most, is_latest=True
            )
        # Only a server with upstreams has to know an SCU.
        from dicomquest.web.federated_search import FederatedSearch  # noqa: PLC0415
        from dicomquest.web.fetched_source import FetchedSource  # noqa: PLC0415

        assert isinstance(service.search, FederatedSearch)  # noqa: S101  no other is federated
        self._fetched = FetchedSource(service.search.find, service.run, identifier, most)
        return self._fetched

    def _check_archives(self) -> None:
        """Tell which archives did not say what they hold; RefusalError 503 if nothing is found."""
        if self._fetched is None or not self._fetched.missing:
            return
        self._fetched.tell(self.visit.association)
        if not self.total:
            words = f"not known: {self._fetched.shortfall}"
            raise RefusalError(503, words, {"Retry-After": "5"})

    def _check_sent(self, fetched: FetchedSource) -> None:
        """Raise RefusalError 503, because no archive has sent what it holds."""
        for each in fetched.troubles:
            LOGGER.warning("%s: not sent: %s", self.visit.association.words, each)
        words = "; ".join(fetched.troubles) or "its archive"
        raise RefusalError(503, f"not sent by {words}", {"Retry-After": "5"})

    def check_sent(self) -> None:
        """Raise RefusalError 503 if an archive has not sent what it holds."""
        if self._fetched is not None and self._fetched.troubles:
            self._check_sent(self._fetched)

    async def end(self) -> None:
        """Delete the files of other archives' instances."""
        if self._fetched is not None:
            await self._fetched.end()

    def stored_syntaxes(self) -> set[str]:
        """Return the transfer syntaxes that the index has for the instances."""
        assert self._source is not None  # noqa: S101  select makes it
        return {uid for each in self._source.needed() for uid in each.transfer_syntax_uids}

    async def instances(self) -> AsyncIterator[IndexedInstance]:
        """Yield the selected instances, from the first on each time."""
        assert self._source is not None  # noqa: S101  select makes it
        while page := await self._source.next():
            self.request.check_association()
            for each in page:
                assert isinstance(each, IndexedInstance)  # noqa: S101  the source is the index
                yield each

    async def only(self) -> IndexedInstance:
        """Return the only instance."""
        (found,) = [each async for each in self.instances()]
        return found

    async def from_middle(self) -> list[IndexedInstance]:
        """Return some of the selected instances, the one in the middle first."""
        assert self._source is not None  # noqa: S101  select makes it
        found = await self._source.around(self.total // 2)
        return [each for each in found if isinstance(each, IndexedInstance)]

    async def inventory(self) -> Inventory:
        """Look whether all files are there; RefusalError 500 if none is."""
        digest, missing = hashlib.sha256(), 0
        assert self._source is not None  # noqa: S101  select makes it
        while page := await self._source.next():
            missing += await self.service.run(_look, page, digest)
        if missing == self.total:
            raise RefusalError(500, UNREADABLE)
        warnings = [f"{missing} of {self.total} instances have no file"] if missing else []
        if missing and self._fetched is not None and self._fetched.troubles:
            warnings.append(f"not sent by {'; '.join(self._fetched.troubles)}")
        if self._fetched is not None and self._fetched.missing:
            warnings.append(f"The instances are not known to be all: {self._fetched.shortfall}")
        return Inventory(missing, digest.hexdigest()[:32], "; ".join(warnings))

    async def opened(self, instance: IndexedInstance) -> StoredInstance:
        """Open the file of an instance; StoredInstanceError if none can be read."""
        stored = await self.service.run(instance.open)
        assert isinstance(stored, StoredInstance)  # noqa: S101  the source is the index
        return stored

    def sent(self, instance: Selected, size: int) -> None:
        """Count an instance, or a part of it, that the client has taken."""
        self.progress.send(Outcome.COMPLETED, instance.belongs_to, instance.sop_class_uid)
        self.progress.bytes_sent += size

    def lost(self, instance: Selected, error: StoredInstanceError) -> None:
        """Count an instance whose file fails, and log why."""
        self.progress.fail(instance.sop_instance_uid)
        self.service.log_failure(self.visit, instance.sop_instance_uid, error)

    def accepted_missing(self) -> bool:
        """Tell whether the request has no Accept, which a lenient caller may leave out."""
        given = self.exchange.header(b"accept") or any(
            name == "accept" for name, _ in self.parameters
        )
        return not given and not self.visit.profile.choices.options.strict

    def unchanged(self, tag: str) -> bool:
        """Tell whether the client has the version with an entity tag already (RFC 9110 13.1.2)."""
        given = self.exchange.header(b"if-none-match")
        return given.strip() == "*" or tag in {
            each.strip().removeprefix("W/") for each in given.split(",")
        }

    def address(self, *further: str) -> str:
        """Return the address of the resource's path, with further segments."""
        segments = zip(("studies", "series", "instances"), _NAMES, strict=True)
        path = [f"{name}/{self.path[key]}" for name, key in segments if key in self.path]
        return "/".join([self.service.base(self.exchange), *path, *further])


def entity_tag(*parts: object) -> str:
    """Return the entity tag of a representation (RFC 9110 8.8.3)."""
    text = "\0".join(map(str, parts)).encode()
    return f'"{hashlib.sha256(text).hexdigest()[:32]}"'


@asynccontextmanager
async def retrieving(
    service: WebService, exchange: Exchange, path: Mapping[str, str]
) -> AsyncIterator[Retrieval]:
    """Let a caller retrieve: its rights, the limit of running ones, the log and the audit trail.

    A failure after the first byte leaves the response without an end.
    """
    visit = await service.admit(exchange)
    visit.check(ServiceKind.RETRIEVE, STUDY_ROOT)
    retrieval = Retrieval(service, exchange, visit, path)
    request = retrieval.request
    teller = service.teller(visit)
    gate = service.retrieve_gate
    if gate.enter("", None, request.began) is not None:
        teller.hit(visit.association.requestor, LimitName.RETRIEVES)
        raise RefusalError(503, "too many retrieves are running", {"Retry-After": "1"})
    watching = asyncio.ensure_future(exchange.watch(lambda: request.cancel(is_abandoned=True)))
    status: int | None = None
    try:
        yield retrieval
        if request.retrieved is not None:
            status = retrieval.progress.status()
    except AssociationAbortedError:
        request.cancel(is_abandoned=True)
    except (StoredInstanceError, IndexDatabaseError) as error:
        status = statuses.CANNOT_PERFORM_SUB_OPERATIONS
        if isinstance(error, StoredInstanceError):
            service.log_failure(visit, path.get("instance", ""), error)
        if exchange.is_started:
            exchange.abort()
        elif isinstance(error, DamagedInstanceError):
            raise RefusalError(404, DAMAGED) from error
        elif isinstance(error, StoredInstanceError):
            raise RefusalError(500, UNREADABLE) from error
        elif not request.is_cancelled:
            raise
    finally:
        gate.leave()
        await retrieval.end()
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        if request.retrieved is not None:
            if status is None:
                teller.finished(request, None, "", ())
            else:
                teller.finished(request, status, "", ())


def _look(page: Sequence[Selected], digest: hashlib._Hash) -> int:
    """Add the files of some instances to a digest, and return how many have none."""
    missing = 0
    for each in page:
        assert isinstance(each, IndexedInstance)  # noqa: S101  the source is the index
        for path in each.paths:
            with suppress(OSError):
                found = os.stat(path)  # noqa: PTH116  a path of bytes will do
                digest.update(
                    f"{each.sop_instance_uid} {found.st_size} {found.st_mtime_ns}\n".encode()
                )
                break
        else:
            missing += 1
    return missing
