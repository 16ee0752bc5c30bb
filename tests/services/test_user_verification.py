"""User identities over the wire: who is believed, who is not, and how many at a time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice

import pytest

from dicomquest import UserIdentityNegotiation
from dicomquest.pdu.pdus import AAssociateAC, AAssociateRQ
from dicomquest.pdu.user_information import UserIdentityRQ
from dicomquest.services.access import Identity
from dicomquest.services.admission import AccessRules, PeerRule
from dicomquest.services.limit_defaults import MOST_OF_ADDRESS
from dicomquest.services.limit_names import LimitName
from dicomquest.services.lockout import LockoutLimits
from dicomquest.services.observer import AlertKind, LimitHit, SecurityAlert
from dicomquest.services.user_verification import (
    MOST_AT_ONCE,
    Unverified,
    UserVerification,
    Verified,
)
from fixtures.admitting import IN, NOT_BELIEVED, TOO_MANY, admitting, associate, outcome
from fixtures.faces import RQ, raw_requestor
from fixtures.observing import Heard
from fixtures.postgresql_cluster import wait_for
from fixtures.timing import LONG


@dataclass
class Known:
    """A verifier that knows one user, and takes its time while ``gate`` is closed."""

    gate: threading.Event = field(default_factory=threading.Event)
    types: frozenset[int] = frozenset({2})
    asked: list[Identity] = field(default_factory=list)
    most: int = 0
    unready: str = ""

    def __post_init__(self) -> None:
        self.gate.set()
        self._running = 0
        self._lock = threading.Lock()

    def verify(self, claim: UserIdentityRQ, identity: Identity) -> Verified | Unverified:
        with self._lock:
            self.asked.append(identity)
            self._running += 1
            self.most = max(self.most, self._running)
        assert self.gate.wait(LONG)
        with self._lock:
            self._running -= 1
        if self.unready:
            return Unverified(self.unready, is_guess=False)
        if claim.secondary == b"break":
            raise ZeroDivisionError
        is_known = (claim.primary, claim.secondary) == (b"ann", b"secret")
        return Verified("ann") if is_known else Unverified("the passcode is wrong")


def associate_request(item: UserIdentityNegotiation) -> AAssociateRQ:
    claim = UserIdentityRQ(item.user_identity_type, item.primary_field, item.secondary_field)
    return replace(RQ, user_information=replace(RQ.user_information, user_identity_rq=claim))


def user(name: str, passcode: str) -> UserIdentityNegotiation:
    return UserIdentityNegotiation(2, name.encode(), passcode.encode())


@contextmanager
def verifying(known: Known, **rule: object) -> Iterator[int]:
    rules = AccessRules(default=PeerRule(**rule))  # type: ignore[arg-type]
    with admitting(rules, UserVerification([known], penalty=0)) as port:
        yield port


def test_user_is_let_in_by_the_passcode_alone() -> None:
    with verifying(known := Known()) as port:
        assert outcome(associate(port, user=user("ann", "secret"))) == IN
        assert outcome(associate(port, user=user("ann", "guess"))) == NOT_BELIEVED
        assert outcome(associate(port, user=user("bob", "secret"))) == NOT_BELIEVED
    assert known.asked == [Identity("SCU", "127.0.0.1")] * 3


def test_association_without_user_is_refused() -> None:
    with verifying(Known()) as port:
        assert outcome(associate(port)) == NOT_BELIEVED


def test_optional_user_has_to_be_right_if_given() -> None:
    with verifying(Known(), is_user_optional=True) as port:
        assert outcome(associate(port)) == IN
        assert outcome(associate(port, user=user("ann", "guess"))) == NOT_BELIEVED


@pytest.mark.parametrize("kind", [1, 3, 4, 5])
def test_type_that_nothing_verifies_is_refused(kind: int) -> None:
    """A name alone is not believed either: it proves nothing."""
    with verifying(Known()) as port:
        asked = UserIdentityNegotiation(kind, primary_field=b"ann")
        assert outcome(associate(port, user=asked)) == NOT_BELIEVED


def test_users_of_title_are_let_in_alone() -> None:
    with verifying(Known(), users=("bob",)) as port:
        assert outcome(associate(port, user=user("ann", "secret"))) == NOT_BELIEVED
    with verifying(Known(), users=("ann", "bob")) as port:
        assert outcome(associate(port, user=user("ann", "secret"))) == IN


@pytest.mark.parametrize("wants_answer", [True, False])
def test_positive_response_comes_where_asked_for(wants_answer: bool) -> None:
    claim = UserIdentityRQ(2, b"ann", b"secret", wants_answer)
    rq = replace(RQ, user_information=replace(RQ.user_information, user_identity_rq=claim))
    with verifying(Known()) as port, raw_requestor(port, None) as peer:
        peer.send(rq)
        ac = peer.receive()
    assert isinstance(ac, AAssociateAC)
    assert (ac.user_information.user_identity_ac is not None) is wants_answer


def test_verifier_that_fails_lets_nobody_in(caplog: pytest.LogCaptureFixture) -> None:
    with verifying(Known()) as port:
        assert outcome(associate(port, user=user("ann", "break"))) == NOT_BELIEVED
        assert outcome(associate(port, user=user("ann", "secret"))) == IN
    assert "ZeroDivisionError" in caplog.text


def test_reason_is_logged_and_passcode_is_not(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with verifying(Known()) as port:
        outcome(associate(port, user=user("ann", "mellon")))
        outcome(associate(port, user=user("ann", "secret")))
    assert "; the passcode is wrong" in caplog.text
    assert "mellon" not in caplog.text
    assert "secret" not in caplog.text


def test_wrong_identity_waits_and_holds_its_place() -> None:
    """The places of an address bound its guesses, also after the verifier is done with them."""
    known = Known()
    rules = AccessRules(peers={"CT": PeerRule(is_user_optional=True)})
    with admitting(rules, UserVerification([known], penalty=2 * LONG)) as port:
        guess = associate_request(user("ann", "guess"))
        with contextlib.ExitStack() as stack:
            for _ in range(MOST_OF_ADDRESS):
                stack.enter_context(raw_requestor(port, None)).send(guess)
            wait_for(lambda: len(known.asked) == MOST_OF_ADDRESS, "all are looked at")
            assert outcome(associate(port, user=user("ann", "secret"))) == TOO_MANY
            assert outcome(associate(port, "CT")) == IN
            other = associate(port, user=user("ann", "secret"), address="127.0.0.2")
            assert outcome(other) == IN


def test_identities_of_all_addresses_are_few() -> None:
    known = Known()
    rules = AccessRules(default=PeerRule(is_user_optional=True))
    with (
        admitting(rules, UserVerification([known], most=1)) as port,
        raw_requestor(port, None) as first,
    ):
        known.gate.clear()
        first.send(associate_request(user("ann", "secret")))
        wait_for(lambda: bool(known.asked), "the first one is looked at")
        other = associate(port, user=user("ann", "secret"), address="127.0.0.2")
        assert outcome(other) == TOO_MANY
        assert outcome(associate(port)) == IN
        known.gate.set()
        assert isinstance(first.receive(), AAssociateAC)


def test_verifications_are_few_at_a_time() -> None:
    """Those of one address have a bound of their own, and others are served meanwhile."""
    known = Known()
    with verifying(known, is_user_optional=True) as port:
        known.gate.clear()
        count = MOST_OF_ADDRESS + 4
        with ThreadPoolExecutor(count) as pool:
            asked = [
                pool.submit(lambda: outcome(associate(port, user=user("ann", "secret"))))
                for _ in range(count)
            ]
            refused = [each.result() for each in islice(as_completed(asked, LONG), 4)]
            assert outcome(associate(port)) == IN
            known.gate.set()
            all_of_them = [each.result(LONG) for each in asked]
        assert refused == [TOO_MANY] * 4
        assert sorted(all_of_them) == [IN] * MOST_OF_ADDRESS + [TOO_MANY] * 4
        assert known.most == MOST_AT_ONCE
        assert outcome(associate(port, user=user("ann", "secret"))) == IN


def test_locked_out_user_is_let_in_elsewhere(caplog: pytest.LogCaptureFixture) -> None:
    """The right passcode does not help where the wrong ones came from, and is not looked at."""
    known, heard = Known(), Heard()
    verification = UserVerification([known], penalty=0, lockout=LockoutLimits(most=3))
    rules = AccessRules(peers={"CT": PeerRule(is_user_optional=True)})
    with admitting(rules, verification, observer=heard) as port:
        for _ in range(3):
            assert outcome(associate(port, user=user("ann", "guess"))) == NOT_BELIEVED
        for _ in range(2):
            assert outcome(associate(port, user=user("ann", "secret"))) == TOO_MANY
        assert len(known.asked) == 3
        assert outcome(associate(port, user=user("ann", "secret"), address="127.0.0.2")) == IN
        assert outcome(associate(port, user=user("bob", "secret"))) == NOT_BELIEVED
        assert outcome(associate(port, "CT")) == IN
    (warning,) = [each for each in caplog.records if each.levelname == "WARNING"]
    assert warning.getMessage() == "'ann' at 127.0.0.1 is locked out for 300 s (max-failures)"
    hits = [event.limit for event in heard.events if isinstance(event, LimitHit)]
    assert hits == [LimitName.FAILURES] * 3
    (alert,) = [
        event
        for event in heard.events
        if isinstance(event, SecurityAlert) and event.kind is AlertKind.LOCKED_OUT
    ]
    assert (alert.address, alert.user) == ("127.0.0.1", "ann")
    assert "locked out for 300 s (max-failures)" in alert.reason


def test_failure_of_a_verifier_locks_nobody_out() -> None:
    """A lost file of users, or a hook without its service, is no guess."""
    known = Known(unready="the file of users cannot be read")
    verification = UserVerification([known], penalty=0, lockout=LockoutLimits(most=1))
    with admitting(AccessRules(), verification) as port:
        for _ in range(2):
            assert outcome(associate(port, user=user("ann", "secret"))) == NOT_BELIEVED
        known.unready = ""
        assert outcome(associate(port, user=user("ann", "secret"))) == IN


def test_wrong_token_locks_nobody_out() -> None:
    """Nobody guesses a signature, and an expired token is one that is renewed."""
    known = Known(types=frozenset({5}))
    verification = UserVerification(
        [known], penalty=0, lockout=LockoutLimits(most=1, most_of_address=1)
    )
    with admitting(AccessRules(), verification) as port:
        for _ in range(2):
            token = UserIdentityNegotiation(5, b"token")
            assert outcome(associate(port, user=token)) == NOT_BELIEVED


class Listed(Known):
    """A verifier with a list of users and stamps of their passcodes."""

    def stamp(self, user: str) -> str | None:
        return {"ann": "new"}.get(user)


def test_only_lists_say_that_a_user_is_gone() -> None:
    assert UserVerification([Listed()]).holds(Verified("ann", "new"))
    assert not UserVerification([Listed()]).holds(Verified("ann", "old"))
    assert not UserVerification([Listed()]).holds(Verified("bob", "new"))
    assert UserVerification([Listed(), Known()]).holds(Verified("bob"))
    assert not UserVerification([Listed(), Known()]).holds(Verified("ann", "old"))
    assert UserVerification([]).holds(Verified("bob"))
