"""The asyncio SCU: the blocking one's association, for programs with an event loop (PS3.7 9.1)."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from typing import Any, Self, TypeVar

from pydicom.dataset import Dataset

from dicomquest import evt
from dicomquest.aio.containment import contained
from dicomquest.aio.handler_kinds import is_async
from dicomquest.aio.instance_requests import InstanceRequests
from dicomquest.dimse.commands import NormalizedRQ
from dicomquest.dimse.events import ResponseReceived, ResponsesReceived
from dicomquest.errors import AssociationAbortedError, AssociationError
from dicomquest.scu.association import RequestedAssociation
from dicomquest.scu.incoming_store import IncomingStore
from dicomquest.scu.outgoing import prepare
from dicomquest.scu.peer_address import Peer
from dicomquest.scu.peer_socket import OWN_PORT_PATIENCE, bound_socket
from dicomquest.scu.requestor import Flow, Operation, Requestor
from dicomquest.scu.sub_operations import NO_HANDLER, SubOperations
from dicomquest.services.identifiers import (
    encode_request,
    read_response,
    read_retrieve_response,
    status_data_set,
)
from dicomquest.services.life_cycle import LifeStage
from dicomquest.standard.sop_classes import VERIFICATION
from dicomquest.standard.statuses import PENDING
from dicomquest.ul.negotiation import AcceptedContext

LOGGER = logging.getLogger("dicomquest.scu")

T = TypeVar("T")

RECEIVE_SIZE = 256 * 1024
"""Bytes asked of the stream at a time: some hundred responses."""

Responses = AsyncGenerator[tuple[Dataset, Dataset | None], None]
Rows = AsyncGenerator[ResponseReceived | ResponsesReceived, None]
Send = Callable[[AcceptedContext, bytes], Flow[Operation]]
"""The flow that sends a query or retrieve: its context and its encoded identifier are given."""


class AsyncAssociation(RequestedAssociation, InstanceRequests, evt.HasHandlers):
    """An association as requestor, in an event loop.

    Tasks may share it, but a new request cuts off another task's query that is not read to its end:
    that raises LocalProtocolError then.

    ``AE.associate_async`` makes one. As a context manager it is released at the end, or aborted if
    an error that is not of an association passes. It is used as ``dicomquest.Association`` is, with
    ``await`` and ``async for``:

    ```python
    import asyncio

    from pydicom.dataset import Dataset

    from dicomquest import AE
    from dicomquest.sop_class import StudyRootQueryRetrieveInformationModelFind as STUDY_ROOT


    async def print_studies(host: str, port: int, patient_id: str) -> None:
        ae = AE()
        ae.add_requested_context(STUDY_ROOT)
        query = Dataset()
        query.QueryRetrieveLevel = "STUDY"
        query.PatientID = patient_id
        query.StudyInstanceUID = None
        async with await ae.associate_async(host, port) as association:
            async for status, study in association.send_c_find(query, STUDY_ROOT):
                if study is not None:
                    print(study.StudyInstanceUID)
    ```
    """

    _reader: asyncio.StreamReader | None = None
    _writer: asyncio.StreamWriter | None = None

    def __init__(
        self,
        peer: Peer,
        requestor: Requestor,
        handlers: evt.Handlers | None = None,
        incoming_folder: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(peer, requestor)
        self._handlers = handlers or evt.Handlers()
        self._sub_operations = SubOperations(incoming_folder)
        # The task that drives the session, while it has a handler called.
        self._handling: asyncio.Task[Any] | None = None
        # Held by the task that drives the session: a stream has one reader at a time.
        self._driving = asyncio.Lock()

    @property
    def handlers(self) -> evt.Handlers:
        """The handlers that are bound now; EVT_C_STORE is the event that they are asked for."""
        return self._handlers

    async def open(self) -> None:
        """Connect and negotiate; the flags and ``failure`` tell the outcome."""
        peer = self._peer
        try:
            async with asyncio.timeout(self._requestor.timeouts.connect):
                self._reader, self._writer = await asyncio.open_connection(
                    **await _address(peer),
                    ssl=peer.ssl_context,
                    # asyncio refuses a name without TLS.
                    server_hostname=peer.server_hostname if peer.ssl_context is not None else None,
                    limit=RECEIVE_SIZE,
                )
        except (OSError, ValueError) as error:  # ValueError: a host name that is none
            # A TimeoutError of asyncio has no words.
            self._requestor.fail_connection(f"no connection to {peer}: {str(error) or 'timed out'}")
            return
        connection = self._writer.get_extra_info("socket")
        # Without it a peer's delayed acknowledgement costs a small query 40 ms.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._local_address = self._writer.get_extra_info("sockname")[:2]
        self._requestor.connected()
        await self._run(self._requestor.establish())
        LOGGER.info("association with %s: %s", peer, self._requestor.stage.value)

    async def release(self) -> None:
        """End the association in good order (PS3.8 7.2); a running query is cancelled first."""
        await self._run(self._requestor.release())

    async def abort(self) -> None:
        """End the association now, with A-ABORT (PS3.8 7.3); outstanding requests fail."""
        if self._driving.locked():
            # The task that waits for the peer hears of the end, and closes the connection.
            for _ in self._requestor.abort():
                pass
            await self._send()
        if self._handling is None or self._handling is not asyncio.current_task():
            await self._run(self._requestor.abort())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, exception_type: type[BaseException] | None, *_: object) -> None:
        # GeneratorExit is no failure: the loop over a generator with this association was left.
        if exception_type is None or issubclass(exception_type, AssociationError | GeneratorExit):
            await self.release()
        else:
            await self.abort()

    async def send_c_echo(self, msg_id: int = 1) -> Dataset:
        """Send a C-ECHO (PS3.7 9.1.5), and return the status of the response.

        The Dataset is empty if the association ended before the response.
        """
        self._look()
        context = self._requestor.context_for(VERIFICATION.uid)
        response = await self._run(self._requestor.echo(context, message_id=msg_id))
        return Dataset() if response is None else status_data_set(response.command)

    async def send_c_find(
        self, dataset: Dataset, query_model: str, msg_id: int = 1, priority: int = 2
    ) -> Responses:
        """Send a query (PS3.7 9.1.2), and yield its responses as (status, identifier).

        As ``dicomquest.Association.send_c_find`` does, with its errors; but nothing is sent before
        the first response is asked for. Leaving the loop early cancels the query before the
        association is used again.
        """
        find = partial(self._requestor.find, message_id=msg_id, priority=priority)
        operation = await self._ask(dataset, query_model, find)
        is_pending = True
        while is_pending:
            inbox = operation.inbox
            response = (
                operation.take() if inbox else await self._run(self._requestor.response(operation))
            )
            status, found, is_pending = read_response(response)
            yield status, found

    def context_for(self, abstract_syntax: str) -> AcceptedContext:
        """Return the context to use as SCU; ContextNotAcceptedError if the peer accepted none."""
        return self._requestor.context_for(abstract_syntax)

    async def find_rows(self, identifier: bytes, context: AcceptedContext) -> Rows:
        """Send an encoded query, and yield its responses as they arrive, Pending ones in rows.

        AssociationAbortedError if the association ends before the final response.
        """
        operation = await self._run(self._requestor.find(context, identifier))
        while await self._run(self._requestor.arrival(operation)):
            response = operation.inbox.popleft()
            yield response
            if operation.is_answered and not operation.inbox:
                return
        raise self._requestor.failure or AssociationAbortedError("the association ended")

    async def settle(self) -> None:
        """Cancel a query that is not read to its end, and wait for its final response."""
        await self._run(self._requestor.settle())

    async def send_c_get(
        self, dataset: Dataset, query_model: str, msg_id: int = 1, priority: int = 2
    ) -> Responses:
        """Ask for instances over this association, and yield the responses (PS3.7 9.1.3).

        As ``dicomquest.Association.send_c_get`` does; but nothing is sent before the first response
        is asked for. The handler of EVT_C_STORE may be a coroutine; another one has a thread.
        """
        retrieve = partial(self._requestor.retrieve, message_id=msg_id, priority=priority)
        async with aclosing(self._retrieve(dataset, query_model, retrieve)) as responses:
            async for response in responses:
                yield response

    async def send_c_move(
        self,
        dataset: Dataset,
        move_aet: str,
        query_model: str,
        msg_id: int = 1,
        priority: int = 2,
    ) -> Responses:
        """Ask the peer to send instances to another AE, and yield the responses (PS3.7 9.1.4).

        As ``dicomquest.Association.send_c_move`` does; but nothing is sent before the first
        response is asked for.
        """
        retrieve = partial(
            self._requestor.retrieve, destination=move_aet, message_id=msg_id, priority=priority
        )
        async with aclosing(self._retrieve(dataset, query_model, retrieve)) as responses:
            async for response in responses:
                yield response

    async def _retrieve(self, dataset: Dataset, query_model: str, send: Send) -> Responses:
        operation = await self._ask(dataset, query_model, send)
        status, failed = await self._retrieve_response(operation)
        while status.get("Status") == PENDING:
            yield status, failed
            status, failed = await self._retrieve_response(operation)
        yield status, failed

    async def _retrieve_response(self, operation: Operation) -> tuple[Dataset, Dataset | None]:
        return read_retrieve_response(await self._run(self._requestor.response(operation)))

    async def _ask(self, dataset: Dataset, query_model: str, send: Send) -> Operation:
        """Send a query or retrieve."""
        self._look()
        context = self._requestor.context_for(query_model)
        return await self._run(send(context, encode_request(dataset, context.transfer_syntax)))

    async def send_c_store(
        self,
        dataset: Dataset | str | os.PathLike[str],
        msg_id: int = 1,
        priority: int = 2,
        originator_aet: str | None = None,
        originator_id: int | None = None,
    ) -> Dataset:
        """Send an instance, a Dataset or the path of a file, and return the status of the response.

        Arguments and errors are those of ``dicomquest.Association.send_c_store``. A file is read in
        a thread. A task that is cancelled while it sends aborts the association, because the
        protocol has no other end for a message without its last fragment.
        """
        self._look()
        outgoing = await asyncio.to_thread(prepare, dataset, self._requestor.context_to_store)
        originator = None if originator_aet is None else (originator_aet, originator_id or 0)
        operation = await self._run(
            self._requestor.store(
                outgoing.context,
                outgoing.sop_instance_uid,
                message_id=msg_id,
                priority=priority,
                originator=originator,
            )
        )
        try:
            while (following := await asyncio.to_thread(next, outgoing.parts, None)) is not None:
                part, is_last = following
                self._requestor.send_data(part, is_last=is_last)
                await self._send()
        except BaseException:
            await self.abort()
            raise
        response = await self._run(self._requestor.response(operation))
        return Dataset() if response is None else status_data_set(response.command)

    async def _exchange(
        self, context: AcceptedContext, request: NormalizedRQ, attributes: bytes
    ) -> ResponseReceived | None:
        return await self._run(self._requestor.exchange(context, request, attributes))

    async def send_c_cancel(self, msg_id: int) -> None:
        """Send a C-CANCEL for the query with this Message ID; its final response still comes."""
        self._requestor.cancel(msg_id)
        await self._send()

    async def _run(self, flow: Flow[T]) -> T:
        """Drive a flow to its result: send, receive, resume.

        If the association is over then, wait until the peer has closed the connection, too.
        """
        async with self._driving:
            try:
                while True:
                    await self._take_stores()
                    try:
                        next(flow)
                    except StopIteration as end:
                        result: T = end.value
                        break
                    await self._send()
                    await self._receive()
                await self._send()
                while self._requestor.is_ending:
                    await self._receive()
            finally:
                # After an end that a flow met, too: it raises then, because it cannot go on.
                await self._close_if_over()
        return result

    def _look(self) -> None:
        requestor = self._requestor
        if (
            self._reader is None
            or self._writer is None
            or self._driving.locked()
            or requestor.stage is LifeStage.REQUESTED
            or requestor.has_unread_responses
            or any(store.parts for store in requestor.stores)
            or (data := _read_now(self._reader)) is None
        ):
            return
        self._take(data)
        if requestor.stage is not LifeStage.ESTABLISHED:
            self._writer.write(requestor.data_to_send())
            self._writer.close()
            self._writer = self._reader = None
            requestor.receive_eof()

    async def _take_stores(self) -> None:
        """Take what has arrived of instances, and answer those that are whole."""
        stores = self._requestor.stores
        while stores:
            store = stores[0]
            parts, is_whole = store.take_parts(), store.is_whole
            take = partial(self._sub_operations.take, store, parts, is_whole=is_whole)
            if self._sub_operations.folder is None:
                take()
            else:
                await asyncio.to_thread(take)
            if not is_whole:
                return
            # Before the handler is called: if that is cancelled it must not be called again.
            stores.popleft()
            await self._answer_store(store)

    async def _answer_store(self, store: IncomingStore) -> None:
        sub_operations = self._sub_operations
        answer = NO_HANDLER
        self._handling = asyncio.current_task()
        try:
            for bound in self._handlers.bound(evt.EVT_C_STORE):
                outcome = None
                with contained("EVT_C_STORE") as guard:
                    if (event := sub_operations.event(self, store)) is None:
                        pass
                    elif is_async(bound.function):
                        outcome = await bound(event)
                    else:
                        outcome = await asyncio.to_thread(bound, event)
                answer = sub_operations.answer(outcome, guard.failure, store)
        finally:
            self._handling = None
            sub_operations.end()
            self._requestor.answer(store, answer)
        await self._send()

    async def _send(self) -> None:
        data = self._requestor.data_to_send()
        if not data or self._writer is None:
            return
        try:
            self._writer.write(data)
            async with asyncio.timeout(self._requestor.timeouts.write):
                await self._writer.drain()
        except OSError as error:
            self._requestor.receive_eof(f"the connection is lost: {error}")

    async def _receive(self) -> None:
        if self._reader is None:
            return
        try:
            async with asyncio.timeout(self._requestor.seconds_left()):
                data = await self._reader.read(RECEIVE_SIZE)
        except TimeoutError:
            self._requestor.expire()
        except OSError as error:
            self._requestor.receive_eof(f"the connection is lost: {error}")
        else:
            self._take(data)

    def _take(self, data: bytes) -> None:
        if data:
            self._requestor.receive_data(data)
        else:
            self._requestor.receive_eof()

    async def _close_if_over(self) -> None:
        if self._writer is None or not self._requestor.session.should_close:
            return
        # An instance may have begun to arrive.
        self._requestor.stores.clear()
        self._sub_operations.end()
        reader, writer, self._writer, self._reader = self._reader, self._writer, None, None
        try:
            if reader is not None and self._peer.has_own_port and writer.can_write_eof():
                # The address is not free before the peer has closed its end, too.
                writer.write_eof()
                async with asyncio.timeout(OWN_PORT_PATIENCE):
                    await reader.read()
        except OSError as error:
            LOGGER.debug("waiting for the end of the connection with %s: %s", self._peer, error)
        finally:
            writer.close()
        try:
            await writer.wait_closed()
        except OSError as error:
            LOGGER.debug("closing the connection with %s: %s", self._peer, error)


def _read_now(reader: asyncio.StreamReader) -> bytes | None:
    """Return what has arrived: None for nothing yet, b"" for the end of the connection."""
    reading = reader.read(RECEIVE_SIZE)
    try:
        # A coroutine that need not wait ends at its first step.
        reading.send(None)
    except StopIteration as end:
        data: bytes = end.value
        return data
    except OSError:
        return b""
    reading.close()
    return None


async def _address(peer: Peer) -> dict[str, Any]:
    """Return the way to a peer: its address, or a socket connected to it from the address asked."""
    if peer.bind_address is None:
        return {"host": peer.host, "port": peer.port}
    loop = asyncio.get_running_loop()
    failure: OSError | None = None
    for family, kind, protocol, _, resolved in await loop.getaddrinfo(
        peer.host, peer.port, type=socket.SOCK_STREAM
    ):
        try:
            connected = bound_socket(family, kind, protocol, peer.bind_address)
        except OSError as error:
            failure = error
            continue
        connected.setblocking(False)
        try:
            await loop.sock_connect(connected, resolved)
        except OSError as error:
            connected.close()
            failure = error
        except BaseException:
            connected.close()
            raise
        else:
            return {"sock": connected}
    raise failure or OSError(f"{peer.host} has no address")
