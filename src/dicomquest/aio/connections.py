"""The places of a server's connections and associations, by address (PS3.8 9.3.4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from dicomquest.services.limit_names import LimitName

SPARE_CONNECTIONS = 64
SPARE_OF_ADDRESS = 16


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The most associations of a server, in all and of one address (None for any number).

    ``spare`` are the connections beyond them, whose peers learn the reason by A-ASSOCIATE-RJ, and
    ``spare_of_address`` the same of one address.
    """

    most: int
    most_of_address: int | None
    spare: int = SPARE_CONNECTIONS
    spare_of_address: int = SPARE_OF_ADDRESS


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

    def __init__(self, limits: ConnectionLimits) -> None:
        """Hold connections within limits."""
        self._limits = limits
        self._all: dict[C, None] = {}
        self._waiting: dict[str, dict[C, None]] = {}
        self._admitted: set[C] = set()
        self._admitted_of: Counter[str] = Counter()
        self._titles: dict[C, str] = {}
        self._admitted_under: Counter[str] = Counter()

    def limit(self, limits: ConnectionLimits) -> None:
        """Change the limits; associations that have their place keep it."""
        self._limits = limits

    def __iter__(self) -> Iterator[C]:
        return iter(list(self._all))

    def __len__(self) -> int:
        return len(self._all)

    def open(self, connection: C, instead_of: C | None = None) -> tuple[C, LimitName] | None:
        """Note a connection; forget and return one that has to go for it, with the limit."""
        if instead_of is not None:
            self.close(instead_of)
        self._all[connection] = None
        self._wait(connection)
        goes = self._one_too_many(connection.host)
        if goes is not None:
            self.close(goes[0])
        return goes

    def admit(self, connection: C) -> LimitName | None:
        """Give an association its place; return the limit that is reached if there is none."""
        host, most = connection.host, self._limits.most_of_address
        if connection not in self._all or len(self._admitted) >= self._limits.most:
            return LimitName.ASSOCIATIONS
        if most is not None and self._admitted_of[host] >= most:
            return LimitName.ASSOCIATIONS_OF_ADDRESS
        self._wait_no_more(connection)
        self._admitted.add(connection)
        self._admitted_of[host] += 1
        return None

    def admit_title(self, connection: C, title: str, most: int) -> LimitName | None:
        """Count an admitted association for its calling AE title, unless that has too many."""
        if self._admitted_under[title] >= most:
            return LimitName.ASSOCIATIONS_OF_TITLE
        self._titles[connection] = title
        self._admitted_under[title] += 1
        return None

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

    def _one_too_many(self, host: str) -> tuple[C, LimitName] | None:
        waiting, limits = self._waiting[host], self._limits
        if limits.most_of_address is not None and (
            self._admitted_of[host] + len(waiting)
            > limits.most_of_address + limits.spare_of_address
        ):
            return next(iter(waiting)), LimitName.CONNECTIONS_OF_ADDRESS
        if len(self._all) > limits.most + limits.spare:
            most_waiting = max(self._waiting.values(), key=len)
            return next(iter(most_waiting)), LimitName.CONNECTIONS
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
            title = self._titles.pop(connection, None)
            if title is not None:
                self._admitted_under[title] -= 1
                if not self._admitted_under[title]:
                    del self._admitted_under[title]
