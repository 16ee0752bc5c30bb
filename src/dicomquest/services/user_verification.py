"""User identities verified: in threads, few at a time (PS3.7 D.3.3.7, PS3.15 B.4 to B.7)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dicomquest.pdu.user_information import UserIdentityRQ
from dicomquest.services.access import Identity
from dicomquest.services.limit_defaults import MOST_OF_ADDRESS, MOST_WAITING
from dicomquest.services.limit_names import LimitName
from dicomquest.services.request import Run

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
    """A user who is who it claims to be."""

    user: str


@dataclass(frozen=True, slots=True)
class Unverified:
    """A user identity that is not believed; beyond ``limit`` it was not even looked at."""

    reason: str
    limit: LimitName | None = None


class Verifier(Protocol):
    """A way to verify identities of some types."""

    @property
    def types(self) -> frozenset[int]:
        """The user identity types that it knows."""

    def verify(self, claim: UserIdentityRQ, identity: Identity) -> Verified | Unverified:
        """Verify a claim, in a thread: it may take its time."""


class UserVerification:
    """The verifiers of a server, asked in their order until one believes the peer."""

    def __init__(
        self,
        verifiers: Sequence[Verifier],
        *,
        most: int = MOST_WAITING,
        most_of_address: int = MOST_OF_ADDRESS,
        penalty: float = PENALTY,
    ) -> None:
        """Ask verifiers; hold at most so many identities, in all and of one address."""
        self._verifiers = verifiers
        self._most = most
        self._most_of_address = most_of_address
        self._penalty = penalty
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)
        self._waiting = 0
        self._of_address: Counter[str] = Counter()

    async def verify(
        self, claim: UserIdentityRQ | None, identity: Identity, run: Run
    ) -> Verified | Unverified | None:
        """Verify what a peer claims, None if it claims nothing."""
        if claim is None:
            return None
        kind = claim.identity_type
        if not any(kind in verifier.types for verifier in self._verifiers):
            return Unverified(f"no rule verifies {_TYPES.get(kind, f'user identity type {kind}')}")
        address = identity.address
        if self._of_address[address] >= self._most_of_address:
            return Unverified("", LimitName.VERIFICATIONS_OF_ADDRESS)
        if self._waiting >= self._most:
            return Unverified("", LimitName.VERIFICATIONS)
        self._of_address[address] += 1
        try:
            outcome = await self._take_turn(claim, identity, run)
            if isinstance(outcome, Unverified):
                await asyncio.sleep(self._penalty)
            return outcome
        finally:
            self._of_address[address] -= 1
            if not self._of_address[address]:
                # Else the counter would keep every address that ever came.
                del self._of_address[address]

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
        reasons = []
        for verifier in self._verifiers:
            if claim.identity_type in verifier.types:
                outcome = verifier.verify(claim, identity)
                if isinstance(outcome, Verified):
                    return outcome
                reasons.append(outcome.reason)
        return Unverified("; ".join(reasons))
