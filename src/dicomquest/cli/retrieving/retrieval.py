"""A retrieve from the keys to the last word about it (PS3.4 C.4.2, C.4.3)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import click

from dicomquest.cli.asking.value_files import take_file
from dicomquest.cli.counting import counted, number_of
from dicomquest.cli.messages import FAILED, INTERRUPTED, WRONG_COMMAND_LINE, give_up, say
from dicomquest.cli.output.interruption import Interruption
from dicomquest.cli.peer import PeerSettings, associate
from dicomquest.cli.retrieving.instances_there import InstancesThere
from dicomquest.cli.retrieving.landing import Landing
from dicomquest.cli.retrieving.object_selection import WantedObjects, wanted_objects
from dicomquest.cli.retrieving.portion_queue import Carrier, PortionQueue, Rules
from dicomquest.cli.retrieving.portions import Portion, merged
from dicomquest.cli.retrieving.progress_line import progress_line
from dicomquest.cli.retrieving.selection import UNIVERSAL, Selection, Wanted, wanted
from dicomquest.cli.retrieving.tally import Tally, failures, summary
from dicomquest.cli.written_keys import KeyValueError, read_all_written
from dicomquest.errors import (
    ArchiveInUseError,
    AssociationError,
    IdentifierError,
    LayoutError,
)
from dicomquest.query.extended_negotiation import accepted_options, offer
from dicomquest.query.identifier.key_arguments import (
    Key,
    KeyTextError,
    build_identifier,
    parse_keys,
)
from dicomquest.query.options import QueryOptions
from dicomquest.standard.attributes import attribute_name
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from dicomquest.cli.settings.retrieve_settings import KeepingSettings, PaceSettings
    from dicomquest.standard.levels import Noun
    from dicomquest.standard.models import InformationModel

_RELATIONAL = QueryOptions(relational=True)


@dataclass(slots=True)
class Retrieval:
    """One run: the peer, what is wanted, and where it goes; ``landing`` is None for elsewhere."""

    host: str
    port: int
    peer: PeerSettings
    model: InformationModel
    pace: PaceSettings
    landing: Landing | None = None
    is_again: bool = False
    tally: Tally = field(default_factory=Tally)
    shortfalls: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The peer in a sentence."""
        return f"{self.host} port {self.port}"

    @contextmanager
    def selection(self) -> Iterator[Selection]:
        """Hold an association for queries; AssociationError says why there is none."""
        uid = self.model.uid
        with associate(
            self.host, self.port, self.peer, [uid], {uid: offer(_RELATIONAL)}
        ) as association:
            accepted = accepted_options(association.extended_negotiation.get(uid, b""))
            yield Selection(association, self.model, accepted.relational)

    def portions(self, asked: Wanted | WantedObjects) -> list[Portion]:
        """Ask what matches; exact keys are taken as they are if the peer answers no queries.

        What the peer lists before it fails is fetched; ``run`` ends with the failure then.
        """
        found: list[Portion] = []
        try:
            for portion in self._selected(asked):
                found.append(portion)  # noqa: PERF402  those before an error stay
        except AssociationError as error:
            if found:
                self.shortfalls.append(str(error))
                return self._once(found)
            if asked.is_exact and "but no Find" in str(error):
                say("Note: the peer takes no queries, so the UIDs are asked for as they are.")
                return asked.exact_portions
            raise give_up(str(error)) from error
        if self.shortfalls and not found:
            raise give_up(self.shortfalls[0])
        return self._once(found)

    def _once(self, found: Sequence[Portion]) -> list[Portion]:
        if self.shortfalls:
            say(f"Warning: {self.shortfalls[0]}")
        # Values of a file, or an odd peer, may select an entity twice.
        return list({tuple(each.uniques.items()): each for each in found}.values())

    def _selected(self, asked: Wanted | WantedObjects) -> Iterator[Portion]:
        if isinstance(asked, WantedObjects):
            place = self.host, self.port, self.peer
            with associate(*place, [self.model.uid]) as association:
                yield from asked.portions(association)
            return
        with self.selection() as selection:
            patient = replace(selection, shortfalls=self.shortfalls)
            for each in asked.each:
                yield from patient.portions(each)

    def run(
        self,
        portions: Sequence[Portion],
        carrier: Callable[[Callable[[str], None]], Carrier],
        words: tuple[str, str],
        rules: Rules,
    ) -> None:
        """Fetch the portions and tell the outcome; raise click's Exit unless all came.

        ``words`` are the verb of the summary, and the place behind it.
        """
        there: InstancesThere | frozenset[str] = frozenset()
        if self.landing is not None and not self.is_again:
            there = InstancesThere(self.landing.folder)
        jobs, portions = self.pace.jobs, merged(portions)
        has_size = self.landing is not None
        queue = PortionQueue(
            portions, self.tally, there, self.selection,
            replace(rules, by_series=jobs > 1 and len(portions) < jobs),
        )  # fmt: skip
        carriers = [carrier(queue.stop) for _ in range(jobs)]
        self.tally.started = monotonic()
        with (
            Interruption(queue.cancel, queue.abort) as interruption,
            progress_line(self.tally, has_size=has_size, is_quiet=self.pace.quiet),
        ):
            queue.run(carriers)
        self._conclude(words, is_interrupted=interruption.has_come)

    def _conclude(self, words: tuple[str, str], *, is_interrupted: bool) -> None:
        tally = self.tally
        has_size = self.landing is not None
        for line in failures(tally.failed, is_all=self.pace.verbose):
            say(line)
        is_vain = tally.fatal and not tally.arrived
        if not is_vain and (not self.pace.quiet or tally.failed or is_interrupted):
            say(summary(tally, words[1], words[0], has_size=has_size))
        again = "; the same command goes on there" if has_size and tally.arrived else ""
        if is_interrupted:
            rest = f" {tally.remaining:,} of {tally.expected:,} did not come" * bool(tally.expected)
            say(f"Cancelled:{rest or ' not all came'}{again}.")
            raise click.exceptions.Exit(INTERRUPTED)
        if tally.fatal:
            raise give_up(f"{tally.fatal}{again and f'{chr(10)}  What came is whole{again}.'}")
        if self.shortfalls or tally.incomplete:
            reason = "the peer did not list all" if self.shortfalls else tally.incomplete
            raise give_up(f"perhaps not all came: {reason}")
        if tally.failed:
            raise click.exceptions.Exit(FAILED)


def read_keys(
    texts: Sequence[str], model: InformationModel, level: str | None
) -> Wanted | WantedObjects:
    """Read the keys of the command line, or print what is wrong with them and raise."""
    warnings.simplefilter("ignore")  # of pydicom, for odd values; we keep what the peer sends
    now = datetime.now().astimezone()
    try:
        if not model.levels:
            return wanted_objects(texts, model, level, now)
        typed, values = take_file(parse_keys(texts))
        universal = {key.path for key in typed if key.value == UNIVERSAL}
        sent = [replace(key, value="") if key.path in universal else key for key in typed]
        keys, values = read_all_written(sent, values, now)
        keys = [replace(key, value=UNIVERSAL) if key.path in universal else key for key in keys]
        return wanted(keys, model, None if level is None else Level[level], values)
    except KeyValueError as error:
        raise give_up(str(error), WRONG_COMMAND_LINE) from error
    except KeyTextError as error:
        raise click.UsageError(str(error)) from error


def read_back(asked: Wanted | WantedObjects) -> None:
    """Print what will be fetched, so that a wrong key is noticed; nothing if it has no meaning."""
    if isinstance(asked, WantedObjects):
        from dicomquest.query.identifier.foreign_keys import foreign_key_note
        from dicomquest.query.words import question as in_words

        for note in filter(None, (foreign_key_note(key, asked.row) for key in asked.keys)):
            say(f"Note: {note}")
        with suppress(IdentifierError):
            say(in_words(asked.question()))
        return
    _read_back_archive(asked)


def _read_back_archive(asked: Wanted) -> None:
    from dicomquest.dataset.elements import Element
    from dicomquest.query.identifier.parse import parse_identifier
    from dicomquest.query.words import question
    from dicomquest.standard.tags import QUERY_RETRIEVE_LEVEL

    keys: list[Key] = [key for own in asked.keys.values() for key in own]
    if (values := asked.values) is not None:
        given = values.key.value.removeprefix("@")
        say(
            f"for each of {number_of(len(values.values), 'value')} of "
            f"{attribute_name(values.tag)}, from {given}:"
        )
        keys = [key for key in keys if key.path != values.key.path]
    identifier = build_identifier(keys)
    identifier[QUERY_RETRIEVE_LEVEL] = Element("CS", (asked.level.name,))
    with suppress(IdentifierError):
        query = parse_identifier(dict(sorted(identifier.items())), asked.model.uid, _RELATIONAL)
        say(question(query))


def announce(portions: Sequence[Portion], noun: Level | Noun) -> None:
    """Say how much was found: ``12 studies, 4,100 instances``."""
    counts = [portion.count for portion in portions]
    instances = ""
    if portions[0].level is not Level.IMAGE and None not in counts:
        total = sum(count or 0 for count in counts)
        instances = f", {counted(total, Level.IMAGE)}"
    say(f"{counted(len(portions), noun)}{instances}")


@contextmanager
def landing_in(settings: KeepingSettings, umask: str) -> Iterator[Landing]:
    """Open the folder for the instances, or print why it cannot be used and raise."""
    from dicomquest.store.places import parse_layout

    folder = Path(settings.output or ".")
    try:
        layout = parse_layout(settings.store_layout)
        landing = Landing(folder, layout, umask)
    except LayoutError as error:
        raise click.UsageError(f"--store-layout {error}") from error
    except ArchiveInUseError as error:
        raise give_up(
            f"{folder} is the store of a running server; name another folder: -o FOLDER"
        ) from error
    except OSError as error:
        raise give_up(f"{folder} cannot be written: {error.strerror or error}") from error
    with landing:
        landing.recover()
        yield landing
