"""``dicomquest find``: query a peer and print the matches (C-FIND, PS3.4 C.4.1)."""

from __future__ import annotations

import warnings
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from dicomquest.cli.asking.asking_settings import AskingSettings
from dicomquest.cli.find_option_checks import check_idle, check_words
from dicomquest.cli.find_settings import FindSettings
from dicomquest.cli.find_target import SEVERAL, TargetArgument, TargetSettings, keys_by_habit
from dicomquest.cli.help_page import PageCommand
from dicomquest.cli.messages import INTERRUPTED, WRONG_COMMAND_LINE, give_up, say
from dicomquest.cli.named_peers import complete_key
from dicomquest.cli.option_needs import given_option
from dicomquest.cli.output.interruption import Interruption
from dicomquest.cli.output.output_settings import OutputSettings
from dicomquest.cli.peer import PeerSettings, associated, further_association
from dicomquest.cli.shared_options import LEVEL, LEVELS, PORT, options_of
from dicomquest.query.identifier.entry_models import ENTRY_MODELS
from dicomquest.standard.extended import EXTENDED_OPTIONS
from dicomquest.standard.levels import Level
from dicomquest.standard.models import REPOSITORY_QUERY

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicomquest.cli.asking.enquiry import Enquiry
    from dicomquest.cli.asking.value_files import ValueFile
    from dicomquest.cli.output.show import Question
    from dicomquest.cli.request_identifier import Request
    from dicomquest.dataset.elements import DataSet
    from dicomquest.query.options import QueryOptions
    from dicomquest.standard.models import InformationModel
    from dicomquest.sync import Association

MODELS = ("study", "patient", "psonly", "repository", *ENTRY_MODELS)

OFFERS = tuple(row.option.replace("_", "-") for row in EXTENDED_OPTIONS)


@click.command(cls=PageCommand)
@click.argument("host", cls=TargetArgument, metavar="PEER|HOST")
@click.argument("port", type=PORT, metavar="[PORT]")
@click.argument("keys", metavar="[KEY[=VALUE]]...", nargs=-1, shell_complete=complete_key)
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
    metavar="MODEL",
    default="study",
    show_default=True,
    help=f"One of {', '.join(MODELS)}.",
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
@options_of(TargetSettings)
@options_of(AskingSettings)
@options_of(OutputSettings)
@options_of(PeerSettings)
def find(host: str, port: int, keys: tuple[str, ...], **values: Any) -> None:
    """Print what the archive at HOST and PORT, or the named PEER, has: KEY=VALUE, or KEY alone.

    \b
    Studies since January of patients whose name starts with CITIZEN:
      dicomquest find pacs1 'PatientName=CITIZEN*' StudyDate=2024-01.. StudyDescription
    The CT series of one study, as JSON:
      dicomquest find pacs.hospital 104 -L SERIES StudyInstanceUID=1.2.3 Modality=CT -f json
    All studies of last week, sorted, for a spreadsheet or for pandas:
      dicomquest find pacs1 StudyDate=last-week --sort StudyDate,StudyTime -o studies.csv
    The modalities that an index of this machine has, without a server:
      dicomquest find --index scans.sqlite -L SERIES --columns Modality --unique
    What a CT scanner has to do today, from a worklist:
      dicomquest find ris1 -W ScheduledStationAETitle=CT1 ScheduledProcedureStepStartDate=today
    The meaning of a query, with names found by sound if the peer can:
      dicomquest find pacs1 PatientName=MEYER --fuzzy --explain

    Several named PEERs are asked at once, and what more than one has is shown once.

    KEY=VALUE restricts the matches; KEY alone asks the peer to return the attribute. If every KEY
    has a VALUE, the command asks for the usual attributes. A KEY is a keyword (PatientName), a tag
    (0010,0020), a dotted path into a sequence (RequestAttributesSequence.RequestedProcedureID), or
    a private tag with its creator ('0023,xx01:AcmeCompany'). A VALUE is text with the wild cards *
    and ?, a date or a range as you write it (2024-01-05, 2024, 2024-01..2024-03, today, last-week,
    -7d), a time (10:11), or a list of UIDs with backslashes between them.

    The exit status is 0 if the peer answered, with or without a match, 1 if it refused or failed,
    2 if the command line is wrong, 130 after Ctrl-C.
    """  # noqa: D301
    peer = PeerSettings(**{name: values.pop(name) for name in PeerSettings.__slots__})
    output = OutputSettings(**{name: values.pop(name) for name in OutputSettings.__slots__})
    asking = AskingSettings(**{name: values.pop(name) for name in AskingSettings.__slots__})
    target = TargetSettings(**{name: values.pop(name) for name in TargetSettings.__slots__})
    target.check(asking)
    ctx = click.get_current_context()
    given = values.pop("level")
    is_given = bool(given_option(ctx, ("level",)))
    more, named = keys_by_habit(target.key, given * is_given, is_level_given=is_given)
    level = named or given
    model = asking.model(target.model(values.pop("model")))
    several = tuple(ctx.meta.get(SEVERAL, ()))
    if named and not is_given and model in ENTRY_MODELS:
        kind = ENTRY_MODELS[model].kind
        raise click.UsageError(f"-k QueryRetrieveLevel={level}: {kind} has no levels; leave it out")
    is_of_one_peer = model in {*ENTRY_MODELS, "repository"}
    if several and (target.tree or is_of_one_peer):
        other = "--tree" if target.tree else "-W" if model == "worklist" else f"-m {model}"
        raise click.UsageError(f"{other} is for one peer: name a single one")
    if model == "repository":
        _check_repository(target, asking, output)
    if target.fuzzy:
        values["offer"] = tuple(dict.fromkeys((*values["offer"], "fuzzy")))
    settings = FindSettings(
        host=host, port=port, keys=(*keys, *more), peer=peer, output=output, asking=asking,
        target=target, level=level, model=model, several=several, **values,
    )  # fmt: skip
    check_idle(ctx, settings)
    if target.index is None:
        check_words(ctx, keys)
    run(settings)


def _check_repository(
    target: TargetSettings, asking: AskingSettings, output: OutputSettings
) -> None:
    """Raise click's UsageError for options that Repository Query does not go with."""
    given = {
        "--index": target.index is not None,
        "--tree": target.tree,
        "--fuzzy": target.fuzzy,
        "--get": target.get is not None,
        "--split": asking.split is not None,
        # The key to go on after is that of the last record read, not of the last one shown.
        "--sort": output.sort is not None,
    }
    if name := next((name for name, is_given in given.items() if is_given), ""):
        raise click.UsageError(
            f"{name} does not go with Repository Query (--page, -m repository), which lists all "
            "that a peer has"
        )


def run(settings: FindSettings) -> None:
    """Query, print, and raise click's Exit unless the peer answered."""
    from dicomquest.cli.asking.value_files import take_file
    from dicomquest.cli.find_explanation import explain_request, read_back
    from dicomquest.cli.output.show import check_output, is_for_people, question
    from dicomquest.cli.request_identifier import MODEL_NAMES, build_request
    from dicomquest.cli.written_keys import KeyValueError, read_all_written
    from dicomquest.query.identifier.key_arguments import KeyTextError
    from dicomquest.query.options import QueryOptions

    # pydicom warns of odd values; we print what the peer sends as it comes.
    warnings.simplefilter("ignore")
    if settings.model in ENTRY_MODELS:
        from dicomquest.cli.entry_asking import find_entries

        find_entries(settings)
        return
    model = MODEL_NAMES[settings.model]
    offered: dict[str, Any] = {name.replace("-", "_"): True for name in settings.offer}
    if settings.target.index is not None or settings.target.tree or settings.several:
        offered["relational"] = True
    wanted = QueryOptions(**offered)
    check_output(settings.output, is_tree=settings.target.tree)
    try:
        asked = question(settings.keys, settings.output)
        typed, values = take_file(asked.keys)
        if model is REPOSITORY_QUERY and values is not None:
            raise click.UsageError("Repository Query takes no file of values: leave --page out")
        if settings.target.tree and values is not None:
            raise click.UsageError("--tree takes no file of values: ask for one study at a time")
        keys = typed
        if not settings.as_is:
            keys, values = read_all_written(typed, values, datetime.now().astimezone())
        request = build_request(
            keys, model, Level[settings.level], wanted, as_is=settings.as_is,
            charset=settings.charset,
        )  # fmt: skip
    except KeyValueError as error:
        raise give_up(str(error), WRONG_COMMAND_LINE) from error
    except KeyTextError as error:
        raise click.UsageError(str(error)) from error
    for note in () if settings.target.tree else request.notes:
        say(f"Note: {note}")
    if settings.asking.explain:
        explain_request(request, model, wanted, settings.target.visible)
    elif is_for_people(settings.output) or keys != typed:
        read_back(request, model, wanted, values)
    settings.peer.tell_if_readable(settings.host)
    asked = replace(asked, keys=tuple(keys))
    if _is_asked_otherwise(settings, asked, request, model, wanted, values):
        return
    found, failure = _ask(settings, asked, request, model, wanted, values)
    if settings.target.get is not None:
        from dicomquest.cli.retrieving.found_matches import fetch_matches

        place = settings.host, settings.port, settings.peer
        fetch_matches(place, model, request.identifier, found, settings.target)
    if failure is not None:
        raise give_up(f"perhaps not all came: {failure}")


def _ask(  # noqa: PLR0917
    settings: FindSettings,
    asked: Question,
    request: Request,
    model: InformationModel,
    wanted: QueryOptions,
    values: ValueFile | None,
) -> tuple[list[DataSet], str | None]:
    """Ask the peer and print the matches; return those to fetch, and why they are not all."""
    from dicomquest.cli.asking.enquiry import Enquiry
    from dicomquest.cli.find_explanation import explain_acceptance
    from dicomquest.query.extended_negotiation import accepted_options, offer

    found: list[DataSet] = []
    if settings.target.get is not None:
        from dicomquest.cli.retrieving.found_matches import asked_to_retrieve

        request = replace(request, identifier=asked_to_retrieve(request.identifier, model))
    extended = {model.uid: offer(wanted)} if offer(wanted) else {}
    way = (settings.host, settings.port, settings.peer, model.uid, extended)
    with associated(*way) as association:
        options = accepted_options(association.extended_negotiation.get(model.uid, b""))
        if settings.offer:
            explain_acceptance(wanted, options)
        _explain_association(settings, association, request, model)
        _check_acceptance(request, model, options, as_is=settings.as_is)
        enquiry = Enquiry(
            association, request, model, options, settings.asking, settings.peer.aec,
            lambda: further_association(*way), values,
        )  # fmt: skip
        failure = _query(settings, asked, enquiry, found.append)
    return found, failure


def _is_asked_otherwise(  # noqa: PLR0917
    settings: FindSettings,
    asked: Question,
    request: Request,
    model: InformationModel,
    wanted: QueryOptions,
    values: ValueFile | None,
) -> bool:
    """Ask for a tree, an index or several peers; False if one query of one peer is wanted."""
    from dicomquest.cli.asking.value_files import with_all_values
    from dicomquest.cli.find_in_index import find_in_index
    from dicomquest.cli.find_tree import find_tree, lowest_of_tree

    target, out = settings.target, settings.output
    if target.tree:
        place, lowest = (settings.host, settings.port), lowest_of_tree(settings.level)
        find_tree(place, settings.peer, model, lowest, asked, out, target.jobs, settings.asking)
    elif target.index is not None:
        request = replace(request, identifier=with_all_values(request.identifier, values))
        explain = settings.asking.explain
        find_in_index(target, asked, request, model, out, wanted, explain=explain)
    elif settings.several:
        from dicomquest.cli.find_in_peers import find_in_peers

        request = replace(request, identifier=with_all_values(request.identifier, values))
        find_in_peers(settings, asked, request, model)
    return target.tree or target.index is not None or bool(settings.several)


def _explain_association(
    settings: FindSettings, association: Association, request: Request, model: InformationModel
) -> None:
    from dicomquest.cli.find_explanation import explain_negotiation, show_bytes

    if settings.asking.explain:
        explain_negotiation(association, model)
    if settings.asking.show_bytes:
        asking = settings.asking
        if model is REPOSITORY_QUERY:
            from dicomquest.cli.asking.record_pages import page_of_records

            first = page_of_records(request.identifier, asking.page, asking.after)
            request = replace(request, identifier=first)
        show_bytes(association, request, model)


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
    settings: FindSettings, asked: Question, enquiry: Enquiry, taken: Callable[[DataSet], None]
) -> str | None:
    """Print the matches; return why they are not all, if those that came are to be fetched."""
    from dicomquest.cli.output.show import is_for_people, show
    from dicomquest.cli.output.summary import summarise

    association, request = enquiry.association, enquiry.request
    with Interruption(association.cancel_all, association.abort) as interruption:
        matches = interruption.until(enquiry.answers())
        taking = taken if settings.target.get is not None else None
        shown = show(matches, request.columns, asked, request.level, settings.output, taken=taking)
    failure = enquiry.failure()
    summarise(
        shown, request.level, settings.output,
        is_complete=failure is None, is_interrupted=interruption.has_come,
    )  # fmt: skip
    enquiry.conclude(is_stopped=interruption.has_come or shown.is_cut)
    if interruption.has_come:
        raise click.exceptions.Exit(INTERRUPTED)
    if failure is not None and (enquiry.outcome.unreadable or not shown.is_cut):
        if taking is None or not shown.count:
            raise give_up(failure)
        say(f"Warning: {failure}")
        return failure
    if not enquiry.outcome.count and is_for_people(settings.output):
        enquiry.say_why_nothing()
    return None
