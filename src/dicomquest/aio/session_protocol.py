"""A session on an asyncio transport: bytes both ways, deadlines, back-pressure (PS3.8 9.1)."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from time import monotonic
from typing import Protocol, cast

from dicomquest.dimse.events import SessionEvent
from dicomquest.dimse.session import Session
from dicomquest.services.access import Certificate
from dicomquest.services.tls import certificate_of

WRITE_BUFFER = 256 * 1024
"""Unsent bytes at which a service has to wait: about one write of 512 responses."""

MOST_UNREAD = 2 * WRITE_BUFFER
"""Unsent bytes at which nothing more of the peer is read.

Services wait at ``WRITE_BUFFER`` while their peer may still send a C-CANCEL. The rest is room for
answers without a service, to refused and unknown commands: a peer that sends such commands and
reads none of the answers has to wait as well.
"""

MOST_JOINED = 2
"""Parts that go out joined, such as a command and a small data set; one alone is not copied."""

LAST_WORDS = 0.5
"""Seconds that the last unsent bytes get when a connection is closed."""

LONG = 1024
"""Bytes of a read above which it is fed to the session piece by piece."""

PIECE = 12
"""PDUs that are fed to the session first; the next piece has twice as many if that was quick.

A PDU costs the same whatever its length, so most instances are one piece.
"""

QUICK = 0.0002
"""Seconds below which a piece was quick."""

LONGEST_TURN = 0.0005
"""Seconds after which a connection with bytes left lets the others have their turn.

One read brings up to 256 KiB, which are five thousand small commands: some tenths of a second, in
which nobody else is answered.
"""

LONGEST_BURST = 0.002
"""Seconds of reads in a row after which a connection lets the others have their turn.

An event loop may read 32 times before it looks at the next connection.
"""

_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux alone has it


class SessionOwner(Protocol):
    """The association whose session it is."""

    def connected(self) -> None:
        """Begin: the transport is there, and no byte has been read."""

    def take(self, event: SessionEvent) -> None:
        """React to an event of the session, without waiting."""

    def disconnected(self) -> None:
        """Note that the connection is gone, after the last event."""


class _Nobody:
    """The owner of a session whose association is over."""

    def connected(self) -> None:
        """Do nothing."""

    def take(self, event: SessionEvent) -> None:
        """Do nothing."""

    def disconnected(self) -> None:
        """Do nothing."""


_NOBODY = _Nobody()


class SessionProtocol(asyncio.Protocol):
    """The asyncio protocol that drives a session; all of it runs in the event loop's thread.

    The owner calls the session as it likes, and ``pump`` after each call.
    """

    def __init__(self, session: Session, owner: SessionOwner) -> None:
        self.session = session
        self.peer_address = ("", 0)
        self.is_lost = False
        self._owner: SessionOwner = owner
        self._loop = asyncio.get_running_loop()
        self._writable = asyncio.Event()
        self._writable.set()
        # Reading pauses for a full stream, for unread answers, for bytes that wait for their turn.
        self._rest = b""
        self._is_stream_full = False
        self._is_unread = False
        self._is_resting = False
        self._burst_began = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._transport: asyncio.Transport

    @property
    def own_address(self) -> tuple[str, int]:
        """The (host, port) of this end of the connection."""
        return (self._transport.get_extra_info("sockname") or ("", 0))[:2]

    @property
    def certificate(self) -> Certificate | None:
        """The certificate that the peer showed; None without TLS, or without one."""
        return certificate_of(self._transport.get_extra_info("ssl_object"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, with a timer that runs until the peer asks for an association."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER)
        # TCP_NODELAY is set by the event loop.
        self._socket = transport.get_extra_info("socket")
        self.peer_address = (transport.get_extra_info("peername") or ("", 0))[:2]
        self._owner.connected()
        self.pump()

    def data_received(self, data: bytes) -> None:
        """Feed bytes of the peer to the session."""
        is_long = len(data) > LONG
        if is_long:
            self._note_burst()
            data = self._feed_pieces(data)
            if self._rest:
                return
        self.session.receive_data(data, monotonic())
        if _QUICKACK is not None and self.session.is_inside_message:
            # A peer that sends a message in several writes without TCP_NODELAY waits for our
            # acknowledgement between them, 40 ms each: storescu came to 19 instances a second. The
            # kernel forgets the option, so it is set each time; a whole message needs none, because
            # its response acknowledges it.
            with suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        self.pump()
        if is_long and monotonic() - self._burst_began > LONGEST_BURST and not self.is_lost:
            self._is_resting = True
            self._read_or_pause()

    def _note_burst(self) -> None:
        """Begin a burst with the first read since the loop was at the other connections."""
        if not self._burst_began:
            self._burst_began = monotonic()
            self._loop.call_soon(self._end_burst)

    def _end_burst(self) -> None:
        self._burst_began = 0.0
        if self._is_resting:
            self._is_resting = False
            self._read_or_pause()

    def _feed_pieces(self, data: bytes) -> bytes:
        """Feed bytes piece by piece and return the last piece, or keep the rest if time is up."""
        began = before = monotonic()
        position, size = 0, PIECE
        while (end := self.session.position_behind(data, position, size)) < len(data):
            self.session.receive_data(data[position:end], before)
            self.pump()
            position = end
            now = monotonic()
            if now - began > LONGEST_TURN:
                # Nothing is read before the rest is fed: it would overtake the rest.
                self._rest = data[position:]
                self._read_or_pause()
                self._loop.call_soon(self._feed_rest)
                break
            size = 2 * size if now - before < QUICK else PIECE
            before = now
        return data[position:]

    def _feed_rest(self) -> None:
        rest, self._rest = self._rest, b""
        if self.is_lost or self._transport.is_closing():
            return
        self.data_received(rest)
        self._read_or_pause()

    def eof_received(self) -> None:
        """Note that the peer sends no more; returning None lets the transport close itself."""
        self.session.receive_eof(monotonic())
        self.pump()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the association with its connection."""
        self.session.receive_eof(
            monotonic(), f"the connection is lost: {exc}" if exc else "the connection is closed"
        )
        # Before the pump, which would write to the lost transport.
        self.is_lost = True
        self.pump()
        if self._timer is not None:
            self._timer.cancel()
        self.wake_writers()
        self._owner.disconnected()

    def pause_writing(self) -> None:
        """Make services wait: the peer reads more slowly than they answer."""
        self._writable.clear()
        self.session.writing_paused(monotonic())
        self._set_timer()

    def resume_writing(self) -> None:
        """Let services go on."""
        self.session.writing_resumed()
        self._is_unread = False
        self._read_or_pause()
        self._writable.set()

    async def drain(self) -> None:
        """Wait while the peer reads more slowly than we write."""
        await self._writable.wait()

    def wake_writers(self) -> None:
        """Let whoever waits in ``drain`` go on: nothing that they write will be read."""
        self._writable.set()

    def pause_reading(self) -> None:
        """Read no more of the peer's bytes, so that it has to wait."""
        self._is_stream_full = True
        self._read_or_pause()

    def resume_reading(self) -> None:
        """Read the peer's bytes again."""
        self._is_stream_full = False
        self._read_or_pause()

    def _read_or_pause(self) -> None:
        if self._transport.is_closing():
            return
        if self._is_stream_full or self._is_unread or self._is_resting or self._rest:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def pump(self) -> None:
        """Send the session's bytes and pass on its events, after every call that may change it."""
        session = self.session
        if (parts := session.parts_to_send()) and not self.is_lost:
            if len(parts) <= MOST_JOINED:
                self._transport.write(b"".join(parts))
            else:
                self._transport.writelines(parts)
            if self._transport.get_write_buffer_size() > MOST_UNREAD and not self._is_unread:
                self._is_unread = True
                self._read_or_pause()
        for event in session.events():
            self._owner.take(event)
        if session.should_close and not self._transport.is_closing():
            self._close()
        self._set_timer()

    def abort(self) -> None:
        """Abort the association, and close the connection without waiting for the peer to do so."""
        if not self.is_lost:
            self.session.abort(monotonic())
            self.pump()
            self._close()

    def leave_owner(self) -> None:
        """Tell the owner nothing more, once both are done with a lost connection.

        Each has the other. Without this the memory of every association waited for a collection.
        """
        self._owner = _NOBODY

    def drop(self) -> None:
        """Close the connection at once, without a word."""
        self._transport.abort()

    def _close(self) -> None:
        """Close the connection, and soon drop it if the peer does not read the last bytes."""
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self._loop.call_later(LAST_WORDS, self._transport.abort)

    def _set_timer(self) -> None:
        """Have ``_expire`` called at the session's next deadline.

        Every message moves the deadline, mostly to later. A timer that comes too early is left as
        it is, and sets the next one: that is cheaper than a new timer for each message.
        """
        deadline = self.session.next_deadline()
        if deadline is None or self.is_lost:
            return
        if self._timer is not None:
            if self._timer_at <= deadline:
                return
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self._loop.call_later(max(deadline - monotonic(), 0.0), self._expire)

    def _expire(self) -> None:
        self._timer = None
        self.session.expire(monotonic())
        self.pump()
