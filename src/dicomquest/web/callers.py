"""The one who asks by HTTP: an identity with its profile, by the rules for AE titles (PS3.18 8.2).

A caller has no AE title. A user or a certificate that a table [peers.TITLE] names gets the rights
of that title, everybody else those of the title ``HTTP``, which has the default unless there is a
table of its name.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass
from time import monotonic

from dicomquest.errors import AccessError
from dicomquest.pdu.user_information import UserIdentityRQ
from dicomquest.services.access import Certificate, Identity, Profile
from dicomquest.services.admission import AccessRules, Admission
from dicomquest.services.request import Run
from dicomquest.services.user_verification import JWT, USERNAME_AND_PASSCODE, Unverified, Verified
from dicomquest.web.refusals import RefusalError

HTTP_TITLE = "HTTP"
"""The AE title of callers that no table names."""

BELIEVED_FOR = 60.0
"""Seconds that a passcode is not verified again: a viewer sends it with a hundred requests.

One that was changed, or whose user is gone, is not believed any more.
"""

MOST_BELIEVED = 1024
"""Passcodes that are remembered, as a digest."""

CHALLENGES = {USERNAME_AND_PASSCODE: 'Basic realm="dicomquest", charset="UTF-8"', JWT: "Bearer"}
"""The challenges by type of user identity (RFC 7617, RFC 6750)."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An identity that the rules let in, with its profile; ``stamp`` is that of its passcode."""

    identity: Identity
    profile: Profile
    stamp: str = ""


class Callers:
    """The rules of a server for callers by HTTP."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._key = secrets.token_bytes(32)
        self._believed: dict[bytes, tuple[Verified, float]] = {}

    async def identify(
        self,
        authorization: str,
        address: str,
        certificate: Certificate | None,
        run: Run,
        signed_in: Verified | None = None,
    ) -> Caller:
        """Return who asks; RefusalError 401 or 403 if the rules do not let it in.

        ``signed_in`` is the user who signed in by the form, if there is no ``authorization``.
        """
        rules = self._admission.rules
        verification = self._admission.verification
        verified = signed_in if verification is not None else None
        if verification is not None and authorization:
            verified = await self._verified(authorization, Identity("", address), run)
        user = verified.user if verified is not None else None
        title = title_of(rules, user, certificate)
        identity = Identity(title, address, user, certificate)
        rule = rules.rule_of(title)
        if objection := rules.objection(identity):
            raise _not_allowed(objection)
        assert rule is not None  # noqa: S101  else there is an objection
        if verification is not None and user is None and not rule.is_user_optional:
            raise self._unauthorized("give a user name and its passcode, or a token")
        if rule.users and user not in rule.users:
            raise _not_allowed(f"{user or 'nobody'} is no user of this title")
        return Caller(identity, rule.profile, verified.stamp if verified is not None else "")

    async def _verified(self, authorization: str, identity: Identity, run: Run) -> Verified:
        claim = claim_of(authorization)
        if claim is None:
            words = "the header Authorization has neither Basic nor Bearer"
            raise self._unauthorized(words, words)
        digest = hmac.digest(self._key, authorization.encode("latin-1", "replace"), "sha256")
        believed, until = self._believed.get(digest, (None, 0.0))
        if believed is not None and monotonic() < until and await self._holds(believed, run):
            return believed
        assert self._admission.verification is not None  # noqa: S101  the caller has looked
        match await self._admission.verification.verify(claim, identity, run):
            case Verified() as verified:
                if claim.identity_type == USERNAME_AND_PASSCODE:
                    self._believe(digest, verified)
                # A token is verified each time: it ends by itself.
                return verified
            case Unverified(_, limit) if limit is not None:
                raise RefusalError(503, f"limit {limit.value} reached", {"Retry-After": "1"})
            case Unverified(reason):
                words = "the user is not known, or its passcode or token is wrong"
                raise self._unauthorized(words, reason)
            case None:
                raise self._unauthorized("give a user name and its passcode, or a token")

    async def _holds(self, believed: Verified, run: Run) -> bool:
        """Tell whether a passcode that was right still is."""
        assert self._admission.verification is not None  # noqa: S101  the caller has looked
        try:
            return await run(self._admission.verification.holds, believed)
        except AccessError:
            return False  # the verification says what is wrong with the file

    def _believe(self, digest: bytes, verified: Verified) -> None:
        if len(self._believed) >= MOST_BELIEVED:
            del self._believed[next(iter(self._believed))]
        self._believed[digest] = (verified, monotonic() + BELIEVED_FOR)

    def _unauthorized(self, words: str, reason: str = "") -> RefusalError:
        assert self._admission.verification is not None  # noqa: S101  the caller has looked
        types = self._admission.verification.types
        challenges = [each for kind, each in CHALLENGES.items() if kind in types]
        headers = {"WWW-Authenticate": ", ".join(challenges) or "Basic"}
        return RefusalError(401, words, headers, reason=reason)


def _not_allowed(reason: str) -> RefusalError:
    return RefusalError(403, "this caller is not allowed here", reason=reason)


def claim_of(authorization: str) -> UserIdentityRQ | None:
    """Return the user identity of an Authorization header, None if it has none that we know."""
    scheme, _, credentials = authorization.strip().partition(" ")
    match scheme.lower():
        case "bearer":
            token = credentials.strip().encode("latin-1", "replace")
            return UserIdentityRQ(identity_type=JWT, primary=token)
        case "basic":
            try:
                decoded = base64.b64decode(credentials.strip(), validate=True)
            except (binascii.Error, ValueError):
                return None
            name, _, passcode = decoded.partition(b":")
            return UserIdentityRQ(
                identity_type=USERNAME_AND_PASSCODE, primary=name, secondary=passcode
            )
        case _:
            return None


def title_of(rules: AccessRules, user: str | None, certificate: Certificate | None) -> str:
    """Return the AE title whose table names a user or a certificate: the first that fits both."""
    for title, rule in rules.peers.items():
        if not rule.users and not rule.pins:
            continue
        fits_user = not rule.users or user in rule.users
        fits_pin = not rule.pins or (
            certificate is not None and any(pin.fits(certificate) for pin in rule.pins)
        )
        if fits_user and fits_pin:
            return title
    return HTTP_TITLE
