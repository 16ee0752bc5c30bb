"""``dicomquest find -W``: a peer's worklist, or that of an index (PS3.4 K.4.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import click

from dicomquest.cli.messages import (
    INTERRUPTED,
    WRONG_COMMAND_LINE,
    give_up,
    index_failure,
    say,
)
from dicomquest.cli.output.interruption import Interruption
from dicomquest.errors import IdentifierError, IndexDatabaseError
from dicomquest.query.extended_negotiation import accepted_worklist_options
from dicomquest.query.options import QueryOptions
from dicomquest.query.words import question as in_words
from dicomquest.query.words import sentence
from dicomquest.query.worklist_review import WorklistReview
from dicomquest.standard.attributes import attribute_name
from dicomquest.standard.levels import SCHEDULED_STEPS
from dicomquest.standard.models import MODALITY_WORKLIST
from dicomquest.standard.tags import SPECIFIC_CHARACTER_SET, tag_text
from dicomquest.standard.worklist_keys import WORKLIST_KEYS

if TYPE_CHECKING:
    from dicomquest.cli.find_settings import FindSettings
    from dicomquest.cli.output.show import Question
    from dicomquest.cli.request_identifier import Request
    from dicomquest.dataset.elements import DataSet
    from dicomquest.query.identifier.key_arguments import Key
    from dicomquest.query.model import Query
    from dicomquest.sync import Association

USUAL_KEYS = (
    "PatientName",
    "PatientID",
    "AccessionNumber",
    "StudyInstanceUID",
    "RequestedProcedureID",
    "ScheduledStationAETitle",
    "ScheduledProcedureStepStartDate",
    "ScheduledProcedureStepStartTime",
    "Modality",
    "ScheduledProcedureStepDescription",
    "ScheduledProcedureStepID",
)
"""The command asks for these where the user names no attribute to return."""

_OFFERS = frozenset({"fuzzy", "timezone-adjustment"})
_KEYS = {key.path: key for key in WORKLIST_KEYS}
_ROWS = 512


def find_worklist(settings: FindSettings) -> None:
    """Ask for entries and print them; raise click's Exit unless the peer answered."""
    from dicomquest.cli.output.show import check_output, is_for_people

    _check(settings)
    check_output(settings.output, is_tree=False)
    asked, request = _request(settings)
    query = _read(request, b"\1\1" + _offer(settings))
    if settings.asking.explain:
        _explain(request, query)
    elif is_for_people(settings.output) and query is not None:
        say(in_words(query))
    if settings.target.index is not None:
        _ask_index(settings, asked, request)
    else:
        _ask_peer(settings, asked, request)


def _check(settings: FindSettings) -> None:
    """Raise click's UsageError for options that a worklist does not have."""
    target, asking = settings.target, settings.asking
    given = {
        "--tree": target.tree,
        "--get": target.get is not None,
        "--split": asking.split,
        "--visible": target.visible,
        "-L": settings.level != "STUDY",
    }
    if name := next((name for name, value in given.items() if value), ""):
        raise click.UsageError(f"{name} is for archives: a worklist has one level, and no files")
    if wrong := [name for name in settings.offer if name not in _OFFERS]:
        raise click.UsageError(
            f"--offer {wrong[0]}: a worklist negotiates {' and '.join(sorted(_OFFERS))} (PS3.4 "
            "K.5.1)"
        )


def _offer(settings: FindSettings) -> bytes:
    fuzzy, zone = (name in settings.offer for name in ("fuzzy", "timezone-adjustment"))
    return bytes((fuzzy, 1)) if zone else bytes((fuzzy,))


def _request(settings: FindSettings) -> tuple[Question, Request]:
    """Return the question of the command line, and the identifier that asks it."""
    from dicomquest.cli.output.show import question
    from dicomquest.cli.request_identifier import Request, character_set
    from dicomquest.cli.written_keys import KeyValueError, read_written
    from dicomquest.dataset.elements import Element
    from dicomquest.query.identifier.entry_keys import in_steps
    from dicomquest.query.identifier.key_arguments import KeyTextError, build_identifier
    from dicomquest.query.identifier.worklist_identifier import ENTRY

    try:
        asked = question(settings.keys, settings.output)
        keys = in_steps(asked.keys)
        if not settings.as_is:
            way_out = " (--as-is sends it all the same.)"
            keys = read_written(keys, datetime.now().astimezone(), way_out=way_out)
        columns = [*keys, *(_usual(keys) if all(key.value for key in keys) else ())]
        identifier = build_identifier(columns)
        terms = character_set(identifier, settings.charset)
    except KeyValueError as error:
        raise give_up(str(error), WRONG_COMMAND_LINE) from error
    except KeyTextError as error:
        raise click.UsageError(str(error)) from error
    if terms:
        identifier[SPECIFIC_CHARACTER_SET] = Element("CS", terms)
    # The columns and the order of the command line are of steps, too.
    asked = replace(
        asked,
        keys=tuple(keys),
        columns=tuple(in_steps(asked.columns)),
        sort=tuple(
            (key, order)
            for (_, order), key in zip(
                asked.sort, in_steps(key for key, _ in asked.sort), strict=True
            )
        ),
    )
    return asked, Request(ENTRY, dict(sorted(identifier.items())), tuple(columns))


def _usual(keys: list[Key]) -> list[Key]:
    from dicomquest.query.identifier.entry_keys import in_steps
    from dicomquest.query.identifier.key_arguments import parse_key

    present = {key.path for key in keys}
    return [key for key in in_steps(map(parse_key, USUAL_KEYS)) if key.path not in present]


def _read(request: Request, accepted: bytes) -> Query | None:
    """Return the SCU's own reading of its identifier; None if the Standard gives it none."""
    from dicomquest.query.identifier.worklist_identifier import parse_worklist

    with suppress(IdentifierError):
        options = accepted_worklist_options(accepted, QueryOptions())
        return parse_worklist(request.identifier, options)
    return None


def _explain(request: Request, query: Query | None) -> None:
    if query is None:
        say("Query (Modality Worklist): the Standard gives it no meaning")
    else:
        say(f"Query (Modality Worklist): {sentence(query)}")
    for key in request.columns:
        tags = tuple(step.tag for step in key.path)
        row = _KEYS.get(tags)
        if row is None:
            say(f"  {attribute_name(tags[-1])} {tag_text(tags[-1])}: optional key, return type 3")
            continue
        kind = "required" if row.is_required else "optional"
        place = " of the step" if row.is_of_step else ""
        say(
            f"  {attribute_name(row.tag)} {tag_text(row.tag)}: {kind} key{place}, return type "
            f"{row.return_type.value}"
        )


def _ask_index(settings: FindSettings, asked: Question, request: Request) -> None:
    from dicomquest.index import open_index

    try:
        with open_index(settings.target.index or "") as index:
            base = QueryOptions(
                ignore_case=settings.target.ignore_case,
                timezone_offset_minutes=index.timezone_offset_minutes,
            )
            query = _parsed(request, base)
            with index.search(query) as cursor:

                def matches() -> Iterator[DataSet]:
                    while rows := cursor.fetch(_ROWS):
                        yield from map(cursor.plan.to_data_set, rows)

                _show(settings, asked, request, matches(), (cursor.interrupt, cursor.interrupt))
    except IndexDatabaseError as error:
        raise index_failure(error) from error


def _parsed(request: Request, base: QueryOptions) -> Query:
    from dicomquest.query.identifier.worklist_identifier import parse_worklist

    try:
        return parse_worklist(request.identifier, accepted_worklist_options(b"", base))
    except IdentifierError as error:
        raise give_up(str(error)) from error


def _ask_peer(settings: FindSettings, asked: Question, request: Request) -> None:
    from dicomquest.cli.asking.answers import Outcome, answers, failure_of
    from dicomquest.cli.find_explanation import explain_negotiation, show_bytes
    from dicomquest.cli.peer import associated

    settings.peer.tell_if_readable(settings.host)
    uid = MODALITY_WORKLIST.uid
    extended = {uid: b"\1\1" + _offer(settings)} if settings.offer else {}
    with associated(settings.host, settings.port, settings.peer, uid, extended) as association:
        accepted = association.extended_negotiation.get(uid, b"")
        if settings.offer:
            _say_accepted(settings, accepted)
        if settings.asking.explain:
            explain_negotiation(association, MODALITY_WORKLIST)
        if settings.asking.show_bytes:
            show_bytes(association, request, MODALITY_WORKLIST)
        query = _read(request, accepted)
        review = WorklistReview(query) if query is not None else None
        outcome = Outcome()
        terms = settings.asking.charset_of_peer
        found = answers(
            association, request.identifier, MODALITY_WORKLIST, outcome,
            tuple(terms.split("\\")) if terms else (),
        )  # fmt: skip
        kept = _reviewed(found, review, is_filtering=settings.asking.filter_here)
        _show_of_peer(
            settings, asked, request, kept, association, lambda: failure_of(outcome, association)
        )
    peer = "the peer" if settings.peer.aec == "ANY-SCP" else settings.peer.aec
    for line in review.lines(peer) if review is not None else ():
        say(f"Warning: {line}")


def _reviewed(
    found: Iterator[DataSet], review: WorklistReview | None, *, is_filtering: bool
) -> Iterator[DataSet]:
    for answer in found:
        fits = review is None or review.add(answer)
        if fits or not is_filtering:
            yield answer


def _say_accepted(settings: FindSettings, accepted: bytes) -> None:
    for at, name in enumerate(("fuzzy", "timezone-adjustment"), 2):
        if name in settings.offer:
            answer = "accepted" if accepted[at : at + 1] == b"\1" else "not accepted"
            say(f"Offered: {name}: {answer}")


def _show_of_peer(  # noqa: PLR0917
    settings: FindSettings,
    asked: Question,
    request: Request,
    matches: Iterator[DataSet],
    association: Association,
    failure: Callable[[], str | None],
) -> None:
    ways = (association.cancel_all, association.abort)
    is_cut = _show(settings, asked, request, matches, ways, failure)
    reason = failure()
    if reason is not None and not is_cut:
        raise give_up(reason)


def _show(  # noqa: PLR0917
    settings: FindSettings,
    asked: Question,
    request: Request,
    matches: Iterator[DataSet],
    ways: tuple[Callable[[], None], Callable[[], None]],
    failure: Callable[[], str | None] = lambda: None,
) -> bool:
    """Show the answers; return True if --limit cut them. Ctrl-C cancels, then aborts."""
    from dicomquest.cli.output.show import show
    from dicomquest.cli.output.summary import summarise

    with Interruption(*ways) as interruption:
        shown = show(
            interruption.until(matches), request.columns, asked, request.level, settings.output,
            noun=SCHEDULED_STEPS,
        )  # fmt: skip
    summarise(
        shown, SCHEDULED_STEPS, settings.output,
        is_complete=failure() is None, is_interrupted=interruption.has_come,
    )  # fmt: skip
    if interruption.has_come:
        raise click.exceptions.Exit(INTERRUPTED)
    return shown.is_cut
