"""The sending of files over several associations that take from one queue (PS3.4 B)."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import click

from dicomquest.ae import AE
from dicomquest.cli.messages import say
from dicomquest.cli.own_identity import negotiation_items
from dicomquest.cli.peer import PeerSettings, no_association, peer_name
from dicomquest.errors import (
    AssociationError,
    AssociationRejectedError,
    ConnectionFailedError,
    ContextNotAcceptedError,
    DataSetError,
    LocalProtocolError,
)
from dicomquest.index.ingest.files import walk
from dicomquest.pdu.items import MAXIMUM_CONTEXTS
from dicomquest.scu.outgoing import Instance, describe
from dicomquest.services.contexts import PresentationContext, build_context
from dicomquest.standard.statuses import C_STORE_STATUSES, StatusClass, in_words, status_class
from dicomquest.standard.transfer_syntaxes import IMPLICIT_VR_LITTLE_ENDIAN
from dicomquest.sync import Association

if TYPE_CHECKING:
    from pathlib import Path

    from dicomquest import evt
    from dicomquest.ae.negotiation_items import NegotiationItem

MOST_LOST = 3
"""Give up when so many associations have ended early, one after the other."""


class File(NamedTuple):
    """A file to send."""

    path: str
    instance: Instance
    size: int


@dataclass(slots=True)
class Outcome:
    """The counts so far, which the threads share; ``warned`` of the ``sent`` got a warning."""

    sent: int = 0
    size: int = 0
    warned: int = 0
    failed: int = 0
    skipped: int = 0
    unreachable: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)


def look_at(paths: Sequence[str], outcome: Outcome, *, quiet: bool) -> Iterator[File]:
    """Find the instances; name and count the files that no peer can take."""

    def skip(path: str, reason: str) -> None:
        outcome.skipped += 1
        if not quiet:
            say(f"skipped: {click.format_filename(path)}: {reason}")

    def unreadable(error: OSError) -> None:
        skip(str(error.filename), error.strerror or str(error))

    for state in walk(paths, unreadable):
        try:
            yield File(state.path, describe(state.path), state.size)
        except DataSetError as error:
            skip(state.path, str(error))
        except OSError as error:
            unreadable(error)


def groups(files: Iterable[File], most: int = MAXIMUM_CONTEXTS) -> list[list[File]]:
    """Divide files so that each group's presentation contexts find room on one association."""
    found: list[list[File]] = []
    contexts: list[set[tuple[str, str]]] = []
    for file in files:
        wanted = _contexts_of(file)
        for group, taken in zip(found, contexts, strict=True):
            if len(taken | wanted) <= most:
                group.append(file)
                taken.update(wanted)
                break
        else:
            found.append([file])
            contexts.append(set(wanted))
    return found


def _contexts_of(file: File) -> set[tuple[str, str]]:
    """Return the contexts of a file: its own syntaxes, and the one of every SCP (PS3.5 10.1).

    Each syntax has a context of its own. On a common context the peer would choose, and we cannot
    bring a compressed instance to its choice.
    """
    syntaxes = {*file.instance.transfer_syntaxes, IMPLICIT_VR_LITTLE_ENDIAN}
    return {(file.instance.sop_class_uid, syntax) for syntax in syntaxes}


class Way(NamedTuple):
    """The way to a peer, for several associations."""

    host: str
    port: int
    settings: PeerSettings

    def associate(
        self,
        contexts: list[PresentationContext],
        items: Iterable[NegotiationItem] = (),
        handlers: Iterable[evt.Binding] = (),
        folder: Path | None = None,
    ) -> Association:
        """Ask for an association; ``folder`` is for the instances that its peer stores with us."""
        settings = self.settings
        ae = AE(settings.aet)
        ae.connection_timeout = settings.connection_timeout
        ae.acse_timeout = settings.acse_timeout
        ae.dimse_timeout = settings.dimse_timeout
        ae.incoming_folder = folder
        tls = settings.tls_context()
        return ae.associate(
            self.host,
            self.port,
            contexts,
            ae_title=settings.aec,
            max_pdu=settings.max_pdu,
            ext_neg=(*negotiation_items(settings.user_identity()), *items),
            tls_args=None if tls is None else (tls, self.host),
            evt_handlers=handlers,
        )

    def __str__(self) -> str:
        """Name the peer, for messages."""
        return peer_name(self.host, self.port, self.settings)


def refusal(file: File, way: Way) -> str:
    """Return why the peer cannot be reached or rejects associations; nothing if it takes one.

    The association is for this file's presentation contexts. A peer that accepts none of them may
    still take other files.
    """
    association = way.associate([build_context(*pair) for pair in sorted(_contexts_of(file))])
    if association.is_established:
        association.release()
        return ""
    failure = association.failure
    if isinstance(failure, (ConnectionFailedError, AssociationRejectedError)):
        return no_association(way.host, way.port, way.settings, failure)
    return ""


def send_group(
    files: Sequence[File], way: Way, outcome: Outcome, advance: Callable[[], None], jobs: int
) -> None:
    """Send files over up to ``jobs`` associations, which take from one queue."""
    pairs = sorted({pair for file in files for pair in _contexts_of(file)})
    queue = deque(files)
    threads = [
        threading.Thread(target=_work, args=(queue, pairs, way, outcome, advance), daemon=True)
        for _ in range(min(jobs, len(files)))
    ]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        queue.clear()
        raise
    outcome.failed += len(queue)


def _work(
    queue: deque[File],
    pairs: list[tuple[str, str]],
    way: Way,
    outcome: Outcome,
    advance: Callable[[], None],
) -> None:
    """Send the files of the queue; replace an association that ends early, a few times."""
    lost = 0
    while queue and lost < MOST_LOST:
        association = way.associate([build_context(*pair) for pair in pairs])
        if isinstance(association.failure, ContextNotAcceptedError):
            _fail_all(queue, association.failure, outcome, advance)
            return
        if not association.is_established:
            with outcome.lock:
                outcome.unreachable = no_association(
                    way.host, way.port, way.settings, association.failure
                )
            return
        with association:
            while (file := _next_for(association, queue)) is not None:
                kind, words = _send(association, file)
                with outcome.lock:
                    if kind is StatusClass.FAILURE:
                        outcome.failed += 1
                        say(f"failed: {click.format_filename(file.path)}: {words}")
                    else:
                        outcome.sent += 1
                        outcome.size += file.size
                        lost = 0
                    if kind is StatusClass.WARNING:
                        outcome.warned += 1
                        say(f"sent: {click.format_filename(file.path)}: {words}")
                    advance()
            if association.failure is not None:
                lost += 1
    if lost and queue:
        with outcome.lock:
            outcome.unreachable = (
                f"{way} ended {lost} associations early, one after the other; "
                "the rest of the files was not sent"
            )


def _fail_all(
    queue: deque[File],
    error: ContextNotAcceptedError,
    outcome: Outcome,
    advance: Callable[[], None],
) -> None:
    """Fail what is in the queue: the peer takes none of it, though maybe other groups of files."""
    while queue:
        with suppress(IndexError):
            file = queue.popleft()
            with outcome.lock:
                outcome.failed += 1
                say(f"failed: {click.format_filename(file.path)}: {error}")
                advance()


def _next_for(association: Association, queue: deque[File]) -> File | None:
    try:
        return queue.popleft() if association.is_established else None
    except IndexError:
        return None


def _send(association: Association, file: File) -> tuple[StatusClass, str]:
    """Send one file; return the class of the answer, and the words of a failure or a warning."""
    try:
        status = association.send_c_store(file.path)
    except (AssociationError, LocalProtocolError, DataSetError) as error:
        return StatusClass.FAILURE, str(error)
    except OSError as error:
        return StatusClass.FAILURE, error.strerror or str(error)
    if "Status" not in status:
        return StatusClass.FAILURE, f"no answer: {association.failure or 'the association ended'}"
    code = int(status.Status)
    kind = status_class(code, C_STORE_STATUSES)
    if kind not in (StatusClass.SUCCESS, StatusClass.WARNING):
        kind = StatusClass.FAILURE
    return kind, f"status {in_words(code, C_STORE_STATUSES, status.get('ErrorComment', ''))}"
