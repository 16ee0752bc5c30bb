from pathlib import Path

import pytest

from dicomquest.web.sessions import Sessions


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(tmp_path: Path, clock: Clock) -> Sessions:
    return Sessions(tmp_path / "sign-ins.sqlite", idle=900, longest=3600, clock=clock)


def test_a_session_ends_when_it_is_idle(sessions: Sessions, clock: Clock) -> None:
    token = sessions.begin("ann")
    clock.now += 899
    found = sessions.find(token, prolongs=False)
    assert found is not None
    assert (found.user, found.left) == ("ann", 1)
    clock.now += 1
    assert sessions.find(token, prolongs=True) is None


def test_a_request_prolongs_but_not_beyond_the_longest(sessions: Sessions, clock: Clock) -> None:
    token = sessions.begin("ann")
    for _ in range(4):
        clock.now += 800
        found = sessions.find(token, prolongs=True)
    assert found is not None
    assert found.left == 400
    clock.now += 400
    assert sessions.find(token, prolongs=True) is None


def test_a_session_that_is_ended_is_worth_nothing(sessions: Sessions) -> None:
    token, other = sessions.begin("ann"), sessions.begin("ann")
    sessions.end(token)
    assert sessions.find(token, prolongs=True) is None
    assert sessions.find(other, prolongs=True) is not None
    assert sessions.find("guess", prolongs=True) is None


def test_all_processes_share_the_file(tmp_path: Path, sessions: Sessions, clock: Clock) -> None:
    token = sessions.begin("ann")
    path = tmp_path / "sign-ins.sqlite"
    other = Sessions(path, idle=900, longest=3600, clock=clock)
    assert other.find(token, prolongs=False) is not None
    assert path.stat().st_mode & 0o777 == 0o600
    assert token.encode() not in path.read_bytes()
