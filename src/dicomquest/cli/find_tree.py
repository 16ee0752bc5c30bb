"""``dicomquest find --tree``: studies, their series and instances in one go (PS3.4 C.4.1.2.2)."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from dicomquest.cli.asking.answers import Outcome, answers
from dicomquest.cli.messages import INTERRUPTED, give_up, say
from dicomquest.cli.output.continued import continue_file
from dicomquest.cli.output.interruption import Interruption
from dicomquest.cli.output.output_settings import OutputSettings
from dicomquest.cli.output.show import Question, show
from dicomquest.cli.output.summary import summarise
from dicomquest.cli.peer import PeerSettings, associate
from dicomquest.cli.request_identifier import build_request
from dicomquest.errors import AssociationError
from dicomquest.query.extended_negotiation import accepted_options, offer
from dicomquest.query.identifier.key_arguments import Key, KeyTextError, PathStep
from dicomquest.query.options import QueryOptions
from dicomquest.standard.attributes import level_of
from dicomquest.standard.keys import UNIQUE_KEYS
from dicomquest.standard.levels import Level
from dicomquest.standard.models import InformationModel
from dicomquest.standard.tags import QUERY_RETRIEVE_LEVEL, SPECIFIC_CHARACTER_SET

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet
    from dicomquest.sync import Association

WINDOW = 4
"""Studies that wait in order behind each association, so that memory stays bounded."""
LEVELS = (Level.STUDY, Level.SERIES, Level.IMAGE)
_STUDY_UID = UNIQUE_KEYS[Level.STUDY].tag


@dataclass(frozen=True, slots=True)
class Tree:
    """The keys of each level, top first, and whether the peer answers relational queries."""

    model: InformationModel
    keys: dict[Level, tuple[Key, ...]]
    is_relational: bool

    @property
    def columns(self) -> tuple[Key, ...]:
        """The keys of all levels, each once: the columns of the rows."""
        found: dict[tuple[PathStep, ...], Key] = {}
        for keys in self.keys.values():
            for key in keys:
                found.setdefault(key.path, key)
        return tuple(found.values())

    def ask(
        self, association: Association, level: Level, upper: Sequence[DataSet]
    ) -> list[DataSet]:
        """Return the matches of one level below one upper entity; AssociationError if none come."""
        outcome = Outcome()
        identifier = self.identifier(level, upper)
        found = list(answers(association, identifier, self.model, outcome))
        if outcome.unreadable or not outcome.is_complete:
            reason = association.failure or "the peer did not end the query with Success"
            raise AssociationError(f"no {level.entities} of a study: {reason}")
        return found

    def identifier(self, level: Level, upper: Sequence[DataSet]) -> DataSet:
        """Return the request of a level, with the unique keys of the entities above."""
        fixed = {UNIQUE_KEYS[each].tag for each in LEVELS if each < level}
        keys = [key for key in self.keys[level] if key.path[0].tag not in fixed]
        for entity in upper:
            for each in LEVELS:
                unique = UNIQUE_KEYS[each]
                if each < level and unique.tag in entity and entity[unique.tag].values:
                    value = str(entity[unique.tag].values[0])
                    keys.append(Key(unique.keyword, (PathStep(unique.tag),), value))
        if level is Level.IMAGE and self.is_relational:
            series = UNIQUE_KEYS[Level.SERIES]
            if all(key.path[0].tag != series.tag for key in keys):
                keys.append(Key(series.keyword, (PathStep(series.tag),), ""))
        options = QueryOptions(relational=self.is_relational)
        return build_request(keys, self.model, level, options).identifier

    def rows(self, association: Association, study: DataSet) -> list[DataSet]:
        """Return a row for each of the lowest entities of a study, with the attributes above."""
        series = self.ask(association, Level.SERIES, [study])
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
        return [
            _joined(study, by_uid[_uid(each, Level.SERIES)], each)
            for each in instances
            if _uid(each, Level.SERIES) in by_uid
        ]


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
    own: dict[Level, list[Key]] = {level: [] for level in LEVELS if level <= lowest}
    for key in keys:
        level = model.query_level(level_of(key.path[0].tag))
        own[max(Level.STUDY, min(level, lowest))].append(key)
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
) -> None:
    """Ask for the tree and show its rows; raise click's Exit if the peer fails."""
    keys = keys_by_level(asked.keys, model, lowest)
    extended = {model.uid: offer(QueryOptions(relational=True))}
    with ExitStack() as stack:
        try:
            first = associate(*place, peer, [model.uid], extended)
        except AssociationError as error:
            raise give_up(str(error)) from error
        stack.callback(first.release)
        accepted = accepted_options(first.extended_negotiation.get(model.uid, b""))
        tree = Tree(model, keys, accepted.relational)
        is_continued, known = continue_file(out, tree.columns)
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
        walk = Walk(tree, pool)
        with Interruption(walk.cancel, walk.abort) as interruption:
            try:
                shown = show(
                    interruption.until(walk.rows(known)),
                    tree.columns, asked, lowest, out, is_continued=is_continued,
                )  # fmt: skip
            except (AssociationError, KeyTextError) as error:
                if not interruption.has_come:
                    again = "; the same command goes on there" if out.output is not None else ""
                    raise give_up(f"{error}. The list is not all{again}.") from error
                raise click.exceptions.Exit(INTERRUPTED) from error
    summarise(shown, lowest, out, is_complete=True, is_interrupted=interruption.has_come)
    if interruption.has_come:
        raise click.exceptions.Exit(INTERRUPTED)


class Walk:
    """Studies by the first association, what is below them by the others, in their order."""

    def __init__(self, tree: Tree, pool: Sequence[Association]) -> None:
        self._tree = tree
        self._pool = pool
        self._is_over = False
        self._free: queue.SimpleQueue[Association] = queue.SimpleQueue()
        for association in pool[1:]:
            self._free.put(association)

    def rows(self, known: frozenset[str]) -> Iterator[DataSet]:
        """Yield the rows, study by study; the studies in ``known`` are left out."""
        studies = self._tree.ask(self._pool[0], Level.STUDY, ())
        jobs = len(self._pool) - 1
        with ThreadPoolExecutor(jobs) as threads:
            waiting: deque[Future[list[DataSet]]] = deque()
            try:
                for study in studies:
                    if _uid(study, Level.STUDY) in known:
                        continue
                    waiting.append(threads.submit(self._rows_of, study))
                    if len(waiting) >= jobs * WINDOW:
                        yield from waiting.popleft().result()
                while waiting:
                    yield from waiting.popleft().result()
            finally:
                self._is_over = True
                threads.shutdown(wait=False, cancel_futures=True)

    def cancel(self) -> None:
        """Cancel all running queries, and begin no other one."""
        self._is_over = True
        for association in self._pool:
            association.cancel_all()

    def abort(self) -> None:
        """End all associations at once."""
        for association in self._pool:
            association.abort()

    def _rows_of(self, study: DataSet) -> list[DataSet]:
        if self._is_over:
            return []
        association = self._free.get()
        try:
            return self._tree.rows(association, study)
        finally:
            self._free.put(association)
