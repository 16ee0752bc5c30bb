"""Requests on their way: C-GET with the instances on its association, C-MOVE without them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from dicomquest.ae.negotiation_items import build_role
from dicomquest.cli.connection_trouble import trouble
from dicomquest.cli.retrieving.portion_queue import Arrivals, Ended
from dicomquest.dataset.elements import to_pydicom
from dicomquest.errors import AssociationError, ContextNotAcceptedError
from dicomquest.evt import EVT_C_STORE
from dicomquest.scu.storage_proposal import (
    MOST_CONTEXTS,
    UNCOMPRESSED,
    storage_contexts,
    storage_pairs,
)
from dicomquest.services.contexts import build_context
from dicomquest.standard.statuses import C_MOVE_STATUSES, MOVE_DESTINATION_UNKNOWN, in_words

if TYPE_CHECKING:
    from pydicom import Dataset

    from dicomquest.cli.retrieving.portions import Portion
    from dicomquest.cli.retrieving.receiver import Receiver
    from dicomquest.cli.retrieving.tally import Tally
    from dicomquest.cli.send_queue import Way
    from dicomquest.evt import Event
    from dicomquest.standard.models import InformationModel
    from dicomquest.sync import Association

Responses = Iterator[tuple["Dataset", "Dataset | None"]]


class _AssociationHolder:
    """A carrier's association, which another thread may cancel or abort."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._association: Association | None = None
        self._lock = threading.Lock()

    def cancel(self) -> None:
        with self._lock:
            association = self._association
        if association is not None:
            association.cancel_all()

    def abort(self) -> None:
        with self._lock:
            association = self._association
        if association is not None:
            association.abort()

    def close(self) -> None:
        association = self._association
        if association is not None:
            association.release()

    def _hold(self, association: Association, sop_class_uid: str) -> Association:
        """Keep an association; AssociationError if it is none, or has no retrieve."""
        way = self._way
        failure = association.failure
        accepted = {str(each.abstract_syntax) for each in association.accepted_contexts}
        if association.is_established and sop_class_uid not in accepted:
            association.release()
            failure = ContextNotAcceptedError("no retrieve")
        if failure is not None or not association.is_established:
            raise AssociationError(
                trouble(way.host, way.port, way.settings, failure, sop_class_uid)
            )
        with self._lock:
            self._association = association
        return association


class GetCarrier(_AssociationHolder):
    """C-GET: the peer stores on the association of the request (PS3.4 C.4.3)."""

    def __init__(self, way: Way, model: InformationModel, receiver: Receiver) -> None:
        super().__init__(way)
        self._model = model
        self._receiver = receiver
        self._offered: frozenset[str] = frozenset()
        self._arrivals = Arrivals()

    def fetch(self, portion: Portion, arrivals: Arrivals) -> Ended:
        """Ask for a portion, on an association that has contexts for its SOP classes."""
        association = self._associated(portion.sop_classes)
        self._arrivals = arrivals
        identifier = to_pydicom(portion.identifier(self._model))
        responses = association.send_c_get(identifier, self._model.get_uid)
        failed = 0

        def look(status: Dataset) -> None:
            nonlocal failed
            before, failed = failed, _number(status, "Failed")
            if failed > before:
                self._receiver.look_for_room()

        try:
            return _ended(responses, association, look)
        finally:
            self._receiver.wait()

    def _associated(self, classes: frozenset[str]) -> Association:
        association = self._association
        if association is not None and association.is_established and classes <= self._offered:
            return association
        if association is not None:
            association.release()
        # Portions of other studies have other classes: what has been offered goes on being so.
        offered = self._offered | classes
        self._offered = offered if len(offered) <= MOST_CONTEXTS else classes
        pairs = storage_pairs(self._offered)
        contexts = [build_context(self._model.get_uid, list(UNCOMPRESSED))]
        contexts += storage_contexts(pairs)
        roles = [build_role(uid, scp_role=True) for uid in dict.fromkeys(uid for uid, _ in pairs)]
        return self._hold(
            self._way.associate(
                contexts, roles, [(EVT_C_STORE, self._store)], self._receiver.folder
            ),
            self._model.get_uid,
        )

    def _store(self, event: Event) -> int:
        return self._receiver.store(event, self._arrivals)


class Own(NamedTuple):
    """Our own Storage SCP, and what it has received for all requests together."""

    receiver: Receiver
    arrivals: Arrivals


class MoveCarrier(_AssociationHolder):
    """C-MOVE: the peer stores at a destination, which may be our own Storage SCP (PS3.4 C.4.2).

    ``own`` has what our own SCP has received; without one only the peer counts.
    """

    def __init__(
        self, way: Way, model: InformationModel, destination: str, tally: Tally,
        own: Own | None = None,
    ) -> None:  # fmt: skip
        super().__init__(way)
        self._model = model
        self._destination = destination
        self._tally = tally
        self._own = own

    def fetch(self, portion: Portion, arrivals: Arrivals) -> Ended:
        """Ask for a portion to be sent to the destination."""
        association = self._association
        if association is None or not association.is_established:
            association = self._hold(
                self._way.associate([build_context(self._model.move_uid, list(UNCOMPRESSED))]),
                self._model.move_uid,
            )
        identifier = to_pydicom(portion.identifier(self._model))
        responses = association.send_c_move(identifier, self._destination, self._model.move_uid)
        before = arrivals.count

        def count(sent: int) -> None:
            if before + sent > arrivals.count:
                if self._own is None:
                    self._tally.arrive(count=before + sent - arrivals.count)
                arrivals.count = before + sent

        def progress(status: Dataset) -> None:
            if self._own is None:
                count(_number(status, "Completed") + _number(status, "Warning"))

        ended = _ended(responses, association, progress)
        if self._own is not None:
            self._own.receiver.wait()
        if self._own is not None and portion.listed is not None:
            listed = {each.uid for each in portion.listed}
            come = self._own.arrivals
            arrivals.uids |= come.uids & listed
            arrivals.refused |= {uid: come.refused[uid] for uid in listed & come.refused.keys()}
        elif ended.completed is not None:
            count(ended.completed + ended.warning)
        elif ended.is_success:
            count((portion.count or 0) - before)
        if ended.status == MOVE_DESTINATION_UNKNOWN:
            return replace(ended, words=_unknown(self._way, self._destination, ended.words))
        if self._own is not None and ended.failed:
            self._own.receiver.look_for_room()
        if not (ended.is_success or _has_sent(ended)):
            words = (
                f"{ended.words}; perhaps it does not know {self._destination}, or cannot reach it"
            )
            return replace(ended, words=words)
        return ended


def _has_sent(ended: Ended) -> bool:
    return ended.status is None or bool(ended.completed or ended.warning)


def _unknown(way: Way, destination: str, words: str) -> str:
    return (
        f"{way} knows no destination {destination}: status {words}\n"
        "  Have its title, host and port added there, or name a title that it knows: --to TITLE.\n"
        "  dicomquest get needs no destination: there the instances come on our own connection."
    )


def _number(status: Dataset, which: str) -> int:
    value: Any = status.get(f"NumberOf{which}Suboperations")
    return int(value) if value is not None else 0


def _ended(
    responses: Responses, association: Association, progress: Callable[[Dataset], None]
) -> Ended:
    """Read the responses, and return the end that they come to."""
    status, identifier = None, None
    for status, identifier in responses:  # noqa: B007
        progress(status)
    if status is None or "Status" not in status:
        return Ended(None, f"no answer: {association.failure or 'the association ended'}")
    listed: Any = identifier.get("FailedSOPInstanceUIDList") if identifier is not None else None
    uids = [listed] if isinstance(listed, str) else list(listed or ())
    return Ended(
        int(status.Status),
        in_words(int(status.Status), C_MOVE_STATUSES, status.get("ErrorComment", "")),
        _number(status, "Completed") if "NumberOfCompletedSuboperations" in status else None,
        _number(status, "Warning"),
        _number(status, "Failed"),
        tuple(str(uid) for uid in uids if uid),
    )
