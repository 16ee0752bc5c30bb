"""The server of ``dicomquest serve``: its index, archive, services and accepted contexts."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from dicomquest.aio.configured_destinations import ConfiguredDestinations
from dicomquest.aio.server_settings import ServerSettings
from dicomquest.cli.access_rules import admission
from dicomquest.cli.destinations import destinations_of
from dicomquest.cli.messages import give_up
from dicomquest.cli.serve_settings import ServeSettings
from dicomquest.cli.server_monitor import Monitor
from dicomquest.cli.shared_options import server_tls
from dicomquest.cli.upstreams import upstreams_of
from dicomquest.dataset.limits import IDENTIFIER_LIMITS
from dicomquest.dimse.fragments import Limits
from dicomquest.dimse.link import SessionOptions
from dicomquest.errors import ArchiveInUseError, IndexDatabaseError
from dicomquest.index.index import Index
from dicomquest.query.extended_negotiation import (
    negotiate,
    negotiate_retrieve,
    negotiate_worklist,
)
from dicomquest.services.find import FindLimits, FindService
from dicomquest.services.object_retrieve import ObjectRetrieveService
from dicomquest.services.repository_find import RepositoryService
from dicomquest.services.request import Service
from dicomquest.services.retrieve import RetrieveLimits, RetrieveService
from dicomquest.services.step_service import StepService
from dicomquest.services.storage import StorageService
from dicomquest.services.storage_classes import stored_sop_classes, stored_transfer_syntaxes
from dicomquest.services.stored_syntaxes import StoredSyntaxes
from dicomquest.services.verification import VerificationService
from dicomquest.services.worklist_find import WorklistService
from dicomquest.standard.models import (
    FIND_MODELS_BY_UID,
    MODALITY_WORKLIST,
    MODELS,
    MODELS_BY_UID,
    NON_PATIENT_MODELS,
    REPOSITORY_QUERY,
    RETRIEVE_MODELS_BY_UID,
    UPS_MODELS,
)
from dicomquest.standard.object_keys import OBJECT_CLASSES
from dicomquest.standard.sop_classes import OBJECT_RETRIEVE, RETRIEVE_SOP_CLASSES, VERIFICATION
from dicomquest.standard.step_attributes import MPPS
from dicomquest.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from dicomquest.store.archive import Archive
from dicomquest.store.places import parse_layout
from dicomquest.ul.negotiation import AcceptorPolicy, SupportedSyntax
from dicomquest.ul.timers import Timeouts

LOGGER = logging.getLogger("dicomquest.serve")

PREFERENCE = (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
)
"""The order of choice among the transfer syntaxes that a peer offers for queries."""

SHARE_OF_ADDRESS = 0.8
"""The share of all associations that one address may hold.

A hospital's gateway, or a balancer, speaks for everybody from one address, so it gets most of them.
The rest stays free for others, whatever that one address does.
"""


def open_index(settings: ServeSettings) -> Index:
    """Open the index, or make it if something will come into it; else IndexDatabaseError."""
    return Index(
        settings.index,
        create=settings.store is not None or settings.has_worklist or settings.upstreams_only,
        read_location=settings.read_index,
    )


def tell_read_only(settings: ServeSettings, index: Index) -> None:
    """Say that an index is read-only; raise click's Exit if instances are to be stored in it."""
    reason = index.read_only_reason
    if not reason:
        return
    if settings.store is not None:
        raise give_up(
            f"cannot store: the index is read-only: {reason}; "
            "give this account the right, or serve without --store"
        )
    LOGGER.warning(
        "the index is read-only: %s; it answers queries, and nobody can add to it", reason
    )


def make_store_folder(settings: ServeSettings) -> None:
    """Make the folder to store in; the index may be in it, too."""
    parse_layout(settings.store_layout)  # a wrong template is told before the folder is made
    if settings.store is not None:
        try:
            Path(settings.store).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise give_up(f"cannot store in {settings.store}: {error.strerror or error}") from error


def prepare_store(settings: ServeSettings, index: Index) -> None:
    """Index the instances that a server left behind here, before any peer can query."""
    if settings.store is None:
        return
    with open_archive(settings, index) as archive:
        try:
            if archive is not None:
                _recover(archive)
        except OSError as error:
            raise give_up(f"cannot store in {settings.store}: {error.strerror or error}") from error


def recover(archive: Archive) -> None:
    """Index what a process that died has left, while others store; only log a failure."""
    try:
        _recover(archive)
    except (OSError, IndexDatabaseError) as error:
        LOGGER.error("the files of an earlier process wait: %s", error)  # noqa: TRY400


def _recover(archive: Archive) -> None:
    recovered = archive.recover()
    if recovered:
        LOGGER.warning(
            "an earlier server ended early; indexed %d instances that it had stored", recovered
        )


@contextmanager
def open_archive(settings: ServeSettings, index: Index) -> Iterator[Archive | None]:
    """Hold the archive of this process; None if no instances are stored."""
    if settings.store is None:
        yield None
        return
    keeps_first = settings.duplicates == "keep"
    layout = parse_layout(settings.store_layout)
    try:
        archive = Archive(index, Path(settings.store), layout, keeps_first=keeps_first)
    except (OSError, ArchiveInUseError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise give_up(f"cannot store in {settings.store}: {reason or error}") from error
    with archive:
        yield archive


def server_settings(
    settings: ServeSettings,
    index: Index,
    archive: Archive | None = None,
    monitor: Monitor | None = None,
) -> ServerSettings:
    """Assemble the services, and the presentation contexts that the server accepts."""
    limits = find_limits(settings)
    find = _find_service(settings, index, limits, monitor)
    syntax = SupportedSyntax(PREFERENCE)
    services: dict[str, Service] = {
        VERIFICATION.uid: VerificationService(),
        **{model.uid: find for model in MODELS},
    }
    if not upstreams_of(settings):
        # Keys of records are those of one index.
        title = settings.retrieve_aet or settings.aet
        services[REPOSITORY_QUERY.uid] = RepositoryService(index, title, limits, find.gate)
    if settings.has_worklist:
        worklist = WorklistService(index, "", limits, find.gate)
        worklist.hidden_steps = settings.hidden_steps
        services[MODALITY_WORKLIST.uid] = worklist
        services[MPPS] = StepService(index, settings.max_step, settings.max_nesting)
        workitems = WorklistService(index, "", limits, find.gate)
        services |= {model.uid: workitems for model in UPS_MODELS}
    objects = WorklistService(index, "", limits, find.gate)
    services |= {model.uid: objects for model in NON_PATIENT_MODELS}
    supported = dict.fromkeys(services, syntax)
    retrieve = _retrieve_service(settings, index, limits, find)
    services |= {each.uid: retrieve for each in RETRIEVE_SOP_CLASSES}
    of_objects = ObjectRetrieveService(
        index, retrieve.destinations, RetrieveLimits(None, limits.identifier), retrieve.gate
    )
    services |= {each.uid: of_objects for each in OBJECT_RETRIEVE}
    supported |= {each.uid: syntax for each in (*RETRIEVE_SOP_CLASSES, *OBJECT_RETRIEVE)}
    kept = (*stored_sop_classes(), *OBJECT_CLASSES)
    if archive is None:
        # Peers that retrieve by C-GET receive instances, and send none.
        sent = SupportedSyntax(
            tuple(stored_transfer_syntaxes()), scu_role=False, scp_role=True, only_as_scp=True
        )
        supported |= dict.fromkeys(kept, sent)
    else:
        # An instance is kept as it comes, so the peer's own choice of transfer syntax is the best.
        stored = SupportedSyntax(
            tuple(stored_transfer_syntaxes()), scp_role=True, requestor_prefers=True
        )
        services |= dict.fromkeys(kept, StorageService(archive))
        supported |= dict.fromkeys(kept, stored)
    policy = AcceptorPolicy(
        supported=supported,
        called_ae_titles=frozenset({settings.aet}) if settings.check_aet else None,
        maximum_length=settings.max_pdu,
        answer_extended=_answer_extended,
        scp_syntaxes=StoredSyntaxes(index),
    )
    timeouts = Timeouts(
        artim=settings.artim_timeout,
        associate_request=settings.request_timeout,
        idle=settings.idle_timeout,
        pdu=settings.pdu_timeout,
        write=settings.write_timeout,
        dimse=settings.store_timeout,
    )
    return ServerSettings(
        policy=policy,
        services=services,
        admission=admission(settings, index.timezone_offset_minutes),
        timeouts=timeouts,
        maximum_associations=settings.max_associations,
        maximum_associations_per_peer=settings.max_associations_per_peer
        or max(1, int(settings.max_associations * SHARE_OF_ADDRESS)),
        ssl_context=server_tls(settings.tls_cert, settings.tls_key, settings.tls_ca),
        reuse_port=settings.workers > 1,
        spare_connections=settings.spare_connections,
        spare_connections_per_peer=settings.spare_connections_per_peer,
        session=SessionOptions(
            limits=_message_limits(settings),
            streams_stores=archive is not None,
            most_waiting=settings.max_waiting_requests,
        ),
        observer=monitor.observer if monitor is not None else None,
        suspension=monitor.suspension if monitor is not None else str,
        ending=find.end,
    )


def _find_service(
    settings: ServeSettings, index: Index, limits: FindLimits, monitor: Monitor | None
) -> FindService:
    """Make the service of all queries: from the index alone, or from upstreams, too."""
    title = settings.retrieve_aet or settings.aet
    upstreams = upstreams_of(settings)
    if not upstreams:
        return FindService(index, title, limits)
    # Only a server with upstreams has to know an SCU.
    from dicomquest.federation.federated_find import FederatedFind
    from dicomquest.federation.sources import IndexSource, Source, UpstreamSource

    own: list[Source] = [] if settings.upstreams_only else [IndexSource(0, index, title)]
    return FederatedFind(
        index,
        title,
        limits,
        sources=[
            *own,
            *(UpstreamSource(place, each) for place, each in enumerate(upstreams, len(own))),
        ],
        merge_wait=settings.merge_wait,
        observer=monitor.observer if monitor is not None else None,
    )


def _retrieve_service(
    settings: ServeSettings, index: Index, limits: FindLimits, find: FindService
) -> RetrieveService:
    """Make the service of all retrieves: from what the queries' service asks."""
    destinations = ConfiguredDestinations(destinations_of(settings))
    own = RetrieveLimits(settings.max_retrieves, limits.identifier)
    if not settings.upstream and not settings.upstreams:
        return RetrieveService(index, destinations, own)
    from dicomquest.federation.federated_find import FederatedFind
    from dicomquest.federation.federated_retrieve import FederatedRetrieve

    assert isinstance(find, FederatedFind)  # noqa: S101  there are upstreams
    return FederatedRetrieve(index, destinations, own, sources=find.sources)


def _message_limits(settings: ServeSettings) -> Limits:
    identifier = settings.max_identifier
    attributes = settings.max_step if settings.has_worklist else identifier
    return Limits(settings.max_command_set, identifier, attributes)


def _answer_extended(sop_class_uid: str, offered: bytes) -> bytes | None:
    if sop_class_uid in MODELS_BY_UID:
        return negotiate(offered)
    if sop_class_uid in FIND_MODELS_BY_UID:
        return negotiate_worklist(offered)
    return negotiate_retrieve(offered) if sop_class_uid in RETRIEVE_MODELS_BY_UID else None


def find_limits(settings: ServeSettings) -> FindLimits:
    """Translate the limits of queries."""
    return FindLimits(
        settings.max_finds,
        replace(
            IDENTIFIER_LIMITS,
            depth=settings.max_nesting,
            elements=settings.max_keys,
            items=settings.max_items,
            value=settings.max_identifier,
            text=settings.max_text,
            values=settings.max_values,
            uids=settings.max_uids,
            inflated=settings.max_identifier,
        ),
    )
