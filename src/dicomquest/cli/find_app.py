"""What ``dicomquest find`` does: one query on one association, its matches to standard output."""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from dicomquest.ae.find_call import query_failure
from dicomquest.cli.find_explanation import explain_acceptance, explain_answers, explain_request
from dicomquest.cli.formats import FORMATS
from dicomquest.cli.key_arguments import KeyTextError, parse_keys
from dicomquest.cli.peer import PeerSettings, associated, give_up, say
from dicomquest.cli.request_identifier import MODEL_NAMES, Request, build_request, check
from dicomquest.dataset.codec import decode
from dicomquest.dataset.elements import DataSet, to_pydicom
from dicomquest.dimse.commands import PENDING
from dicomquest.query.extended_negotiation import accepted_options, offer
from dicomquest.query.options import QueryOptions
from dicomquest.services.identifiers import read_identifier
from dicomquest.standard.levels import Level
from dicomquest.standard.statuses import StatusClass, status_class

if TYPE_CHECKING:
    from dicomquest.dimse.commands import Response
    from dicomquest.standard.models import InformationModel
    from dicomquest.sync import Association


@dataclass(frozen=True, slots=True)
class FindSettings:
    """The command line of ``dicomquest find``."""

    host: str
    port: int
    keys: tuple[str, ...]
    peer: PeerSettings
    level: str
    model: str
    format_: str
    limit: int | None
    explain: bool
    charset: str | None
    as_is: bool
    offer: tuple[str, ...]


@dataclass(slots=True)
class Progress:
    """What came: Pending responses by status, those that could not be read, the final one, and kept matches."""

    keep: bool
    pending: Counter[int] = field(default_factory=Counter)
    unreadable: int = 0
    final: Response | None = None
    is_limited: bool = False
    kept: list[DataSet] = field(default_factory=list)


def run(settings: FindSettings) -> None:
    """Query, print, and raise click's Exit unless the peer answered."""
    # What a peer sends may be odd in ways that pydicom warns of; it is printed as it came.
    warnings.simplefilter("ignore")
    model = MODEL_NAMES[settings.model]
    offered: dict[str, Any] = {name.replace("-", "_"): True for name in settings.offer}
    wanted = QueryOptions(**offered)
    try:
        request = build_request(
            parse_keys(settings.keys), model, Level[settings.level], wanted, as_is=settings.as_is,
            charset=settings.charset,
        )  # fmt: skip
    except KeyTextError as error:
        raise click.UsageError(str(error)) from error
    for note in request.notes:
        say(f"Note: {note}")
    if settings.explain:
        explain_request(request, model, wanted)
    extended = {model.uid: offer(wanted)} if offer(wanted) else {}
    with associated(
        settings.host, settings.port, settings.peer, model.uid, extended
    ) as association:
        options = accepted_options(association.extended_negotiation.get(model.uid, b""))
        if settings.offer:
            explain_acceptance(wanted, options)
        _check_acceptance(request, model, options, as_is=settings.as_is)
        _query(settings, request, association, model, options)


def _check_acceptance(
    request: Request, model: InformationModel, options: QueryOptions, *, as_is: bool
) -> None:
    """Send nothing that needs an option which the peer has not accepted (PS3.4 C.4.1.2.2)."""
    if as_is:
        return
    try:
        check(request.columns, model, request.level, options)
    except KeyTextError as error:
        raise give_up(f"the peer did not accept what this query needs: {error}") from error


def _query(
    settings: FindSettings,
    request: Request,
    association: Association,
    model: InformationModel,
    options: QueryOptions,
) -> None:
    progress = Progress(keep=settings.explain)
    matches = _matches(association, request, model, settings.limit, progress)
    FORMATS[settings.format_].write(matches, request.columns, sys.stdout)
    sys.stdout.flush()
    if settings.explain:
        explain_answers(request, model, options, progress.kept, progress.pending)
    _conclude(settings, request, association, progress)


def _matches(
    association: Association,
    request: Request,
    model: InformationModel,
    limit: int | None,
    progress: Progress,
) -> Iterator[DataSet]:
    for response in association.responses(to_pydicom(request.identifier), model.uid):
        if response is None or response.command.status not in PENDING:
            progress.final = None if response is None else response.command
            return
        match = read_identifier(response, decode)
        if match is None:
            progress.unreadable += 1
            continue
        progress.pending[response.command.status] += 1
        if progress.keep:
            progress.kept.append(match)
        yield match
        if progress.pending.total() == limit:
            progress.is_limited = True  # leaving the loop cancels the query
            return


def _conclude(
    settings: FindSettings, request: Request, association: Association, progress: Progress
) -> None:
    """Say how many matches there were; raise unless the peer ended the query well or was told to."""
    count = progress.pending.total()
    final = progress.final
    is_answered = final is not None and status_class(final.status) is StatusClass.SUCCESS
    if settings.format_ == "table" and (count or (is_answered and not progress.unreadable)):
        words = request.level.entity if count == 1 else request.level.entities
        say(
            f"{count or 'no'} {words}"
            + (", and the query was cancelled" if progress.is_limited else "")
        )
    if progress.unreadable:
        raise give_up(f"{progress.unreadable} of the peer's responses could not be read")
    if progress.is_limited or is_answered:
        return
    if final is None:
        raise give_up(
            f"the query was not answered to its end: {association.failure or 'the association ended'}"
        )
    message = str(query_failure(final))
    if final.offending_element:
        message += f" (at {', '.join(f'{tag >> 16:04X},{tag & 0xFFFF:04X}' for tag in final.offending_element)})"
    raise give_up(message)
