"""The places that audit messages go to: a file, or a syslog over TLS (RFC 5424, RFC 5425)."""

from __future__ import annotations

import os
import select
import socket
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

APP_NAME = "dicomquest"
MESSAGE_ID = "DICOM+RFC3881"

NOTICE = 10 * 8 + 5
"""PRI: facility 10, security messages, and severity 5, normal but significant (PS3.15 A.6)."""

BOM = b"\xef\xbb\xbf"
"""The begin of a MSG in UTF-8 (RFC 5424 6.4)."""

PATIENCE = 5.0
"""Seconds for a connection, and for each write."""


class Sink(Protocol):
    """A place for messages; ``write`` and ``close`` are called in one thread."""

    def write(self, messages: list[bytes]) -> None:
        """Hand over messages, all of them or OSError."""

    def close(self) -> None:
        """Hand over nothing more."""


class FileSink:
    """A file with an XML document a line, for its owner alone; others may move it away."""

    def __init__(self, path: Path) -> None:
        """Append to a file; OSError if that is not possible."""
        self._path = path
        self._descriptor = self._open()

    def write(self, messages: list[bytes]) -> None:
        """Append messages, and wait until the disk has them.

        One write for all: lines of several processes do not mix.
        """
        if not self._is_current():
            os.close(self._descriptor)
            self._descriptor = self._open()
        text = b"".join(message + b"\n" for message in messages)
        before = os.fstat(self._descriptor).st_size
        written = os.write(self._descriptor, text)
        if written < len(text):
            # The disk is full: the rest comes again, so this part must not stay.
            with suppress(OSError):
                os.ftruncate(self._descriptor, before)
            raise OSError(f"{self._path}: the disk took {written} of {len(text)} bytes")
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _is_current(self) -> bool:
        """Tell whether the path still names the file: a rotation moves it away."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return False
        own = os.fstat(self._descriptor)
        return (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino)


class SyslogSink:
    """A syslog server over TLS, connected when there is something to say."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext) -> None:
        self._address = (host, port)
        self._context = context
        self._connection: ssl.SSLSocket | None = None

    def write(self, messages: list[bytes]) -> None:
        """Send messages; OSError if the server cannot be reached.

        RFC 5425 has no acknowledgement. A server that closed meanwhile is noticed before the first
        byte, and a failed write is repeated as a whole: a message may come twice, none is skipped.
        """
        if self._connection is None or _is_closed(self._connection):
            self.close()
            self._connection = self._connect()
        frames = b"".join(framed(syslog_message(message)) for message in messages)
        try:
            self._connection.sendall(frames)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError):
                connection.close()

    def _connect(self) -> ssl.SSLSocket:
        plain = socket.create_connection(self._address, PATIENCE)
        try:
            return self._context.wrap_socket(plain, server_hostname=self._address[0])
        except BaseException:
            plain.close()
            raise


def syslog_message(document: bytes) -> bytes:
    """Return a message of RFC 5424 with an XML document as its MSG."""
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    host = "".join(each for each in socket.gethostname() if "!" <= each <= "~")[:255] or "-"
    header = f"<{NOTICE}>1 {stamp} {host} {APP_NAME} {os.getpid()} {MESSAGE_ID} - "
    return header.encode("ascii") + BOM + document


def framed(message: bytes) -> bytes:
    """Return a message with its length in front (RFC 5425 4.3)."""
    return b"%d %b" % (len(message), message)


def _is_closed(connection: ssl.SSLSocket) -> bool:
    """Tell whether the server has closed its side; it sends nothing otherwise."""
    readable, _, _ = select.select([connection], [], [], 0)
    if not readable:
        return False
    connection.settimeout(0)
    try:
        return not connection.recv(4096)
    except (ssl.SSLWantReadError, BlockingIOError):
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(PATIENCE)
