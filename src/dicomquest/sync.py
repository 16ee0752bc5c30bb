"""The blocking SCU: an association over a socket, without a thread of its own (PS3.7 9.1)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar

from dicomquest import evt
from dicomquest.dimse.commands import PENDING, NormalizedRQ, Response
from dicomquest.dimse.events import ResponseReceived, ResponsesReceived
from dicomquest.errors import AssociationError, LocalProtocolError
from dicomquest.scu.association import RequestedAssociation
from dicomquest.scu.driver import Driver
from dicomquest.scu.incoming_store import IncomingStore
from dicomquest.scu.normalized import NormalizedServices
from dicomquest.scu.peer_address import Peer
from dicomquest.scu.requestor import Flow, Operation, Requestor
from dicomquest.scu.sub_operations import NO_HANDLER, SubOperations
from dicomquest.scu.turns import Turn, Turns
from dicomquest.services.life_cycle import LifeStage
from dicomquest.standard.sop_classes import VERIFICATION
from dicomquest.standard.statuses import in_words
from dicomquest.ul.negotiation import AcceptedContext

# pydicom takes 150 ms to import: only methods with Datasets import it, and a C-ECHO needs none.
if TYPE_CHECKING:
    import os

    from pydicom.dataset import Dataset

LOGGER = logging.getLogger("dicomquest.scu")

T = TypeVar("T")

# The event that handlers are told when the association has come to a stage of its life.
NOTIFICATIONS: dict[LifeStage, evt.NotificationEvent] = {
    LifeStage.REQUESTED: evt.EVT_REQUESTED,
    LifeStage.ESTABLISHED: evt.EVT_ESTABLISHED,
    LifeStage.REJECTED: evt.EVT_REJECTED,
    LifeStage.RELEASED: evt.EVT_RELEASED,
    LifeStage.ABORTED: evt.EVT_ABORTED,
}


class Association(RequestedAssociation, NormalizedServices, evt.HasHandlers):
    """An association as requestor (PS3.8 7), in the shape that pynetdicom's users know.

    ``AE.associate`` makes one. It has no thread: the peer's bytes are read while a method runs, and
    by the flags, so that they tell of an end that came meanwhile. As a context manager it is
    released at the end, or aborted if an error passes that is no AssociationError.

    Threads that share it take turns: a request waits until another thread's query has been read to
    its end, for ``dimse_timeout`` at most. ``abort`` and ``send_c_cancel`` wait for nobody.

    The flags ``is_established``, ``is_rejected``, ``is_released`` and ``is_aborted`` tell its
    stage, ``failure`` the reason. A request on an association that is not established raises
    LocalProtocolError, one without an accepted presentation context ContextNotAcceptedError.

    ```python
    from pydicom.dataset import Dataset

    from dicomquest import AE
    from dicomquest.sop_class import StudyRootQueryRetrieveInformationModelFind as STUDY_ROOT


    def print_studies(host: str, port: int, patient_id: str) -> None:
        ae = AE()
        ae.add_requested_context(STUDY_ROOT)
        query = Dataset()
        query.QueryRetrieveLevel = "STUDY"
        query.PatientID = patient_id
        query.StudyInstanceUID = None
        with ae.associate(host, port) as association:
            for status, study in association.send_c_find(query, STUDY_ROOT):
                if study is not None:
                    print(study.StudyInstanceUID)
    ```
    """

    def __init__(
        self,
        peer: Peer,
        requestor: Requestor,
        handlers: evt.Handlers | None = None,
        incoming_folder: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(peer, requestor)
        self._handlers = handlers or evt.Handlers()
        self._driver = Driver(requestor, self._take_stores)
        self._sub_operations = SubOperations(incoming_folder)
        self._turns = Turns()
        self._told = LifeStage.REQUESTED

    @property
    def handlers(self) -> evt.Handlers:
        """The handlers that are bound now."""
        return self._handlers

    def open(self) -> None:
        """Connect and negotiate; the flags and ``failure`` tell the outcome."""
        try:
            self._open()
        except BaseException:
            # Ctrl-C, or a handler that ends the program: nobody gets the association to end it.
            self.abort()
            raise

    def _open(self) -> None:
        try:
            self._local_address = self._driver.connect(self._peer)
        except (OSError, ValueError) as error:  # ValueError: a host name that is none
            reason = getattr(error, "strerror", None) or error
            self._requestor.fail_connection(f"no connection to {self._peer}: {reason}")
            self._tell()
            return
        self._handlers.notify(
            evt.Event(self, evt.EVT_CONN_OPEN, address=(self._peer.host, self._peer.port))
        )
        self._handlers.notify(evt.Event(self, evt.EVT_REQUESTED))
        self._requestor.connected()
        self._run(self._requestor.establish())

    def release(self) -> None:
        """End the association in good order (PS3.8 7.2); a running query is cancelled first."""
        if self.is_established:
            # Patience has an end: then another thread's query is cancelled, too.
            with suppress(LocalProtocolError), self._turn():
                pass
        self._run(self._requestor.release())

    def abort(self) -> None:
        """End the association now, with A-ABORT (PS3.8 7.3); outstanding requests fail."""
        self._run(self._requestor.abort())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exception_type: type[BaseException] | None, *_: object) -> None:
        # GeneratorExit is no failure: the loop over a generator with this association was left.
        if exception_type is None or issubclass(exception_type, AssociationError | GeneratorExit):
            self.release()
        else:
            self.abort()

    def send_c_echo(self, msg_id: int = 1) -> Dataset:
        """Send a C-ECHO (PS3.7 9.1.5), and return the status of the response.

        The Dataset has Status (0000,0900), and the elements that explain it. It is empty if the
        association ended before the response.
        """
        from pydicom.dataset import Dataset

        from dicomquest.services.identifiers import status_data_set

        response = self.echo(msg_id)
        return Dataset() if response is None else status_data_set(response)

    def echo(self, message_id: int = 1) -> Response | None:
        """Send a C-ECHO, and return the response as it was received.

        None if the association ended before it. Needs no pydicom.
        """
        with self._turn():
            context = self._requestor.context_for(VERIFICATION.uid)
            response = self._run(self._requestor.echo(context, message_id=message_id))
        return None if response is None else response.command

    def send_c_find(
        self, dataset: Dataset, query_model: str, msg_id: int = 1, priority: int = 2
    ) -> Iterator[tuple[Dataset, Dataset | None]]:
        """Send a query now (PS3.7 9.1.2), and yield its responses as (status, identifier).

        ``dataset`` is the identifier, ``query_model`` the SOP class UID, ``msg_id`` the Message ID;
        ``priority`` is 0 medium, 1 high or 2 low. Pending statuses (FF00, FF01) have an identifier,
        unless it cannot be read; the final status has None. An empty status comes last if the
        association ended before the final response.

        Leaving the loop early is fine: the query is cancelled before the association is used again.
        DataSetError or ValueFormatError for an identifier that cannot be encoded.
        """
        from dicomquest.services.identifiers import read_response

        # No generator function: that would send the query when the first response is asked for.
        find = partial(self._requestor.find, message_id=msg_id, priority=priority)
        rows = self._ask(dataset, query_model, find)
        return (read_response(response)[:2] for response in _apart(rows))

    def responses(self, dataset: Dataset, query_model: str) -> Iterator[ResponseReceived | None]:
        """Send a query now, and yield its responses as they were received, the final one last.

        None comes last if the association ended before that. Otherwise as ``send_c_find``.
        """
        return _apart(self.rows_of_responses(dataset, query_model))

    def rows_of_responses(
        self, dataset: Dataset, query_model: str
    ) -> Iterator[ResponseReceived | ResponsesReceived | None]:
        """Send a query now, as ``responses``; Pending ones that came in a row come as one."""
        return self._ask(dataset, query_model, partial(self._requestor.find, priority=2))

    def send_c_get(
        self, dataset: Dataset, query_model: str, msg_id: int = 1, priority: int = 2
    ) -> Iterator[tuple[Dataset, Dataset | None]]:
        """Ask now for instances over this association (PS3.7 9.1.3), and yield the responses.

        The peer sends the instances by C-STORE requests, which the handler of EVT_C_STORE answers
        while the responses are read. That needs a presentation context for each storage class, with
        the SCP role: ``ext_neg=[build_role(uid, scp_role=True)]``.

        Each response is (status, identifier). The status has Number of Remaining, Completed, Failed
        and Warning Sub-operations, where the peer sent them. The identifier is None, but for a
        final status with a Failed SOP Instance UID List. Arguments and errors are those of
        ``send_c_find``; ``retrieve_timeout`` bounds the wait for an instance or a response.
        """
        retrieve = partial(self._requestor.retrieve, message_id=msg_id, priority=priority)
        from dicomquest.services.identifiers import read_retrieve_response

        rows = self._ask(dataset, query_model, retrieve, "C-GET", "responses")
        return map(read_retrieve_response, _apart(rows))

    def send_c_move(
        self,
        dataset: Dataset,
        move_aet: str,
        query_model: str,
        msg_id: int = 1,
        priority: int = 2,
    ) -> Iterator[tuple[Dataset, Dataset | None]]:
        """Ask the peer now to send instances to another AE (PS3.7 9.1.4), and yield the responses.

        ``move_aet`` is the title of that AE, which the peer must know. All else is as in
        ``send_c_get``; the instances do not come over this association.
        """
        retrieve = partial(
            self._requestor.retrieve,
            destination=move_aet,
            message_id=msg_id,
            priority=priority,
        )
        from dicomquest.services.identifiers import read_retrieve_response

        rows = self._ask(dataset, query_model, retrieve, "C-MOVE", "responses")
        return map(read_retrieve_response, _apart(rows))

    def send_c_store(
        self,
        dataset: Dataset | str | os.PathLike[str],
        msg_id: int = 1,
        priority: int = 2,
        originator_aet: str | None = None,
        originator_id: int | None = None,
    ) -> Dataset:
        """Send an instance (PS3.7 9.1.1), and return the status of the response.

        ``dataset`` is a Dataset or the path of a file. A file is sent as it is, while it is read.
        Only if the peer did not accept its transfer syntax, an uncompressed one changes its form
        between explicit and implicit VR. ``originator_aet`` and ``originator_id`` are the AE title
        and the Message ID of the C-MOVE that asked for the instance.

        The status is empty if the association ended before the response. DataSetError for an
        instance that cannot be sent, OSError for a file that cannot be read.
        """
        from pydicom.dataset import Dataset

        from dicomquest.services.identifiers import status_data_set

        with self._turn():
            response = self._store(dataset, msg_id, priority, originator_aet, originator_id)
        return Dataset() if response is None else status_data_set(response.command)

    def _exchange(
        self, request: NormalizedRQ, dataset: Dataset, meta_uid: str | None
    ) -> ResponseReceived | None:
        from dicomquest.services.identifiers import encode_request

        with self._turn():
            context = self._requestor.context_for(meta_uid or request.affected_sop_class_uid)
            attributes = encode_request(dataset, context.transfer_syntax)
            return self._run(self._requestor.exchange(context, request, attributes))

    def send_c_cancel(
        self, msg_id: int, context_id: int | None = None, query_model: str | None = None
    ) -> None:
        """Send a C-CANCEL for the query with this Message ID; its final response still comes.

        The query knows its context: pynetdicom's users give ``context_id`` or ``query_model``, and
        the latter is checked. Nothing is sent if the query has ended, or never was.
        """
        del context_id
        self._look()
        with self._driver.lock:
            self._requestor.check_established()
            if query_model is not None:
                self._requestor.context_for(query_model)
            self._requestor.cancel(msg_id)
            self._driver.send()

    def cancel_all(self) -> None:
        """Send a C-CANCEL for each running query; any thread may, and it waits for nobody."""
        with self._driver.lock:
            self._requestor.cancel(None)
            self._driver.send()

    def _store(
        self,
        dataset: Dataset | str | os.PathLike[str],
        message_id: int,
        priority: int,
        originator_aet: str | None,
        originator_id: int | None,
    ) -> ResponseReceived | None:
        from dicomquest.scu.outgoing import prepare

        outgoing = prepare(dataset, self._requestor.context_to_store)
        originator = None if originator_aet is None else (originator_aet, originator_id or 0)
        operation = self._run(
            self._requestor.store(
                outgoing.context,
                outgoing.sop_instance_uid,
                message_id=message_id,
                priority=priority,
                originator=originator,
            )
        )
        try:
            for part, is_last in outgoing.parts:
                self._requestor.send_data(part, is_last=is_last)
                self._driver.send()
        except BaseException:
            # The protocol has no other end for a message without its last fragment.
            self.abort()
            raise
        return self._run(self._requestor.response(operation))

    def _ask(
        self,
        dataset: Dataset,
        query_model: str,
        send: Callable[[AcceptedContext, bytes], Flow[Operation]],
        name: str = "C-FIND",
        what: str = "matches",
    ) -> Iterator[ResponseReceived | ResponsesReceived | None]:
        """Send a query or retrieve, and return its responses, the final one or None last."""
        from dicomquest.services.identifiers import encode_request

        turn = self._turns.take(self._requestor.timeouts.dimse)
        try:
            self._look()
            context = self._requestor.context_for(query_model)
            identifier = encode_request(dataset, context.transfer_syntax)
            operation = self._run(send(context, identifier))
        except BaseException:
            self._turns.give_back(turn)
            raise
        turn.operation = operation
        responses = self._receive_responses(operation, turn, name, what)
        # To its first yield: a generator that has not begun would not give its turn back.
        next(responses)
        return responses

    def _receive_responses(
        self, operation: Operation, turn: Turn, name: str, what: str
    ) -> Iterator[ResponseReceived | ResponsesReceived | None]:
        try:
            yield None
            inbox = operation.inbox
            is_pending = True
            count = 0
            while is_pending:
                has_come = bool(inbox)
                if not has_come:
                    has_come = self._run(self._requestor.arrival(operation))
                    if operation.is_answered:
                        # The rest is here: the next thread need not wait until it is read.
                        self._turns.give_back(turn)
                response = inbox.popleft() if has_come else None
                is_pending = response is not None and response.command.status in PENDING
                if isinstance(response, ResponsesReceived):
                    count += len(response.data_sets)
                elif is_pending:
                    count += 1
                else:
                    status = "none" if response is None else in_words(response.command.status)
                    LOGGER.debug(
                        "%s %d: %d %s, status %s", name, operation.message_id, count, what, status
                    )
                yield response
        finally:
            self._turns.give_back(turn)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Hold the turn of this thread for one request."""
        turn = self._turns.take(self._requestor.timeouts.dimse)
        try:
            self._look()
            yield
        finally:
            self._turns.give_back(turn)

    def _log_negotiation(self) -> None:
        if LOGGER.isEnabledFor(logging.DEBUG):
            LOGGER.debug("association with %s: the peer is %s", self._peer, self.acceptor)
            for context in (*self.accepted_contexts, *self.rejected_contexts):
                words = str(context).replace("\n", "; ")
                LOGGER.debug("association with %s: %s", self._peer, words)

    def _run(self, flow: Flow[T]) -> T:
        """Drive a flow to its result, and tell the handlers what has happened."""
        try:
            return self._driver.run(flow)
        finally:
            # Of an end that a flow met, too: it raises then, because it cannot go on.
            self._tell()

    def _look(self) -> None:
        # Without a thread nobody else reads the socket between two requests.
        if self._driver.look():
            self._tell()

    def _take_stores(self) -> None:
        """Take what has arrived of instances, and answer those that are whole."""
        stores = self._requestor.stores
        while stores:
            if self._requestor.stage is not LifeStage.ESTABLISHED:
                stores.clear()
                self._sub_operations.end()
                return
            store = stores[0]
            with self._driver.lock:
                parts, is_whole = store.take_parts(), store.is_whole
            self._sub_operations.take(store, parts, is_whole=is_whole)
            if not is_whole:
                return
            # Before the handler is called: after its Ctrl-C it must not be called again.
            stores.popleft()
            self._answer_store(store)

    def _answer_store(self, store: IncomingStore) -> None:
        sub_operations = self._sub_operations
        answer = NO_HANDLER
        try:
            for bound in self._handlers.bound(evt.EVT_C_STORE):
                outcome = None
                with evt.guarded("EVT_C_STORE") as guard:
                    if (event := sub_operations.event(self, store)) is not None:
                        outcome = bound(event)
                answer = sub_operations.answer(outcome, guard.failure, store)
        finally:
            sub_operations.end()
            with self._driver.lock:
                self._requestor.answer(store, answer)

    def _tell(self) -> None:
        """Tell the handlers of a new stage, once, and close a connection that is over."""
        news: list[evt.Event] = []
        with self._driver.lock:
            stage = self._requestor.stage
            if self._requestor.ac is not None and self._told is LifeStage.REQUESTED:
                news.append(evt.Event(self, evt.EVT_ACCEPTED))
                self._log_negotiation()
            if stage is not self._told:
                self._told = stage
                failure = self._requestor.failure
                LOGGER.info(
                    "association with %s: %s%s",
                    self._peer,
                    stage.value,
                    f": {failure}" if failure else "",
                )
                news.append(evt.Event(self, NOTIFICATIONS[stage]))
            if self._driver.close_if_over():
                address = (self._peer.host, self._peer.port)
                news.append(evt.Event(self, evt.EVT_CONN_CLOSE, address=address))
        # Not under the lock: a handler may wait for another thread that uses the association.
        for event in news:
            self._handlers.notify(event)


def _apart(
    rows: Iterator[ResponseReceived | ResponsesReceived | None],
) -> Iterator[ResponseReceived | None]:
    for row in rows:
        if isinstance(row, ResponsesReceived):
            yield from row.apart()
        else:
            yield row
