"""The sign-ins of people by the page, in a file that all processes of a server share (RFC 6265).

The file holds no token: only its digest, and who signed in. A sign-in ends when it is idle for too
long, after its longest time in any case, and by the person.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dicomquest.services.user_verification import Verified

IDLE = 900.0
"""Seconds without a request of the person after which a sign-in ends."""

LONGEST = 43_200.0
"""Seconds after which a sign-in ends in any case."""

MOST_SESSIONS = 10_000
"""Sign-ins that the file keeps; the oldest make room."""

_STEPS = 30
"""Parts of the idle time, of which one may pass before a request is written down."""

_TABLE = (
    "CREATE TABLE IF NOT EXISTS sign_in (digest BLOB PRIMARY KEY, user TEXT NOT NULL, "
    "stamp TEXT NOT NULL, began REAL NOT NULL, seen REAL NOT NULL)"
)


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in: its user, and the seconds that are left without another request.

    ``stamp`` is that of the passcode with which the user signed in.
    """

    user: str
    left: float
    stamp: str = ""

    @property
    def verified(self) -> Verified:
        """The user as the sign-in showed it."""
        return Verified(self.user, self.stamp)


class Sessions:
    """The sign-ins of a server; each method is short, and blocks for the file."""

    def __init__(
        self,
        path: Path,
        idle: float = IDLE,
        longest: float = LONGEST,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._idle = idle
        self._longest = longest
        self._clock = clock
        self._is_ready = False

    @property
    def idle(self) -> float:
        """The seconds after which a sign-in without requests ends."""
        return self._idle

    def begin(self, user: str, stamp: str = "") -> str:
        """Note that a user signed in, with the passcode of a stamp; return the cookie's token."""
        token, now = secrets.token_urlsafe(32), self._clock()
        with self._opened() as database:
            self._remove_old(database, now)
            row = (_digest(token), user, stamp, now, now)
            database.execute("INSERT INTO sign_in VALUES (?, ?, ?, ?, ?)", row)
        return token

    def find(self, token: str, *, prolongs: bool) -> Session | None:
        """Return the sign-in of a token, None if it has ended; one may be prolonged."""
        now, digest = self._clock(), _digest(token)
        with self._opened() as database:
            row = database.execute(
                "SELECT user, stamp, began, seen FROM sign_in WHERE digest = ?", (digest,)
            ).fetchone()
            if row is None:
                return None
            user, stamp, began, seen = row
            if not self._holds(began, seen, now):
                return None
            if prolongs and now - seen >= self._idle / _STEPS:
                database.execute("UPDATE sign_in SET seen = ? WHERE digest = ?", (now, digest))
                seen = now
        return Session(user, min(seen + self._idle, began + self._longest) - now, stamp)

    def end(self, token: str) -> None:
        """End the sign-in of a token; the token is worth nothing from now on."""
        with self._opened() as database:
            database.execute("DELETE FROM sign_in WHERE digest = ?", (_digest(token),))

    def _holds(self, began: float, seen: float, now: float) -> bool:
        return now - seen < self._idle and now - began < self._longest

    def _remove_old(self, database: sqlite3.Connection, now: float) -> None:
        database.execute(
            "DELETE FROM sign_in WHERE seen <= ? OR began <= ? OR digest IN "
            "(SELECT digest FROM sign_in ORDER BY seen DESC LIMIT -1 OFFSET ?)",
            (now - self._idle, now - self._longest, MOST_SESSIONS - 1),
        )

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one transaction; any thread and process may have it open."""
        if not self._is_ready:
            # The mode first: the file tells who signs in.
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        database = sqlite3.connect(self._path, timeout=5.0)
        try:
            if not self._is_ready:
                database.execute(_TABLE)
                self._is_ready = True
            with database:
                yield database
        finally:
            database.close()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
