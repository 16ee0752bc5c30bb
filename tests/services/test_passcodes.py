"""The file of users: passcodes as argon2 hashes, over the wire and by itself."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from dicomquest import UserIdentityNegotiation
from dicomquest.errors import AccessError
from dicomquest.pdu.user_information import UserIdentityRQ
from dicomquest.services import passcodes
from dicomquest.services.access import Identity
from dicomquest.services.admission import AccessRules
from dicomquest.services.passcodes import (
    PasscodeFile,
    check_name,
    hasher,
    read_users,
    write_users,
)
from dicomquest.services.user_verification import Unverified, UserVerification, Verified
from fixtures.admitting import IN, NOT_BELIEVED, admitting, associate, outcome

ASKER = Identity("SCU", "127.0.0.1")


CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passcodes, "hasher", lambda: CHEAP)


@pytest.fixture(scope="module")
def hashed() -> str:
    return CHEAP.hash("open sesame")


def test_hashes_have_parameters_of_rfc_9106() -> None:
    assert extract_parameters(hasher().hash("open sesame")) == RFC_9106_LOW_MEMORY


@pytest.fixture
def users(tmp_path: Path, hashed: str) -> Path:
    path = tmp_path / "users"
    write_users(path, {"ann": hashed, "Åsa Ö": hashed})
    return path


def claim(name: str, passcode: str) -> UserIdentityRQ:
    return UserIdentityRQ(2, name.encode(), passcode.encode())


def test_passcode_is_verified_over_the_wire(users: Path) -> None:
    with admitting(AccessRules(), UserVerification([PasscodeFile(users)], penalty=0)) as port:
        outcomes = [
            outcome(
                associate(port, user=UserIdentityNegotiation(2, name.encode(), passcode.encode()))
            )
            for name, passcode in [
                ("ann", "open sesame"),
                ("Åsa Ö", "open sesame"),
                ("ann", "open barley"),
                ("ann", ""),
                ("bob", "open sesame"),
            ]
        ]
    assert outcomes == [IN, IN, NOT_BELIEVED, NOT_BELIEVED, NOT_BELIEVED]


def test_changed_file_holds_at_once(users: Path, hashed: str) -> None:
    verifier = PasscodeFile(users)
    assert verifier.verify(claim("bob", "open sesame"), ASKER) == Unverified("'bob' is no user")
    write_users(users, {"bob": hashed})
    assert verifier.verify(claim("bob", "open sesame"), ASKER) == Verified("bob")
    assert isinstance(verifier.verify(claim("ann", "open sesame"), ASKER), Unverified)


def test_lost_file_lets_nobody_in(users: Path) -> None:
    verifier = PasscodeFile(users)
    users.unlink()
    outcome = verifier.verify(claim("ann", "open sesame"), ASKER)
    assert outcome == Unverified("the file of users cannot be read", is_guess=False)


def test_damaged_hash_lets_nobody_in(users: Path) -> None:
    write_users(users, {"ann": "$argon2id$damaged"})
    outcome = PasscodeFile(users).verify(claim("ann", "open sesame"), ASKER)
    assert isinstance(outcome, Unverified)


def test_file_is_for_its_owner_alone(users: Path) -> None:
    before = os.umask(0)
    try:
        write_users(users, {})
    finally:
        os.umask(before)
    assert stat.S_IMODE(users.stat().st_mode) == 0o600
    assert read_users(users) == {}
    assert [path.name for path in users.parent.iterdir()] == ["users"]


def test_replaced_file_stays_that_of_its_group(users: Path) -> None:
    users.chmod(0o644)
    write_users(users, {})
    assert stat.S_IMODE(users.stat().st_mode) == 0o640


@pytest.mark.parametrize("name", ["", "a:b", " ann", "ann ", "#ann", "a\nb", "a\x1bb"])
def test_name_that_would_break_the_file_is_refused(name: str) -> None:
    with pytest.raises(AccessError, match="is no user name"):
        check_name(name)


def test_malformed_line_is_named_and_not_shown(users: Path) -> None:
    """A passcode that somebody wrote there stays out of the log."""
    users.write_text("# users\nann:mellon\n", encoding="utf-8")
    with pytest.raises(AccessError, match="line 2 is not NAME") as raised:
        PasscodeFile(users)
    assert "mellon" not in str(raised.value)
