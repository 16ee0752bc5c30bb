"""``dicomquest find --tree``: studies, their series and instances in one go (PS3.4 C.4.1.2.2)."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING

import click

from dicomquest.cli.asking.answers import Outcome, answers, failure_of
from dicomquest.cli.asking.asking_settings import AskingSettings
from dicomquest.cli.asking.enquiry import Enquiry
from dicomquest.cli.asking.level_view import LevelView
from dicomquest.cli.counting import counted
from dicomquest.cli.find_explanation import explain_negotiation
from dicomquest.cli.messages import INTERRUPTED, give_up, say
from dicomquest.cli.output.continued import continue_file
from dicomquest.cli.output.interruption import Interruption
from dicomquest.cli.output.output_settings import OutputSettings
from dicomquest.cli.output.show import Question, Shown, is_for_people, show
from dicomquest.cli.output.summary import summarise
from dicomquest.cli.peer import PeerSettings, associate, further_association
from dicomquest.cli.request_identifier import Request, build_request
from dicomquest.cli.tree_walk import Walk
from dicomquest.errors import AssociationError
from dicomquest.query.extended_negotiation import accepted_options, offer
from dicomquest.query.identifier.key_arguments import Key, KeyTextError, PathStep
from dicomquest.query.options import QueryOptions
from dicomquest.standard.attributes import level_of
from dicomquest.standard.keys import KEYS_BY_KEYWORD, UNIQUE_KEYS
from dicomquest.standard.levels import Level
from dicomquest.standard.models import InformationModel
from dicomquest.standard.tags import QUERY_RETRIEVE_LEVEL, SPECIFIC_CHARACTER_SET

if TYPE_CHECKING:
    from dicomquest.dataset.charset import Terms
    from dicomquest.dataset.elements import DataSet
    from dicomquest.sync import Association

_SERIES_NUMBER = KEYS_BY_KEYWORD["SeriesNumber"].tag


@dataclass(frozen=True, slots=True)
class Tree:
    """The keys of each level, top first, and whether the peer answers relational queries."""

    model: InformationModel
    keys: dict[Level, tuple[Key, ...]]
    is_relational: bool
    charset: Terms = ()
    views: dict[Level, LevelView] = field(default_factory=dict)

    @property
    def top(self) -> Level:
        """The level that the walk begins at: patients under Patient Root, else studies."""
        return self.model.levels[0]

    @property
    def columns(self) -> tuple[Key, ...]:
        """The keys of all levels, each once: the columns of the rows."""
        found: dict[tuple[PathStep, ...], Key] = {}
        for keys in self.keys.values():
            for key in keys:
                found.setdefault(key.path, key)
        return tuple(found.values())

    def look_at_answers(self, *, is_filtering: bool) -> None:
        """Review the answers of the levels below the top."""
        for level in self.keys:
            if level > self.top:
                identifier = replace(self, is_relational=True).identifier(level, ())
                self.views[level] = LevelView(level, identifier, self.model, is_filtering)

    def ask(
        self, association: Association, level: Level, upper: Sequence[DataSet]
    ) -> list[DataSet]:
        """Return the matches of one level below one upper entity; AssociationError if none come."""
        outcome = Outcome()
        identifier = self.identifier(level, upper)
        found = list(answers(association, identifier, self.model, outcome, self.charset))
        if failure := failure_of(outcome, association):
            above = self.model.levels[self.model.levels.index(level) - 1]
            raise AssociationError(f"no {level.entities} of a {above.entity}: {failure}")
        view = self.views.get(level)
        return found if view is None else view.look_at(found, outcome)

    def identifier(self, level: Level, upper: Sequence[DataSet]) -> DataSet:
        """Return the identifier of a level, with the unique keys of the entities above."""
        return self.request(level, upper).identifier

    def request(self, level: Level, upper: Sequence[DataSet] = ()) -> Request:
        """Return the request of a level, with the unique keys of the entities above."""
        fixed = {UNIQUE_KEYS[each].tag for each in self.model.levels if each < level}
        keys = [key for key in self.keys[level] if key.path[0].tag not in fixed]
        for entity in upper:
            for each in self.model.levels:
                unique = UNIQUE_KEYS[each]
                if each < level and unique.tag in entity and entity[unique.tag].values:
                    value = str(entity[unique.tag].values[0])
                    keys.append(Key(unique.keyword, (PathStep(unique.tag),), value))
        if level is Level.IMAGE and self.is_relational:
            series = UNIQUE_KEYS[Level.SERIES]
            if all(key.path[0].tag != series.tag for key in keys):
                keys.append(Key(series.keyword, (PathStep(series.tag),), ""))
        options = QueryOptions(relational=self.is_relational)
        return build_request(keys, self.model, level, options)

    def studies(self, association: Association, top: Iterable[DataSet]) -> Iterator[DataSet]:
        """Yield the studies of the entities at the top, with the attributes of their patients."""
        if self.top is Level.STUDY:
            yield from top
            return
        # The association is busy until the last patient has come.
        for patient in list(top):
            for study in self.ask(association, Level.STUDY, [patient]):
                yield _joined(patient, study)

    def rows(self, association: Association, study: DataSet) -> list[DataSet]:
        """Return a row for each of the lowest entities of a study, with the attributes above."""
        series = sorted(self.ask(association, Level.SERIES, [study]), key=_number_of_series)
        if Level.IMAGE not in self.keys:
            return [_joined(study, each) for each in series]
        if not self.is_relational:
            return [
                _joined(study, each, instance)
                for each in series
                for instance in self.ask(association, Level.IMAGE, [study, each])
            ]
        by_uid = {_uid(each, Level.SERIES): each for each in series}
        instances = self.ask(association, Level.IMAGE, [study])
        # Series may be restricted by keys that the instances' query does not have.
        places = {uid: place for place, uid in enumerate(by_uid)}
        shown = [each for each in instances if _uid(each, Level.SERIES) in by_uid]
        shown.sort(key=lambda each: places[_uid(each, Level.SERIES)])
        return [_joined(study, by_uid[_uid(each, Level.SERIES)], each) for each in shown]


def _number_of_series(match: DataSet) -> tuple[float, str]:
    """Return the place of a series in its study."""
    element = match.get(_SERIES_NUMBER)
    text = str(element.values[0]) if element is not None and element.values else ""
    try:
        return float(text), text
    except ValueError:
        return inf, text


def _uid(match: DataSet, level: Level) -> str:
    element = match.get(UNIQUE_KEYS[level].tag)
    return str(element.values[0]) if element is not None and element.values else ""


def _joined(*matches: DataSet) -> DataSet:
    """Return the attributes of all levels; those of the lower one where both have them."""
    joined: DataSet = {}
    for match in matches:
        joined |= {tag: each for tag, each in match.items() if each.values or tag not in joined}
    joined.pop(SPECIFIC_CHARACTER_SET, None)
    joined.pop(QUERY_RETRIEVE_LEVEL, None)
    return dict(sorted(joined.items()))


def keys_by_level(
    keys: Sequence[Key], model: InformationModel, lowest: Level
) -> dict[Level, tuple[Key, ...]]:
    """Return the keys of the query of each level: the user's, or the usual ones."""
    own: dict[Level, list[Key]] = {level: [] for level in model.levels if level <= lowest}
    for key in keys:
        level = model.query_level(level_of(key.path[0].tag))
        own[max(model.levels[0], min(level, lowest))].append(key)
    return {
        level: build_request(own[level], model, level, QueryOptions(relational=True)).columns
        for level in own
    }


def lowest_of_tree(level: str) -> Level:
    """Return the level of the rows: series for -L SERIES, else instances."""
    return Level.SERIES if level == Level.SERIES.name else Level.IMAGE


def find_tree(  # noqa: PLR0917
    place: tuple[str, int],
    peer: PeerSettings,
    model: InformationModel,
    lowest: Level,
    asked: Question,
    out: OutputSettings,
    jobs: int,
    asking: AskingSettings,
) -> None:
    """Ask for the tree and show its rows; raise click's Exit if the peer fails."""
    if Level.SERIES not in model.levels:
        raise click.UsageError(f"--tree asks for series, and {model.words} has none: -m study")
    keys = keys_by_level(asked.keys, model, lowest)
    extended = {model.uid: offer(QueryOptions(relational=True))}
    way = (*place, peer, model.uid, extended)
    with ExitStack() as stack:
        try:
            first = associate(*place, peer, [model.uid], extended)
        except AssociationError as error:
            raise give_up(str(error)) from error
        stack.callback(first.release)
        accepted = accepted_options(first.extended_negotiation.get(model.uid, b""))
        charset = tuple(asking.charset_of_peer.split("\\")) if asking.charset_of_peer else ()
        tree = Tree(model, keys, accepted.relational, charset)
        tree.look_at_answers(is_filtering=asking.filter_here)
        if asking.explain:
            explain_negotiation(first, model)
        is_continued, known = continue_file(out, tree.columns)
        enquiry = Enquiry(
            first, tree.request(tree.top), model, accepted, asking, peer.aec,
            lambda: further_association(*way),
        )  # fmt: skip
        pool = [first]
        for _ in range(jobs):
            try:
                pool.append(associate(*place, peer, [model.uid], extended))
            except AssociationError as error:
                if len(pool) == 1:
                    raise give_up(str(error)) from error
                say(f"Note: {len(pool) - 1} associations, not {jobs}: {error}")
                break
            stack.callback(pool[-1].release)
        walk = Walk(tree, pool, lambda: tree.studies(first, enquiry.answers()))
        with Interruption(walk.cancel, walk.abort) as interruption:
            try:
                shown = show(
                    interruption.until(walk.rows(known)),
                    tree.columns, asked, lowest, as_tree(out), is_continued=is_continued,
                )  # fmt: skip
            except (AssociationError, KeyTextError) as error:
                if not interruption.has_come:
                    again = "; the same command goes on there" if out.output is not None else ""
                    raise give_up(f"{error}. The list is not all{again}.") from error
                say("Cancelled: the list above is not all.")
                raise click.exceptions.Exit(INTERRUPTED) from error
        _conclude(enquiry, tree, shown, as_tree(out), lowest, is_interrupted=interruption.has_come)


def _conclude(
    enquiry: Enquiry,
    tree: Tree,
    shown: Shown,
    out: OutputSettings,
    lowest: Level,
    *,
    is_interrupted: bool,
) -> None:
    """Say what the rows do not; raise click's Exit if they are not all."""
    is_stopped = is_interrupted or shown.is_cut
    failure = None if is_stopped else enquiry.failure()
    summarise(shown, lowest, out, is_complete=failure is None, is_interrupted=is_interrupted)
    enquiry.conclude(is_stopped=is_stopped)
    for view in tree.views.values():
        view.conclude(enquiry.peer, is_stopped=is_stopped)
    if is_interrupted:
        raise click.exceptions.Exit(INTERRUPTED)
    if failure is not None:
        raise give_up(failure)
    if shown.count or not is_for_people(out):
        return
    if enquiry.outcome.count:
        found = counted(enquiry.outcome.count, tree.top)
        say(f"{found} found, without such {lowest.entities}.")
    else:
        enquiry.say_why_nothing()


def as_tree(out: OutputSettings) -> OutputSettings:
    """Return the settings of the output: a person at a terminal sees a tree, no flat rows."""
    if out.format is None and out.output is None and sys.stdout.isatty():
        return replace(out, format="tree")
    return out
