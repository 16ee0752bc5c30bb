"""``dicomquest find -m MODEL`` for a model without levels, of a peer or an index (PS3.4 K.4.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import click

from dicomquest.cli.messages import (
    INTERRUPTED,
    MAKES_A_WORKLIST,
    MAKES_AN_INDEX,
    WRONG_COMMAND_LINE,
    give_up,
    index_failure,
    say,
)
from dicomquest.cli.output.interruption import Interruption
from dicomquest.cli.request_identifier import check_entry_keys
from dicomquest.errors import IdentifierError, IndexDatabaseError
from dicomquest.query.entry_review import EntryReview
from dicomquest.query.extended_negotiation import accepted_worklist_options, offer_worklist
from dicomquest.query.identifier.entry_models import ENTRY, ENTRY_MODELS, EntryModel
from dicomquest.query.identifier.foreign_keys import foreign_key_note
from dicomquest.query.options import QueryOptions
from dicomquest.query.words import question as in_words
from dicomquest.query.words import sentence
from dicomquest.standard.attributes import attribute_name
from dicomquest.standard.models import MODALITY_WORKLIST
from dicomquest.standard.tags import SPECIFIC_CHARACTER_SET, tag_text

if TYPE_CHECKING:
    from dicomquest.cli.find_settings import FindSettings
    from dicomquest.cli.output.show import Question
    from dicomquest.cli.request_identifier import Request
    from dicomquest.dataset.elements import DataSet
    from dicomquest.query.identifier.key_arguments import Key
    from dicomquest.query.loosening import FurtherQuestion
    from dicomquest.query.model import Query
    from dicomquest.standard.models import InformationModel

_OFFERS = frozenset({"fuzzy", "timezone-adjustment"})
_ROWS = 512


def find_entries(settings: FindSettings) -> None:
    """Ask for entries and print them; raise click's Exit unless the peer answered."""
    from dicomquest.cli.output.show import check_output, is_for_people

    row = ENTRY_MODELS[settings.model]
    _check(settings, row)
    check_output(settings.output, is_tree=False)
    asked, request = _request(settings, row)
    for note in request.notes:
        say(f"Note: {note}")
    query = _read(request, row.model, _offer(settings))
    if settings.asking.explain:
        _explain(request, row, query)
    elif is_for_people(settings.output) and query is not None:
        say(in_words(query))
    if settings.target.index is not None:
        _ask_index(settings, row, asked, request)
        return
    found, failure = _ask_peer(settings, row, asked, request)
    if settings.target.get is not None:
        from dicomquest.cli.retrieving.found_matches import fetch_objects

        place = settings.host, settings.port, settings.peer
        fetch_objects(place, row.model, found, settings.target)
    if failure is not None:
        raise give_up(f"perhaps not all came: {failure}")


def _check(settings: FindSettings, row: EntryModel) -> None:
    """Raise click's UsageError for options that a model without levels does not have."""
    target, asking = settings.target, settings.asking
    given = {
        "--tree": target.tree,
        "--get": target.get is not None and not row.model.get_uid,
        "--split": asking.split,
        "--visible": target.visible,
    }
    if name := next((name for name, value in given.items() if value), ""):
        files = ", and no files" if row.model is MODALITY_WORKLIST else ""
        raise click.UsageError(f"{name} is for archives: {row.kind} has one level{files}")
    if wrong := [name for name in settings.offer if name not in _OFFERS]:
        raise click.UsageError(
            f"--offer {wrong[0]}: {row.kind} negotiates {' and '.join(sorted(_OFFERS))} (PS3.4 "
            "K.5.1)"
        )


def _offer(settings: FindSettings) -> bytes:
    offered = settings.offer
    return offer_worklist(
        QueryOptions(fuzzy="fuzzy" in offered, timezone_adjustment="timezone-adjustment" in offered)
    )


def _request(settings: FindSettings, row: EntryModel) -> tuple[Question, Request]:
    """Return the question of the command line, and the identifier that asks it."""
    from dicomquest.cli.output.show import question
    from dicomquest.cli.request_identifier import Request, character_set
    from dicomquest.cli.written_keys import KeyValueError, read_written
    from dicomquest.dataset.elements import Element
    from dicomquest.query.identifier.key_arguments import KeyTextError, build_identifier

    try:
        asked = question(settings.keys, settings.output)
        keys = _placed(asked.keys, row)
        check_entry_keys(keys, row, as_is=settings.as_is)
        if not settings.as_is:
            way_out = " (--as-is sends it all the same.)"
            keys = read_written(keys, datetime.now().astimezone(), way_out=way_out)
        wanted = row.usual if all(key.value for key in keys) else ()
        unique = [row.unique] if row.unique else []
        # The class of an instance is what a retrieve needs a presentation context for.
        of_class = ["SOPClassUID"] if settings.target.get is not None else []
        columns = [*keys, *_absent([*wanted, *unique, *of_class], keys, row)]
        identifier = build_identifier(columns)
        terms = character_set(identifier, settings.charset)
    except KeyValueError as error:
        raise give_up(str(error), WRONG_COMMAND_LINE) from error
    except KeyTextError as error:
        raise click.UsageError(str(error)) from error
    if terms:
        identifier[SPECIFIC_CHARACTER_SET] = Element("CS", terms)
    # The columns and the order of the command line have their places, too.
    order = _placed((key for key, _ in asked.sort), row)
    asked = replace(
        asked,
        keys=tuple(keys),
        columns=tuple(_placed(asked.columns, row)),
        sort=tuple((key, down) for (_, down), key in zip(asked.sort, order, strict=True)),
    )
    identifier = dict(sorted(identifier.items()))
    return asked, Request(ENTRY, identifier, tuple(columns), tuple(_notes(keys, row)))


def _placed(keys: Iterable[Key], row: EntryModel) -> list[Key]:
    from dicomquest.query.identifier.entry_keys import in_items, in_steps

    return in_steps(keys) if row.model is MODALITY_WORKLIST else in_items(keys, row.places)


def _absent(names: Iterable[str], present: list[Key], row: EntryModel) -> list[Key]:
    from dicomquest.query.identifier.key_arguments import parse_key

    known = {key.path for key in present}
    wanted = _placed(map(parse_key, dict.fromkeys(names)), row)
    return [key for key in wanted if key.path not in known]


def _notes(keys: Iterable[Key], row: EntryModel) -> Iterator[str]:
    """Yield remarks on keys that do not do what their user may expect."""
    for key in keys:
        if key.value and any(step.tag in row.never_matched for step in key.path):
            yield f"{key.name} is returned only ({_clause(row)}): the peer ignores its value"
        elif note := foreign_key_note(key, row):
            yield note


def _clause(row: EntryModel) -> str:
    return f"PS3.4 {row.model.clause}"


def _read(request: Request, model: InformationModel, accepted: bytes) -> Query | None:
    """Return the SCU's own reading of its identifier; None if the Standard gives it none."""
    from dicomquest.query.identifier.worklist_identifier import parse_entry_query

    with suppress(IdentifierError):
        options = accepted_worklist_options(accepted, QueryOptions())
        return parse_entry_query(request.identifier, options, model)
    return None


def _explain(request: Request, row: EntryModel, query: Query | None) -> None:
    meaning = "the Standard gives it no meaning" if query is None else sentence(query)
    say(f"Query ({row.model.words}): {meaning}")
    for key in request.columns:
        tags = tuple(step.tag for step in key.path)
        words = row.rows.get(tags, "optional key, return type 3")
        say(f"  {attribute_name(tags[-1])} {tag_text(tags[-1])}: {words}")


def _ask_index(settings: FindSettings, row: EntryModel, asked: Question, request: Request) -> None:
    from dicomquest.cli.asking.why_nothing import MOST_ANSWERS
    from dicomquest.index import open_index

    try:
        with open_index(settings.target.index or "") as index:
            base = QueryOptions(
                fuzzy="fuzzy" in settings.offer,
                ignore_case=settings.target.ignore_case,
                timezone_offset_minutes=index.timezone_offset_minutes,
            )
            query = _parsed(request, row.model, base)
            with index.search(query) as cursor:

                def matches() -> Iterator[DataSet]:
                    while rows := cursor.fetch(_ROWS):
                        yield from map(cursor.plan.to_data_set, rows)

                ways = cursor.interrupt, cursor.interrupt
                count, _ = _show(settings, row, asked, request, matches(), ways)

            def ask(question: FurtherQuestion) -> int:
                further = replace(request, identifier=question.identifier)
                with index.search(_parsed(further, row.model, base)) as cursor:
                    return len(cursor.fetch(MOST_ANSWERS))

            if not count:
                _say_why_nothing(settings, row, request, "the index", ask)
    except IndexDatabaseError as error:
        is_of_objects = bool(row.model.get_uid)
        remedy = MAKES_AN_INDEX if is_of_objects else MAKES_A_WORKLIST
        raise index_failure(error, remedy) from error


def _parsed(request: Request, model: InformationModel, base: QueryOptions) -> Query:
    from dicomquest.query.identifier.worklist_identifier import parse_entry_query

    try:
        options = accepted_worklist_options(b"", base)
        return parse_entry_query(request.identifier, options, model)
    except IdentifierError as error:
        raise give_up(str(error)) from error


def _ask_peer(
    settings: FindSettings, row: EntryModel, asked: Question, request: Request
) -> tuple[list[DataSet], str | None]:
    """Ask the peer and print the answers; return those to fetch, and why they are not all."""
    from dicomquest.cli.asking.answers import Outcome, answers, failure_of
    from dicomquest.cli.asking.why_nothing import ask_peer
    from dicomquest.cli.find_explanation import explain_negotiation, show_bytes
    from dicomquest.cli.peer import associated

    settings.peer.tell_if_readable(settings.host)
    model, uid = row.model, row.model.uid
    extended = {uid: _offer(settings)} if settings.offer else {}
    with associated(settings.host, settings.port, settings.peer, uid, extended) as association:
        accepted = association.extended_negotiation.get(uid, b"")
        if settings.offer:
            _say_accepted(settings, accepted)
        if settings.asking.explain:
            explain_negotiation(association, model)
        if settings.asking.show_bytes:
            show_bytes(association, request, model)
        query = _read(request, model, accepted)
        review = EntryReview(query) if query is not None else None
        outcome = Outcome()
        terms = settings.asking.charset_of_peer
        found = answers(
            association, request.identifier, model, outcome,
            tuple(terms.split("\\")) if terms else (),
        )  # fmt: skip
        kept = _reviewed(found, review, is_filtering=settings.asking.filter_here)
        ways = (association.cancel_all, association.abort)
        taken: list[DataSet] = []
        count, reason = _show(
            settings, row, asked, request, kept, ways, lambda: failure_of(outcome, association),
            taken,
        )  # fmt: skip
        if reason is not None and not taken:
            raise give_up(reason)
        if reason is not None:
            say(f"Warning: {reason}")
        peer = "the peer" if settings.peer.aec == "ANY-SCP" else settings.peer.aec
        for line in review.lines(peer) if review is not None else ():
            say(f"Warning: {line}")
        if not count:
            ask = partial(ask_peer, association, model)
            _say_why_nothing(settings, row, request, peer, ask)
    return taken, reason


def _say_why_nothing(
    settings: FindSettings,
    row: EntryModel,
    request: Request,
    peer: str,
    ask: Callable[[FurtherQuestion], int | None],
) -> None:
    from dicomquest.cli.asking.why_nothing import say_hints, say_why_nothing
    from dicomquest.cli.output.show import is_for_people

    if not is_for_people(settings.output):
        return
    if settings.asking.explain:
        say_why_nothing(ask, request.identifier, row.model, peer, relational=True)
    else:
        say_hints(request.identifier, row.model, peer, relational=True)


def _reviewed(
    found: Iterator[DataSet], review: EntryReview | None, *, is_filtering: bool
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


def _show(  # noqa: PLR0917
    settings: FindSettings,
    row: EntryModel,
    asked: Question,
    request: Request,
    matches: Iterator[DataSet],
    ways: tuple[Callable[[], None], Callable[[], None]],
    failure: Callable[[], str | None] = lambda: None,
    taken: list[DataSet] | None = None,
) -> tuple[int, str | None]:
    """Show the answers; return their number, and why they are not all unless --limit cut them.

    Ctrl-C cancels, then aborts. ``taken`` gets the answers if they are to be fetched.
    """
    from dicomquest.cli.output.show import show
    from dicomquest.cli.output.summary import summarise

    is_fetched = settings.target.get is not None
    with Interruption(*ways) as interruption:
        shown = show(
            interruption.until(matches), request.columns, asked, request.level, settings.output,
            noun=row.noun, taken=taken.append if taken is not None and is_fetched else None,
        )  # fmt: skip
    reason = failure()
    summarise(
        shown, row.noun, settings.output,
        is_complete=reason is None, is_interrupted=interruption.has_come,
    )  # fmt: skip
    if interruption.has_come:
        raise click.exceptions.Exit(INTERRUPTED)
    return shown.count, None if shown.is_cut else reason
