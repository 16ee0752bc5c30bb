"""The rules of who may ask: an identity is refused, or has its profile (PS3.8 9.3.4, PS3.15 B)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias

from dicomquest.pdu.pdus import AAssociateRJ, AAssociateRQ
from dicomquest.services.access import (
    EVERYTHING,
    Certificate,
    Identity,
    Profile,
    ServiceKind,
    kind_and_model,
)
from dicomquest.services.limit_names import LimitName, reached
from dicomquest.services.request import Run
from dicomquest.services.user_verification import Unverified, UserVerification, Verified
from dicomquest.ul.negotiation import (
    AUTHENTICATION_FAILED,
    CALLING_AE_TITLE_NOT_RECOGNIZED,
    LOCAL_LIMIT_EXCEEDED,
    AcceptorPolicy,
    refuse_titles,
)

Network: TypeAlias = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class CertificatePin:
    """A certificate that a title is bound to: by its SHA-256, or else by the CN of its subject."""

    fingerprint: str = ""
    common_name: str = ""

    def fits(self, certificate: Certificate) -> bool:
        """Tell whether a peer's certificate is the one meant."""
        if self.fingerprint:
            return certificate.fingerprint == self.fingerprint
        return certificate.common_name == self.common_name


@dataclass(frozen=True, slots=True)
class PeerRule:
    """The rule for a calling AE title; an empty tuple allows all.

    - ``networks`` are those that the title may come from.
    - ``pins`` are the certificates of which the peer has to show one.
    - ``users`` are the names of those who may ask by this title.
    - ``is_user_optional`` serves also who gives no user identity.
    - ``profile`` is what an identity that passes may do.
    """

    networks: tuple[Network, ...] = ()
    pins: tuple[CertificatePin, ...] = ()
    users: tuple[str, ...] = ()
    is_user_optional: bool = False
    profile: Profile = EVERYTHING


@dataclass(frozen=True, slots=True)
class AccessRules:
    """The rules of a server by calling AE title; ``default`` is for titles that have none.

    With ``known_only`` a title without a rule is refused.
    """

    default: PeerRule = field(default_factory=PeerRule)
    peers: Mapping[str, PeerRule] = field(default_factory=dict)
    known_only: bool = False

    def rule_of(self, title: str) -> PeerRule | None:
        """Return the rule for a calling AE title; None if the title is refused."""
        return self.peers.get(title, None if self.known_only else self.default)

    def objection(self, identity: Identity) -> str:
        """Say what speaks against an identity, its user apart; empty if nothing does."""
        title, certificate = identity.ae_title, identity.certificate
        rule = self.rule_of(title)
        if rule is None:
            return "its title is not known here"
        if rule.networks and not _is_in(identity.address, rule.networks):
            return f"{identity.address} is no address of this title"
        if rule.pins and certificate is None:
            return "this title needs its certificate, and the peer showed none"
        if certificate is None:
            return ""
        if rule.pins and not any(pin.fits(certificate) for pin in rule.pins):
            return f"the certificate sha256:{certificate.fingerprint} is not that of this title"
        # Otherwise the owner of a certificate could leave its own, narrower rule for the default.
        owners = [
            owner
            for owner, other in self.peers.items()
            if any(pin.fits(certificate) for pin in other.pins)
        ]
        if owners and title not in owners:
            return f"the certificate of the peer is that of {', '.join(owners)}"
        return ""


@dataclass(frozen=True, slots=True)
class Refused:
    """An association to reject; the reason is for the log, and the peer learns only the answer."""

    answer: AAssociateRJ
    reason: str = ""
    limit: LimitName | None = None


@dataclass(frozen=True, slots=True)
class Admitted:
    """An association to negotiate by ``policy``, for an identity with its profile."""

    identity: Identity
    profile: Profile
    policy: AcceptorPolicy


class Admission:
    """The rules of a server at work: one decision for each association, made once."""

    def __init__(self, rules: AccessRules, verification: UserVerification | None = None) -> None:
        """Decide by rules; without a verification user identities are ignored."""
        self.rules = rules
        self.verification = verification
        self._refused: dict[tuple[object, object], frozenset[str]] = {}

    async def decide(
        self, rq: AAssociateRQ, policy: AcceptorPolicy, identity: Identity, run: Run
    ) -> Admitted | Refused:
        """Refuse an association request, or admit it; ``run`` runs blocking code in a thread.

        What costs least comes first: a passcode is verified only for a peer that passes all else.
        """
        if (answer := refuse_titles(rq, policy)) is not None:
            return Refused(answer)
        if objection := self.rules.objection(identity):
            return Refused(CALLING_AE_TITLE_NOT_RECOGNIZED, objection)
        rule = self.rules.rule_of(identity.ae_title)
        assert rule is not None  # noqa: S101 (else there is an objection)
        if self.verification is not None:
            outcome = await self.verification.verify(
                rq.user_information.user_identity_rq, identity, run
            )
            match outcome:
                case None if not rule.is_user_optional:
                    return Refused(AUTHENTICATION_FAILED, "no user identity")
                case Unverified(_, limit, is_examined=False):
                    assert limit is not None  # noqa: S101  it is the reason
                    return Refused(LOCAL_LIMIT_EXCEEDED, reached(limit), limit)
                case Unverified(reason, limit):
                    return Refused(AUTHENTICATION_FAILED, reason, limit)
                case Verified(user) if rule.users and user not in rule.users:
                    return Refused(AUTHENTICATION_FAILED, f"{user} is no user of this title")
                case Verified(user):
                    identity = replace(identity, user=user)
                    policy = replace(policy, verify_identity=lambda _: b"")
        return Admitted(identity, rule.profile, self._for_profile(rule.profile, policy))

    def _for_profile(self, profile: Profile, policy: AcceptorPolicy) -> AcceptorPolicy:
        """Return the policy for a profile; there are two hundred abstract syntaxes to look at."""
        rights = profile.services, profile.models
        may_retrieve = ServiceKind.RETRIEVE in profile.services
        if rights not in self._refused:
            self._refused[rights] = frozenset(
                uid for uid in policy.supported if not profile.allows(uid)
            )
        refused = self._refused[rights]
        if not refused and may_retrieve and not profile.assumes_roles:
            return policy
        # Who may retrieve is sent instances, whether it may send some or not.
        of_storage = frozenset(
            uid for uid in refused if kind_and_model(uid)[0] is ServiceKind.STORE
        )
        received = of_storage if may_retrieve else frozenset()
        return replace(
            policy,
            refused=refused - received,
            refused_as_scu=received,
            grants_scp_role=may_retrieve,
            assumes_scp_role=profile.assumes_roles,
        )


def _is_in(address: str, networks: Iterable[Network]) -> bool:
    parsed = _parse_address(address)
    return parsed is not None and any(parsed in network for network in networks)


@lru_cache(maxsize=1024)
def _parse_address(address: str) -> IPv4Address | IPv6Address | None:
    """Read the address of a socket; an IPv4 one is itself also on a socket for IPv6."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed
