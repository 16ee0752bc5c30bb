"""The places of a server's connections and associations, by address (PS3.8 9.3.4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

SPARE_CONNECTIONS = 64
"""Connections beyond the most associations, whose peers learn the reason by A-ASSOCIATE-RJ."""

SPARE_OF_ADDRESS = 16
"""The same for one address: connections beyond its most associations."""


class Connection(Protocol):
    """A connection from its accept on: in a TLS handshake, silent, or an association."""

    @property
    def host(self) -> str:
        """The address that the peer connected from."""


C = TypeVar("C", bound=Connection)


class Connections(Generic[C]):
    """The connections of a server, in the order of their accept.

    A connection *waits* until its association gets a place, and again once that is rejected. To
    wait costs a peer nothing, so it gives way: beyond the limits, a new connection takes the place
    of the oldest waiting one, of the address that has most of these. So an address that opens
    connections and says nothing takes the places of its own connections, not of others.
    """

    def __init__(self, most: int, most_of_address: int | None) -> None:
        """Hold at most so many associations, in all and of one address."""
        self.limit(most, most_of_address)
        self._all: dict[C, None] = {}
        self._waiting: dict[str, dict[C, None]] = {}
        self._admitted: set[C] = set()
        self._admitted_of: Counter[str] = Counter()

    def limit(self, most: int, most_of_address: int | None) -> None:
        """Change the limits; associations that have their place keep it."""
        self._most = most
        self._most_of_address = most_of_address

    def __iter__(self) -> Iterator[C]:
        return iter(list(self._all))

    def __len__(self) -> int:
        return len(self._all)

    def open(self, connection: C, instead_of: C | None = None) -> C | None:
        """Note a connection; forget and return the one that has to go for it, if any has to."""
        if instead_of is not None:
            self.close(instead_of)
        self._all[connection] = None
        self._wait(connection)
        goes = self._one_too_many(connection.host)
        if goes is not None:
            self.close(goes)
        return goes

    def admit(self, connection: C) -> bool:
        """Give an association its place, if there is one in all and for its address."""
        host = connection.host
        if connection not in self._all or len(self._admitted) >= self._most:
            return False
        if self._most_of_address is not None and self._admitted_of[host] >= self._most_of_address:
            return False
        self._wait_no_more(connection)
        self._admitted.add(connection)
        self._admitted_of[host] += 1
        return True

    def dismiss(self, connection: C) -> None:
        """Take back the place of an association that is rejected after all."""
        if connection in self._admitted:
            self._leave(connection)
            self._wait(connection)

    def close(self, connection: C) -> None:
        """Forget a connection; a second time changes nothing."""
        if connection in self._all:
            del self._all[connection]
            self._wait_no_more(connection)
            self._leave(connection)

    def _one_too_many(self, host: str) -> C | None:
        waiting = self._waiting[host]
        if (
            self._most_of_address is not None
            and self._admitted_of[host] + len(waiting) > self._most_of_address + SPARE_OF_ADDRESS
        ):
            return next(iter(waiting))
        if len(self._all) > self._most + SPARE_CONNECTIONS:
            most_waiting = max(self._waiting.values(), key=len)
            return next(iter(most_waiting))
        return None

    def _wait(self, connection: C) -> None:
        self._waiting.setdefault(connection.host, {})[connection] = None

    def _wait_no_more(self, connection: C) -> None:
        waiting = self._waiting.get(connection.host, {})
        waiting.pop(connection, None)
        if not waiting:
            self._waiting.pop(connection.host, None)

    def _leave(self, connection: C) -> None:
        if connection in self._admitted:
            host = connection.host
            self._admitted.discard(connection)
            self._admitted_of[host] -= 1
            if not self._admitted_of[host]:
                # Else the counter would keep every address that ever came.
                del self._admitted_of[host]
