"""User identities verified: in threads, few at a time (PS3.7 D.3.3.7, PS3.15 B.4 to B.7)."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

from dicomquest.pdu.user_information import UserIdentityRQ
from dicomquest.services.access import Identity
from dicomquest.services.limit_defaults import MOST_OF_ADDRESS, MOST_WAITING
from dicomquest.services.limit_names import LimitName
from dicomquest.services.lockout import LONGEST_NAME, Lockout, LockoutLimits
from dicomquest.services.request import Run

LOGGER = logging.getLogger("dicomquest.access")

MOST_AT_ONCE = 4
"""Verifications that run at a time, each in a thread; a hook may wait for another service."""

PENALTY = 1.0
"""Seconds that the answer to a wrong identity waits, which hold a place of its address.

So nobody tries more than MOST_OF_ADDRESS passcodes a second from one address.
"""

USERNAME, USERNAME_AND_PASSCODE, KERBEROS, SAML, JWT = range(1, 6)
"""The user identity types (PS3.7 Table D.3-14)."""

_TYPES = {
    USERNAME: "a user name without passcode",
    USERNAME_AND_PASSCODE: "a user name with passcode",
    KERBEROS: "a Kerberos ticket",
    SAML: "a SAML assertion",
    JWT: "a JSON Web Token",
}


@dataclass(frozen=True, slots=True)
class Verified:
    """A user who is who it claims to be.

    ``stamp`` stands for the passcode that was right: another one has another stamp. It is "" where
    the verifier has no list of passcodes.
    """

    user: str
    stamp: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Unverified:
    """A user identity that is not believed.

    - ``limit`` is the one that it reaches.
    - ``is_examined`` is false if it was not even looked at, beyond the limit.
    - ``is_guess`` is false if the peer may be right, and we cannot tell.
    """

    reason: str
    limit: LimitName | None = None
    is_examined: bool = True
    is_guess: bool = True


class Verifier(Protocol):
    """A way to verify identities of some types."""

    @property
    def types(self) -> frozenset[int]:
        """The user identity types that it knows."""

    def verify(self, claim: UserIdentityRQ, identity: Identity) -> Verified | Unverified:
        """Verify a claim, in a thread: it may take its time."""


@runtime_checkable
class UserList(Protocol):
    """A verifier that has a list of its users and their passcodes."""

    def stamp(self, user: str) -> str | None:
        """Return the stamp of a user's passcode now, None without the user, in a thread.

        AccessError if the list cannot be read.
        """


class UserVerification:
    """The verifiers of a server, asked in their order until one believes the peer."""

    def __init__(
        self,
        verifiers: Sequence[Verifier],
        *,
        most: int = MOST_WAITING,
        most_of_address: int = MOST_OF_ADDRESS,
        penalty: float | None = None,
        lockout: LockoutLimits | None = None,
    ) -> None:
        """Ask verifiers; hold at most so many identities, in all and of one address."""
        self._verifiers = verifiers
        self._most = most
        self._most_of_address = most_of_address
        self._penalty = PENALTY if penalty is None else penalty
        self._lockout = Lockout(lockout or LockoutLimits())
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)
        self._waiting = 0
        self._of_address: Counter[str] = Counter()

    @property
    def types(self) -> frozenset[int]:
        """The user identity types that some verifier knows."""
        return frozenset().union(*(verifier.types for verifier in self._verifiers))

    async def verify(
        self, claim: UserIdentityRQ | None, identity: Identity, run: Run
    ) -> Verified | Unverified | None:
        """Verify what a peer claims, None if it claims nothing."""
        if claim is None:
            return None
        kind = claim.identity_type
        if not any(kind in verifier.types for verifier in self._verifiers):
            return Unverified(f"no rule verifies {_TYPES.get(kind, f'user identity type {kind}')}")
        address, name = identity.address, _guessable_name(claim)
        if name is not None and (limit := self._lockout.limit(name, address)) is not None:
            return Unverified("", limit, is_examined=False)
        if self._of_address[address] >= self._most_of_address:
            return Unverified("", LimitName.VERIFICATIONS_OF_ADDRESS, is_examined=False)
        if self._waiting >= self._most:
            return Unverified("", LimitName.VERIFICATIONS, is_examined=False)
        self._of_address[address] += 1
        try:
            outcome = await self._take_turn(claim, identity, run)
            if name is not None:
                outcome = self._counted(outcome, name, address)
            if isinstance(outcome, Unverified):
                await asyncio.sleep(self._penalty)
            return outcome
        finally:
            self._of_address[address] -= 1
            if not self._of_address[address]:
                # Else the counter would keep every address that ever came.
                del self._of_address[address]

    def holds(self, verified: Verified) -> bool:
        """Tell whether a user is still there, with the same passcode, in a thread.

        A verifier without a list may have each user. AccessError for a list that cannot be read.
        """
        asked = [each for each in self._verifiers if USERNAME_AND_PASSCODE in each.types]
        return not asked or any(
            verified.stamp == (each.stamp(verified.user) if isinstance(each, UserList) else "")
            for each in asked
        )

    def _counted(
        self, outcome: Verified | Unverified, name: str, address: str
    ) -> Verified | Unverified:
        """Count an outcome; a failure that locks its user or address out says so."""
        if isinstance(outcome, Verified):
            self._lockout.succeeded(name, address)
            return outcome
        limit = self._lockout.failed(name, address) if outcome.is_guess else None
        if limit is None:
            return outcome
        who = f"{name!r} at {address}" if limit is LimitName.FAILURES else address
        words = f"locked out for {self._lockout.seconds:g} s ({limit.value})"
        LOGGER.warning("%s is %s", who, words)
        return replace(outcome, reason=f"{outcome.reason}; {words}", limit=limit)

    async def _take_turn(
        self, claim: UserIdentityRQ, identity: Identity, run: Run
    ) -> Verified | Unverified:
        self._waiting += 1
        try:
            async with self._turns:
                return await run(self._ask, claim, identity)
        finally:
            self._waiting -= 1

    def _ask(self, claim: UserIdentityRQ, identity: Identity) -> Verified | Unverified:
        failures = []
        for verifier in self._verifiers:
            if claim.identity_type in verifier.types:
                outcome = verifier.verify(claim, identity)
                if isinstance(outcome, Verified):
                    return outcome
                failures.append(outcome)
        return Unverified(
            "; ".join(failure.reason for failure in failures),
            is_guess=all(failure.is_guess for failure in failures),
        )


def _guessable_name(claim: UserIdentityRQ) -> str | None:
    """Return the user name of a claim; None for tickets and tokens, which nobody guesses."""
    if claim.identity_type not in {USERNAME, USERNAME_AND_PASSCODE}:
        return None
    return claim.primary.decode("utf-8", "replace")[:LONGEST_NAME]
