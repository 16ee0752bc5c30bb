"""The blocking SCU: an association over a socket, driven by whoever calls, without a thread (PS3.7 9.1)."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Self, TypeVar

from dicomquest import evt
from dicomquest.dimse.commands import PENDING, Response
from dicomquest.dimse.events import ResponseReceived
from dicomquest.errors import AssociationError
from dicomquest.scu.association import RequestedAssociation
from dicomquest.scu.requestor import Flow, Operation, Peer, Requestor
from dicomquest.services.life_cycle import LifeStage
from dicomquest.standard.sop_classes import VERIFICATION

# pydicom, and what reads and writes its Datasets, is imported by the methods that have them: it takes 150 ms.
if TYPE_CHECKING:
    import os

    from pydicom.dataset import Dataset

LOGGER = logging.getLogger("dicomquest.scu")

T = TypeVar("T")

RECEIVE_SIZE = 64 * 1024
"""Bytes asked of the socket at once, some hundred responses: of more, most would outlive a garbage collection."""

# What the handlers are told when the association has come to a state.
NOTIFICATIONS: dict[LifeStage, tuple[evt.NotificationEvent, ...]] = {
    LifeStage.REQUESTED: (),
    LifeStage.ESTABLISHED: (evt.EVT_ACCEPTED, evt.EVT_ESTABLISHED),
    LifeStage.REJECTED: (evt.EVT_REJECTED,),
    LifeStage.RELEASED: (evt.EVT_RELEASED,),
    LifeStage.ABORTED: (evt.EVT_ABORTED,),
}


class Association(RequestedAssociation):
    """An association as requestor, in the shape that pynetdicom's users know.

    It has no thread: what the peer sends is read while a method runs. One thread at a time may use it.
    """

    def __init__(
        self, peer: Peer, requestor: Requestor, handlers: evt.Handlers | None = None
    ) -> None:
        super().__init__(peer, requestor)
        self._handlers = handlers or evt.Handlers()
        self._socket: socket.socket | None = None
        self._told = LifeStage.REQUESTED

    # Life.

    def open(self) -> None:
        """Connect and negotiate; what came of it is in the flags and in ``failure``."""
        try:
            self._socket = self._connect()
        except (OSError, ValueError) as error:  # ValueError: a host name that is none
            self._requestor.fail_connection(f"no connection to {self._peer}: {error}")
            self._tell()
            return
        self._local_address = self._socket.getsockname()[:2]
        self._handlers.notify(
            evt.Event(self, evt.EVT_CONN_OPEN, address=(self._peer.host, self._peer.port))
        )
        self._handlers.notify(evt.Event(self, evt.EVT_REQUESTED))
        self._requestor.connected()
        self._run(self._requestor.establish())

    def release(self) -> None:
        """End the association in good order, after a query that is still being answered has been cancelled."""
        self._run(self._requestor.release())

    def abort(self) -> None:
        """End the association now; what is outstanding fails."""
        self._run(self._requestor.abort())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exception_type: type[BaseException] | None, *_: object) -> None:
        if exception_type is None or issubclass(exception_type, AssociationError | GeneratorExit):
            self.release()
        else:
            self.abort()

    # Services.

    def send_c_echo(self, msg_id: int = 1) -> Dataset:
        """Ask whether the peer answers; an empty Dataset means that the association ended before it did."""
        from pydicom.dataset import Dataset

        from dicomquest.services.identifiers import status_data_set

        response = self.echo(msg_id)
        return Dataset() if response is None else status_data_set(response)

    def echo(self, message_id: int = 1) -> Response | None:
        """Ask whether the peer answers, and give its response as it was received: None if there was none."""
        context = self._requestor.context_for(VERIFICATION.uid)
        response = self._run(self._requestor.echo(context, message_id=message_id))
        return None if response is None else response.command

    def send_c_find(
        self, dataset: Dataset, query_model: str, msg_id: int = 1, priority: int = 2
    ) -> Iterator[tuple[Dataset, Dataset | None]]:
        """Send a query now, and give its responses as (status, identifier) while they come.

        An empty status means that the association ended before the final response. Leaving the loop early is fine: the
        query is cancelled before the association is used again.
        """
        from dicomquest.services.identifiers import read_response

        responses = self._receive_responses(self._query(dataset, query_model, msg_id, priority))
        return (read_response(response)[:2] for response in responses)

    def responses(self, dataset: Dataset, query_model: str) -> Iterator[ResponseReceived | None]:
        """Send a query now, and give its responses as they were received; the last one is the final one.

        It is None where the association ended before that. As for leaving the loop, see ``send_c_find``.
        """
        return self._receive_responses(self._query(dataset, query_model, None, 2))

    def send_c_store(
        self,
        dataset: Dataset | str | os.PathLike[str],
        msg_id: int = 1,
        priority: int = 2,
        originator_aet: str | None = None,
        originator_id: int | None = None,
    ) -> Dataset:
        """Send an instance, a Dataset or the path of a file, and give the status of the response.

        A file is read while it is sent, as it is; only where the peer did not accept its transfer syntax, and it is
        uncompressed, its form changes. An empty status means that the association ended before the response.
        ``originator_aet`` and ``originator_id`` are those of the C-MOVE that this belongs to.
        """
        from pydicom.dataset import Dataset

        from dicomquest.scu.outgoing import prepare
        from dicomquest.services.identifiers import status_data_set

        outgoing = prepare(dataset, self._requestor.context_to_store)
        originator = None if originator_aet is None else (originator_aet, originator_id or 0)
        operation = self._run(
            self._requestor.store(
                outgoing.context,
                outgoing.sop_instance_uid,
                message_id=msg_id,
                priority=priority,
                originator=originator,
            )
        )
        try:
            for part, is_last in outgoing.parts:
                self._requestor.send_data(part, is_last=is_last)
                self._send()
        except BaseException:
            self.abort()  # a message without its end leaves no other way
            raise
        response = self._run(self._requestor.response(operation))
        return Dataset() if response is None else status_data_set(response.command)

    def send_c_cancel(
        self, msg_id: int, context_id: int | None = None, query_model: str | None = None
    ) -> None:
        """Ask the peer to stop the query with this Message ID; its final response still comes.

        The query itself says on which context it runs, so neither further argument is needed.
        """
        del context_id, query_model
        self._requestor.cancel(msg_id)
        self._send()

    def _query(
        self, dataset: Dataset, query_model: str, message_id: int | None, priority: int
    ) -> Operation:
        from dicomquest.services.identifiers import encode_request

        context = self._requestor.context_for(query_model)
        identifier = encode_request(dataset, context.transfer_syntax)
        return self._run(
            self._requestor.find(context, identifier, message_id=message_id, priority=priority)
        )

    def _receive_responses(self, operation: Operation) -> Iterator[ResponseReceived | None]:
        inbox = operation.inbox
        is_pending = True
        while is_pending:
            # A turn of the driver takes 3 us, and hundreds of responses come with each.
            response = inbox.popleft() if inbox else self._run(self._requestor.response(operation))
            is_pending = response is not None and response.command.status in PENDING
            yield response

    # Driving.

    def _connect(self) -> socket.socket:
        peer = self._peer
        timeout = self._requestor.timeouts.connect
        connection = socket.create_connection((peer.host, peer.port), timeout, peer.bind_address)
        try:
            # Without it a peer's delayed acknowledgement costs a small query 40 ms.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if peer.ssl_context is not None:
                return peer.ssl_context.wrap_socket(
                    connection, server_hostname=peer.server_hostname
                )
        except BaseException:
            connection.close()
            raise
        return connection

    def _run(self, flow: Flow[T]) -> T:
        """Drive a flow to its result: send, receive, resume; then, if the association is over, to the end of that."""
        while True:
            try:
                next(flow)
            except StopIteration as end:
                result: T = end.value
                break
            self._send()
            self._receive()
        self._send()
        while self._requestor.is_ending:
            self._receive()
        self._tell()
        return result

    def _send(self) -> None:
        data = self._requestor.data_to_send()
        if not data or self._socket is None:
            return
        try:
            self._socket.settimeout(self._requestor.timeouts.write)
            self._socket.sendall(data)
        except OSError as error:
            self._requestor.receive_eof(f"the connection is lost: {error}")

    def _receive(self) -> None:
        if self._socket is None:
            return
        seconds = self._requestor.seconds_left()
        try:
            # Zero would mean not to wait at all, and a passed deadline is still worth a look at what has arrived.
            self._socket.settimeout(None if seconds is None else max(seconds, 0.001))
            data = self._socket.recv(RECEIVE_SIZE)
        except TimeoutError:
            self._requestor.expire()
        except OSError as error:
            self._requestor.receive_eof(f"the connection is lost: {error}")
        else:
            if data:
                self._requestor.receive_data(data)
            else:
                self._requestor.receive_eof()

    def _tell(self) -> None:
        """Tell the handlers what became of the association, once, and close a connection that is over."""
        stage = self._requestor.stage
        if stage is not self._told:
            self._told = stage
            LOGGER.info(
                "association with %s: %s%s",
                self._peer,
                stage.value,
                f": {self.failure}" if self.failure else "",
            )
            for event in NOTIFICATIONS[stage]:
                self._handlers.notify(evt.Event(self, event))
        if self._socket is not None and self._requestor.session.should_close:
            self._socket.close()
            self._socket = None
            self._handlers.notify(
                evt.Event(self, evt.EVT_CONN_CLOSE, address=(self._peer.host, self._peer.port))
            )
