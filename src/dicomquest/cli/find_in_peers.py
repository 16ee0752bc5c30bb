"""``dicomquest find PEER PEER ...``: one question to several archives at once (PS3.4 C.4.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from dicomquest.cli.messages import INTERRUPTED, give_up, say
from dicomquest.cli.output.interruption import Interruption
from dicomquest.cli.output.show import Question, is_for_people, show
from dicomquest.cli.output.summary import summarise
from dicomquest.cli.upstreams import upstream_at
from dicomquest.errors import IdentifierError

if TYPE_CHECKING:
    from dicomquest.cli.find_settings import FindSettings
    from dicomquest.cli.request_identifier import Request
    from dicomquest.dataset.elements import DataSet
    from dicomquest.federation.gathering import Gathering
    from dicomquest.federation.sources import UpstreamSource
    from dicomquest.query.loosening import FurtherQuestion
    from dicomquest.query.options import QueryOptions
    from dicomquest.standard.models import InformationModel

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE = 1.0
"""Seconds that an answer waits for those of other peers: a person reads slower than a viewer."""


def _check(settings: FindSettings) -> None:
    """Raise click's UsageError for options that are for one peer."""
    target = settings.target
    given = {"--get": target.get is not None, "--as-is": settings.as_is}
    name = next((name for name, is_given in given.items() if is_given), None)
    name = name or settings.asking.of_a_peer_alone()
    if name:
        raise click.UsageError(f"{name} is for one peer: name a single one")


def _given_timeouts(settings: FindSettings) -> dict[str, float]:
    """Return the time-outs of the command line or the environment: they hold for all peers."""
    ctx = click.get_current_context()
    own = (click.core.ParameterSource.COMMANDLINE, click.core.ParameterSource.ENVIRONMENT)
    return {
        name: getattr(settings.peer, name)
        for name in ("connection_timeout", "acse_timeout", "dimse_timeout")
        if ctx.get_parameter_source(name) in own
    }


def find_in_peers(
    settings: FindSettings,
    asked: Question,
    request: Request,
    model: InformationModel,
) -> None:
    """Ask all peers and show the answers as one; raise click's Exit unless all have answered."""
    from dicomquest.federation.asked_query import asked as question_of
    from dicomquest.federation.gathering import Gathering
    from dicomquest.federation.shortfall import comment_of
    from dicomquest.query.identifier.parse import parse_identifier
    from dicomquest.query.options import QueryOptions

    _check(settings)
    offered: dict[str, Any] = {name.replace("-", "_"): True for name in settings.offer}
    options = QueryOptions(**{**offered, "relational": True})
    try:
        query = parse_identifier(request.identifier, model.uid, options)
    except IdentifierError as error:
        raise give_up(str(error)) from error
    question = question_of(request.identifier, query)
    sources = _sources(settings)
    loop = asyncio.new_event_loop()
    gathering = Gathering(sources, question, _at_once, PATIENCE)

    def stop() -> None:
        # The query may have ended meanwhile.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(gathering.wake)

    with Interruption(stop, stop) as interruption:
        matches = interruption.until(_matches(loop, gathering, sources))
        shown = show(matches, request.columns, asked, request.level, settings.output)
    ends = [gathering.ends[place] for place in sorted(gathering.ends)]
    short = [end for end in ends if end.kind.is_short]
    for end in short:
        say(f"Warning: {end.name}: {end.kind.value}: {end.detail}")
    summarise(
        shown, request.level, settings.output,
        is_complete=not short, is_interrupted=interruption.has_come,
    )  # fmt: skip
    if interruption.has_come:
        raise click.exceptions.Exit(INTERRUPTED)
    if short and not shown.is_cut:
        raise give_up(f"the answer is not complete: {comment_of(short)}")
    if not shown.count and is_for_people(settings.output):
        _say_why_nothing(settings, request, model, options)


def _sources(settings: FindSettings) -> list[UpstreamSource]:
    from dicomquest.federation.sources import UpstreamSource

    given = _given_timeouts(settings)
    return [
        UpstreamSource(
            place,
            upstream_at(each.title, {**each.reach, **given}, {"models": ()}, settings.peer.aet),
        )
        for place, each in enumerate(settings.several)
    ]


def _say_why_nothing(
    settings: FindSettings, request: Request, model: InformationModel, options: QueryOptions
) -> None:
    """Say what can be said of a question without an answer; with --explain ask all peers on."""
    from dicomquest.cli.asking.why_nothing import MOST_ANSWERS, say_hints, say_why_nothing
    from dicomquest.federation.asked_query import asked as question_of
    from dicomquest.federation.gathering import Gathering
    from dicomquest.federation.shortfall import comment_of
    from dicomquest.query.identifier.parse import parse_identifier
    from dicomquest.query.loosening import names_ancestors

    def ask(further: FurtherQuestion) -> int | None:
        query = parse_identifier(further.identifier, model.uid, options)
        sources = _sources(settings)
        gathering = Gathering(sources, question_of(further.identifier, query), _at_once, PATIENCE)
        with closing(_matches(asyncio.new_event_loop(), gathering, sources)) as found:
            count = sum(1 for _ in islice(found, MOST_ANSWERS))
        short = [end for end in gathering.ends.values() if end.kind.is_short]
        if short and count < MOST_ANSWERS:
            say(f"  {further.words}: no whole answer: {comment_of(short)}")
            return None
        return count

    relational = not names_ancestors(request.identifier, model)
    if settings.asking.explain:
        say_why_nothing(ask, request.identifier, model, "each peer", relational=relational)
    else:
        say_hints(request.identifier, model, "each peer", relational=relational)


async def _at_once(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    return function(*args, **kwargs)


def _matches(
    loop: asyncio.AbstractEventLoop, gathering: Gathering, sources: Sequence[UpstreamSource]
) -> Generator[DataSet]:
    """Yield the answers; the event loop runs while the next ones are waited for."""
    batches = gathering.batches()

    async def following() -> list[DataSet] | None:
        batch = await anext(batches, None)
        return None if batch is None else [each.response for each in batch]

    async def end() -> None:
        await batches.aclose()
        await asyncio.gather(*(source.end() for source in sources))

    try:
        while (found := loop.run_until_complete(following())) is not None:
            yield from found
    finally:
        loop.run_until_complete(end())
        loop.close()
