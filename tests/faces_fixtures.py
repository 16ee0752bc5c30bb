"""Associations over real sockets: our server in a thread, our SCU, and a peer on a raw socket on either side."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any

from pydicom.dataset import Dataset

from dicomquest import AE, evt
from dicomquest.ae.background import RunningServer
from dicomquest.dimse.commands import CFindRQ, Command, decode_command, encode_command
from dicomquest.pdu.items import PresentationContextRQ
from dicomquest.pdu.pdus import COMMAND, LAST, PDU, AAssociateRQ, PDataTF, PresentationDataValue, encode
from dicomquest.pdu.reader import PduReader
from dicomquest.pdu.user_information import UserInformation
from dicomquest.sync import Association
from dicomquest.ul.negotiation import AcceptorPolicy, SupportedSyntax, negotiate
from timing import LONG

VERIFICATION = "1.2.840.10008.1.1"
PATIENT_ROOT = "1.2.840.10008.5.1.4.1.2.1.1"
STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2.1"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"

HOST = "127.0.0.1"
IDENTIFIER = bytes.fromhex("0800 5200 0800 0000") + b"PATIENT " + bytes.fromhex("1000 1000 0000 0000")
"""QueryRetrieveLevel PATIENT and PatientName without a value, in Implicit VR Little Endian."""


def data_set(**elements: Any) -> Dataset:
    """Make a Dataset of elements by keyword."""
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def patients(count: int) -> Iterator[tuple[int, Dataset]]:
    """The Pending responses of so many patients, named 0, 1, 2 and so on."""
    for number in range(count):
        yield 0xFF00, data_set(QueryRetrieveLevel="PATIENT", PatientName=str(number))


QUERY = data_set(QueryRetrieveLevel="PATIENT", PatientName="*")


def scp() -> AE:
    """An AE that supports Verification and both roots, and is patient enough for any test."""
    ae = AE("SCP")
    for uid in (VERIFICATION, PATIENT_ROOT, STUDY_ROOT):
        ae.add_supported_context(uid)
    return ae


def scu() -> AE:
    """An AE that asks for Verification and Patient Root."""
    ae = AE("SCU")
    ae.add_requested_context(VERIFICATION)
    ae.add_requested_context(PATIENT_ROOT)
    return ae


@contextlib.contextmanager
def serving(
    handler: Callable[..., Any] | None = None, *bindings: evt.Binding, ae: AE | None = None, **more: Any
) -> Iterator[int]:
    """Serve with a handler for C-FIND, and give the port."""
    own: list[evt.Binding] = [(evt.EVT_C_FIND, handler)] if handler is not None else []
    with running(*own, *bindings, ae=ae, **more) as server:
        yield server.server_address[1]


@contextlib.contextmanager
def running(*bindings: evt.Binding, ae: AE | None = None, **more: Any) -> Iterator[RunningServer]:
    """Serve with handlers, and give the server."""
    server = (ae or scp()).start_server((HOST, 0), block=False, evt_handlers=bindings, **more)
    try:
        yield server
    finally:
        server.shutdown()


@contextlib.contextmanager
def associated(port: int, ae: AE | None = None, **more: Any) -> Iterator[Association]:
    """An association that is established, and released in the end if it still is."""
    association = (ae or scu()).associate(HOST, port, **more)
    assert association.is_established, association.failure
    with association:
        yield association


def names(responses: Iterable[tuple[Dataset, Dataset | None]]) -> list[str]:
    """The patients' names of the Pending responses."""
    return [str(identifier.PatientName) for _, identifier in responses if identifier is not None]


def statuses(responses: Iterable[tuple[Dataset, Dataset | None]]) -> list[int | None]:
    """The statuses of responses; None where the association ended instead."""
    return [status.get("Status") for status, _ in responses]


RQ = AAssociateRQ(
    "SCP",
    "RAW",
    (PresentationContextRQ(1, VERIFICATION, (IMPLICIT,)), PresentationContextRQ(3, PATIENT_ROOT, (IMPLICIT,))),
    UserInformation(),
)


class RawPeer:
    """A peer that sends and receives what the test says, PDU by PDU."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.socket.settimeout(LONG)
        self._reader = PduReader(1 << 20, 1 << 27)

    def send(self, *pdus: PDU | bytes) -> None:
        """Send PDUs, or bytes as they are."""
        self.socket.sendall(b"".join(pdu if isinstance(pdu, bytes) else encode(pdu) for pdu in pdus))

    def receive(self) -> PDU | None:
        """Receive the next PDU; None at the end of the connection."""
        while (pdu := self._reader.next_pdu()) is None:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._reader.feed(data)
        return pdu

    def send_command(self, command: Command, identifier: bytes = b"", context_id: int = 3) -> None:
        """Send a message, each of its parts in one PDU."""
        self.send(PDataTF((PresentationDataValue(context_id, COMMAND | LAST, encode_command(command)),)))
        if identifier:
            self.send(PDataTF((PresentationDataValue(context_id, LAST, identifier),)))

    def receive_command(self) -> Command:
        """Receive the next message, whose command set is in one fragment, and its data set."""
        command: Command | None = None
        while isinstance(pdu := self.receive(), PDataTF):
            for pdv in pdu.pdvs:
                if pdv.is_command:
                    command = decode_command(pdv.fragment)
                if command is not None and pdv.is_last and pdv.is_command is not command.has_data_set:
                    return command
        raise AssertionError(f"{pdu} instead of a message")

    def accept(self) -> AAssociateRQ:
        """Accept the association that is asked for, with all its contexts."""
        rq = self.receive()
        assert isinstance(rq, AAssociateRQ)
        supported = {context.abstract_syntax: SupportedSyntax((IMPLICIT,)) for context in rq.presentation_contexts}
        self.send(negotiate(rq, AcceptorPolicy(supported)))
        return rq

    def send_find(self, message_id: int = 1, identifier: bytes = IDENTIFIER) -> None:
        """Ask for all patients."""
        self.send_command(CFindRQ(message_id=message_id, affected_sop_class_uid=PATIENT_ROOT), identifier)


@contextlib.contextmanager
def raw_requestor(port: int, rq: AAssociateRQ | None = RQ) -> Iterator[RawPeer]:
    """A raw peer that has connected to a server, and has asked for an association and read the answer."""
    with socket.create_connection((HOST, port), timeout=LONG) as connection:
        peer = RawPeer(connection)
        if rq is not None:
            peer.send(rq)
            peer.receive()
        yield peer


@contextlib.contextmanager
def raw_acceptor(serve: Callable[[RawPeer], object]) -> Iterator[int]:
    """A listener whose first connection is handed to ``serve`` in a thread; what that raises fails the test."""
    done: Future[None] = Future()

    def run() -> None:
        try:
            connection, _ = listener.accept()
            with connection:
                serve(RawPeer(connection))
        except BaseException as failure:  # noqa: BLE001 (raised again in the test's thread)
            done.set_exception(failure)
        else:
            done.set_result(None)

    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(LONG)
        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join(LONG)
    done.result(0)
