"""Those who guess passcodes, locked out for a time (PS3.7 D.3.3.7, PS3.15 B.5)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from time import monotonic
from typing import TypeAlias

from dicomquest.services.limit_defaults import LOCKOUT_TIME, MOST_FAILURES, MOST_FAILURES_OF_ADDRESS
from dicomquest.services.limit_names import LimitName

MOST_REMEMBERED = 4096
"""Users and addresses that are remembered; the one that failed longest ago is forgotten first."""

LONGEST_NAME = 64
"""Characters of a user name that are kept: a peer may send 64 KB of them."""

Guesser: TypeAlias = tuple[str, str]
"""An address, and the user name that failed from there; empty for the address as a whole."""


@dataclass(frozen=True, slots=True)
class LockoutLimits:
    """The failures after which a user is locked out at one address, and after which the address is.

    ``seconds`` is the time that a lock holds, and after which failures are forgotten.
    """

    most: int = MOST_FAILURES
    most_of_address: int = MOST_FAILURES_OF_ADDRESS
    seconds: float = LOCKOUT_TIME


@dataclass(slots=True)
class _Failures:
    """The failures of one guesser, and when they are forgotten."""

    count: int
    until: float


class Lockout:
    """Counts failures, by user and address together and by address.

    A user is locked out only at the address where the failures came from. So nobody locks a user
    out elsewhere.
    """

    def __init__(self, limits: LockoutLimits, clock: Callable[[], float] = monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._failures: OrderedDict[Guesser, _Failures] = OrderedDict()

    @property
    def seconds(self) -> float:
        """The time that a lock holds."""
        return self._limits.seconds

    def limit(self, user: str, address: str) -> LimitName | None:
        """Return the limit by which a user or an address is locked out; None if neither is."""
        for guesser, limit, most in self._counted(user, address):
            if self._count(guesser) >= most:
                return limit
        return None

    def failed(self, user: str, address: str) -> LimitName | None:
        """Count a failure; return the limit if it locks the user or the address out from now on."""
        reached = None
        for guesser, limit, most in self._counted(user, address):
            count = self._count(guesser) + 1
            # Those that were verified at the same time must not make the lock longer.
            if count <= most:
                until = self._clock() + self._limits.seconds
                self._failures[guesser] = _Failures(count, until)
                self._failures.move_to_end(guesser)
            if count == most:
                reached = reached or limit
        while len(self._failures) > MOST_REMEMBERED:
            self._failures.popitem(last=False)
        return reached

    def succeeded(self, user: str, address: str) -> None:
        """Forget the failures of a user at an address; those of the address stay."""
        self._failures.pop((_network(address), user[:LONGEST_NAME]), None)

    def _counted(self, user: str, address: str) -> tuple[tuple[Guesser, LimitName, int], ...]:
        network = _network(address)
        limits = self._limits
        of_address = (network, ""), LimitName.FAILURES_OF_ADDRESS, limits.most_of_address
        if not user:
            return (of_address,)
        of_user = (network, user[:LONGEST_NAME]), LimitName.FAILURES, limits.most
        return of_user, of_address

    def _count(self, guesser: Guesser) -> int:
        found = self._failures.get(guesser)
        if found is None:
            return 0
        if found.until <= self._clock():
            del self._failures[guesser]
            return 0
        return found.count


def _network(address: str) -> str:
    """Return the network of an address: who has an IPv6 address has 2**64 of them."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((parsed, 64), strict=False))
