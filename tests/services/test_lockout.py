"""Guessers are locked out at their own address, for a time; nobody else is."""

from __future__ import annotations

import pytest

from dicomquest.services.limit_names import LimitName
from dicomquest.services.lockout import MOST_REMEMBERED, Lockout, LockoutLimits

HERE, ELSEWHERE = "10.0.0.1", "10.0.0.2"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lockout(clock: Clock) -> Lockout:
    return Lockout(LockoutLimits(most=3, most_of_address=5, seconds=60), clock)


def fail(lockout: Lockout, user: str, address: str, times: int) -> list[LimitName | None]:
    return [lockout.failed(user, address) for _ in range(times)]


def test_user_is_locked_out_at_one_address(lockout: Lockout) -> None:
    assert fail(lockout, "ann", HERE, 2) == [None, None]
    assert lockout.limit("ann", HERE) is None
    assert fail(lockout, "ann", HERE, 1) == [LimitName.FAILURES]
    assert lockout.limit("ann", HERE) is LimitName.FAILURES
    assert lockout.limit("ann", ELSEWHERE) is None
    assert lockout.limit("bob", HERE) is None


def test_many_names_lock_their_address_out(lockout: Lockout) -> None:
    told = [lockout.failed(f"user {number}", HERE) for number in range(6)]
    assert told == [None] * 4 + [LimitName.FAILURES_OF_ADDRESS, None]
    assert lockout.limit("ann", HERE) is LimitName.FAILURES_OF_ADDRESS
    assert lockout.limit("ann", ELSEWHERE) is None


def test_claim_without_name_counts_for_its_address(lockout: Lockout) -> None:
    fail(lockout, "", HERE, 5)
    assert lockout.limit("ann", HERE) is LimitName.FAILURES_OF_ADDRESS


def test_lock_ends_with_its_time(lockout: Lockout, clock: Clock) -> None:
    fail(lockout, "ann", HERE, 3)
    clock.now += 59
    assert lockout.limit("ann", HERE) is LimitName.FAILURES
    # One that was verified at the same time comes late, and makes the lock no longer.
    assert fail(lockout, "ann", HERE, 1) == [None]
    clock.now += 1
    assert lockout.limit("ann", HERE) is None


def test_old_failures_are_forgotten(lockout: Lockout, clock: Clock) -> None:
    fail(lockout, "ann", HERE, 2)
    clock.now += 60
    assert fail(lockout, "ann", HERE, 2) == [None, None]


def test_success_forgets_those_of_the_user_alone(lockout: Lockout) -> None:
    """Else a user of one name could guess the passcodes of all others."""
    for _ in range(2):
        fail(lockout, "ann", HERE, 2)
        lockout.succeeded("ann", HERE)
    assert lockout.limit("ann", HERE) is None
    assert fail(lockout, "bob", HERE, 1) == [LimitName.FAILURES_OF_ADDRESS]


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("no address", "no address", True),
    ],
)
def test_addresses_of_one_network_are_one(
    lockout: Lockout, first: str, second: str, is_one: bool
) -> None:
    fail(lockout, "ann", first, 3)
    assert (lockout.limit("ann", second) is not None) is is_one


def test_memory_is_bounded(lockout: Lockout) -> None:
    fail(lockout, "ann", "10.0.0.1", 3)
    for number in range(MOST_REMEMBERED):
        lockout.failed("x" * 65536, f"10.1.{number >> 8}.{number & 255}")
        fail(lockout, "y", "10.0.0.3", 1)
    assert len(lockout._failures) == MOST_REMEMBERED
    assert max(len(user) for _, user in lockout._failures) == 64
    assert lockout.limit("ann", "10.0.0.1") is None
    assert lockout.limit("y", "10.0.0.3") is LimitName.FAILURES
