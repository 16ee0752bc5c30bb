"""``dicomquest find``: query a peer and print the matches (C-FIND, PS3.4 C.4.1)."""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from dicomquest.cli.counting import counted, number_of
from dicomquest.cli.formats import FORMATS
from dicomquest.cli.messages import WRONG_COMMAND_LINE, give_up, say
from dicomquest.cli.named_peers import PeerArgument
from dicomquest.cli.peer import PeerSettings, associated
from dicomquest.cli.shared_options import LEVEL, LEVELS, PORT, options_of
from dicomquest.standard.extended import EXTENDED_OPTIONS
from dicomquest.standard.levels import Level
from dicomquest.standard.statuses import StatusClass, status_class

if TYPE_CHECKING:
    from dicomquest.cli.request_identifier import Request
    from dicomquest.dataset.elements import DataSet
    from dicomquest.dimse.commands import Response
    from dicomquest.query.options import QueryOptions
    from dicomquest.standard.models import InformationModel
    from dicomquest.sync import Association

MODELS = ("study", "patient", "psonly")

OFFERS = tuple(row.option.replace("_", "-") for row in EXTENDED_OPTIONS)


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
    """The responses so far: Pending by status, unreadable, the final one; and kept matches."""

    keep: bool
    pending: Counter[int] = field(default_factory=Counter)
    unreadable: int = 0
    final: Response | None = None
    is_limited: bool = False
    kept: list[DataSet] = field(default_factory=list)


@click.command()
@click.argument("host", cls=PeerArgument, metavar="PEER|HOST")
@click.argument("port", type=PORT, metavar="[PORT]")
@click.argument("keys", metavar="[KEY[=VALUE]]...", nargs=-1)
@click.option(
    "-L",
    "--level",
    type=LEVEL,
    metavar=LEVELS,
    default="STUDY",
    show_default=True,
    help="The level of the matches.",
)
@click.option(
    "-m",
    "--model",
    type=click.Choice(MODELS, case_sensitive=False),
    default="study",
    show_default=True,
    help="The information model: Study Root, Patient Root or Patient/Study Only.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(list(FORMATS)),
    default="table",
    show_default=True,
    help="; ".join(f"{name}: {each.words}" for name, each in FORMATS.items()) + ".",
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    metavar="N",
    help="Cancel the query (C-CANCEL) after N matches.",
)
@click.option(
    "--explain",
    is_flag=True,
    help="Print the meaning of the query before it is sent, and what the peer made of it.",
)
@click.option(
    "--charset",
    metavar="TERMS",
    help="The character set of keys beyond ASCII, as defined terms such as 'ISO_IR 100', with "
    "backslashes between several; ISO_IR 192 (UTF-8) by default.",
)
@click.option(
    "--offer",
    multiple=True,
    metavar="OPTION",
    type=click.Choice(OFFERS),
    help="Offer an option of SOP class extended negotiation, and print the peer's answer: "
    f"{', '.join(OFFERS)}. Repeat it for several.",
)
@click.option("--as-is", is_flag=True, help="Send keys and values as they are, allowed or not.")
@options_of(PeerSettings)
def find(host: str, port: int, keys: tuple[str, ...], **values: Any) -> None:
    """Query the archive at HOST and PORT, or the named PEER, and print the matches.

    KEY=VALUE restricts the matches; KEY alone asks the peer to return the attribute. If every KEY
    has a VALUE, the command asks for the usual attributes. A KEY is a keyword, a tag, a dotted path
    into a sequence, or a private tag with its creator. A VALUE is text with the wild cards * and ?,
    a date or a range as you write it (2024-01-05, 2024, 2024-01..2024-03, today, last-week, -7d), a
    time (10:11), or a list of UIDs with backslashes between them.

    \b
    Studies since January of patients whose name starts with CITIZEN:
      dicomquest find pacs 11112 'PatientName=CITIZEN*' StudyDate=2024-01.. StudyDescription
    The CT series of one study, as JSON:
      dicomquest find pacs 11112 -L SERIES StudyInstanceUID=1.2.3 Modality=CT --format json
    Patients under Patient Root, as a CSV file, from a peer that knows us as LAB:
      dicomquest find pacs 11112 -m patient -L PATIENT 'PatientID=A?-*' --aet LAB --format csv
    By tag, in a sequence, and a private attribute with its creator:
      dicomquest find pacs 11112 0010,0020=4711
      dicomquest find pacs 11112 -L SERIES StudyInstanceUID=1.2.3 \\
        RequestAttributesSequence.RequestedProcedureID=P1
      dicomquest find pacs 11112 '0023,xx01:AcmeCompany=x'

    \b
    The meaning of a query, with names found by sound if the peer can:
      dicomquest find pacs 11112 PatientName=MEYER --offer fuzzy --explain

    The exit status is 0 if the peer answered, with or without a match, 1 if it refused or failed,
    2 if the command line is wrong, 130 after Ctrl-C.
    """  # noqa: D301
    peer = PeerSettings(**{name: values.pop(name) for name in PeerSettings.__slots__})
    run(FindSettings(host=host, port=port, keys=keys, peer=peer, **values))


def run(settings: FindSettings) -> None:
    """Query, print, and raise click's Exit unless the peer answered."""
    from dicomquest.cli.find_explanation import explain_acceptance, explain_request, read_back
    from dicomquest.cli.request_identifier import MODEL_NAMES, build_request
    from dicomquest.cli.written_keys import KeyValueError, read_written
    from dicomquest.query.extended_negotiation import accepted_options, offer
    from dicomquest.query.identifier.key_arguments import KeyTextError, parse_keys
    from dicomquest.query.options import QueryOptions

    # pydicom warns of odd values; we print what the peer sends as it comes.
    warnings.simplefilter("ignore")
    model = MODEL_NAMES[settings.model]
    offered: dict[str, Any] = {name.replace("-", "_"): True for name in settings.offer}
    wanted = QueryOptions(**offered)
    try:
        typed = keys = parse_keys(settings.keys)
        if not settings.as_is:
            way_out = " (--as-is sends it all the same.)"
            keys = read_written(typed, datetime.now().astimezone(), way_out=way_out)
        request = build_request(
            keys, model, Level[settings.level], wanted, as_is=settings.as_is,
            charset=settings.charset,
        )  # fmt: skip
    except KeyValueError as error:
        raise give_up(str(error), WRONG_COMMAND_LINE) from error
    except KeyTextError as error:
        raise click.UsageError(str(error)) from error
    for note in request.notes:
        say(f"Note: {note}")
    if settings.explain:
        explain_request(request, model, wanted)
    elif settings.format_ == "table" or keys != typed:
        read_back(request, model, wanted)
    settings.peer.tell_if_readable(settings.host)
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
    from dicomquest.cli.request_identifier import check
    from dicomquest.query.identifier.key_arguments import KeyTextError

    if as_is:
        return
    try:
        check(request.columns, model, request.level, options)
    except KeyTextError as error:
        raise give_up(
            f"the peer did not accept an option that this query needs: {error}"
        ) from error


def _query(
    settings: FindSettings,
    request: Request,
    association: Association,
    model: InformationModel,
    options: QueryOptions,
) -> None:
    from dicomquest.cli.find_explanation import explain_answers

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
    from dicomquest.dataset.codec import decode
    from dicomquest.dataset.elements import to_pydicom
    from dicomquest.dimse.commands import PENDING
    from dicomquest.services.identifiers import read_identifier

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
    """Print the number of matches; raise unless the peer ended the query well or we did."""
    from dicomquest.ae.find_call import query_failure
    from dicomquest.standard.tags import tag_text

    count = progress.pending.total()
    final = progress.final
    is_answered = final is not None and status_class(final.status) is StatusClass.SUCCESS
    if settings.format_ == "table" and (count or (is_answered and not progress.unreadable)):
        if count:
            ending = ", and the query was cancelled" if progress.is_limited else ""
            say(f"{counted(count, request.level)}{ending}")
        else:
            say(f"No {request.level.entities}.")
    if progress.unreadable:
        raise give_up(f"{number_of(progress.unreadable, 'response')} of the peer could not be read")
    if progress.is_limited or is_answered:
        return
    if final is None:
        reason = association.failure or "the association ended"
        raise give_up(f"the peer did not answer the query to its end: {reason}")
    tags = ", ".join(map(tag_text, final.offending_element or ()))
    raise give_up(f"{query_failure(final)}{f', at {tags}' if tags else ''}")
