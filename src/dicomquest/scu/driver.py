"""The driver of a requestor on a blocking socket, for threads that share it (PS3.8 9.1.2)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from dicomquest.scu.peer_address import Peer
from dicomquest.scu.peer_socket import PeerSocket
from dicomquest.scu.requestor import Flow, Requestor
from dicomquest.services.life_cycle import LifeStage

T = TypeVar("T")


class Driver:
    """A requestor with its socket: it sends, waits and receives as a flow asks for it.

    ``lock`` is held by a thread that uses the requestor, but not while it waits for the peer: so
    another thread can cancel its query, or abort the association.
    """

    def __init__(self, requestor: Requestor, take_stores: Callable[[], None]) -> None:
        """Drive a requestor; ``take_stores`` answers the C-STORE requests that have arrived."""
        self.lock = threading.RLock()
        self._requestor = requestor
        self._take_stores = take_stores
        self._is_storing = False
        self._socket: PeerSocket | None = None
        # Threads in ``run``. They are counted, because those that wait do not hold the lock.
        self._running = 0

    def connect(self, peer: Peer) -> tuple[str, int]:
        """Connect to a peer, and return this end's (host, port).

        OSError, or ValueError for a host name that is none.
        """
        self._socket = PeerSocket(peer, self._requestor.timeouts.connect)
        return self._socket.own_address

    def run(self, flow: Flow[T]) -> T:
        """Drive a flow to its result: send, receive, resume.

        If the association is over then, wait until the peer has closed the connection, too.
        """
        with self._driven():
            while True:
                self._serve_stores()
                try:
                    next(flow)
                except StopIteration as end:
                    result: T = end.value
                    break
                self.send()
                self._receive()
            self._end_if_over()
        return result

    def look(self) -> bool:
        """Take what has arrived from an idle peer; False if nothing has."""
        # Not while responses wait to be read, because a peer that streams on must wait, too.
        if (
            self._socket is None
            or self._requestor.stage is LifeStage.REQUESTED
            or self._requestor.has_unread_responses
            or any(store.parts for store in self._requestor.stores)
            or not self.lock.acquire(blocking=False)
        ):
            return False
        try:
            # A thread that waits for these bytes would miss them.
            if self._running or not self._take_arrived():
                return False
            with self._driven():
                self._end_if_over()
            return True
        finally:
            self.lock.release()

    def send(self) -> None:
        """Send what the requestor has to send."""
        with self.lock:
            data = self._requestor.data_to_send()
            if not data or self._socket is None:
                return
            try:
                self._socket.send(data, self._requestor.timeouts.write)
            except OSError as error:
                self._requestor.receive_eof(f"the connection is lost: {error}")

    def close_if_over(self) -> bool:
        """Close the connection of an association that is over; False if there is none to close."""
        with self.lock:
            if self._socket is None or not self._requestor.session.should_close:
                return False
            self._socket.close()
            self._socket = None
            return True

    def _serve_stores(self) -> None:
        """Have the peer's instances taken, without the lock: handlers may wait for other threads.

        One thread does so at a time, and not while a handler of its own uses the association.
        """
        if not self._requestor.stores or self._is_storing:
            return
        self._is_storing = True
        self.lock.release()
        try:
            self._take_stores()
        finally:
            self.lock.acquire()
            self._is_storing = False
        self.send()

    @contextmanager
    def _driven(self) -> Iterator[None]:
        with self.lock:
            self._running += 1
            try:
                yield
            finally:
                self._running -= 1

    def _end_if_over(self) -> None:
        # The last turn may have left an A-ABORT or an A-RELEASE-RP.
        self.send()
        while self._requestor.is_ending:
            self._receive()
        if self._requestor.stage is not LifeStage.ESTABLISHED:
            # An instance may have begun to arrive.
            self._serve_stores()

    def _receive(self) -> None:
        """Wait for the peer, without the lock, and take what has arrived."""
        connection = self._socket
        if connection is None:
            return
        seconds = self._requestor.seconds_left()
        self.lock.release()
        try:
            # Bytes that have arrived by now still count, although the deadline has passed.
            has_arrived = connection.wait(seconds)
        finally:
            self.lock.acquire()
        if has_arrived:
            self._take_arrived()
        else:
            self._requestor.expire()

    def _take_arrived(self) -> bool:
        """Take the peer's bytes that are there; False if there are none."""
        # Another thread may have closed the connection while this one waited.
        if self._socket is None:
            return False
        try:
            data = self._socket.receive()
        except OSError as error:
            self._requestor.receive_eof(f"the connection is lost: {error}")
            return True
        if data is None:
            return False
        if data:
            self._requestor.receive_data(data)
        else:
            self._requestor.receive_eof()
        return True
