"""The rules of who may ask, made of the settings; and said in words (PS3.8 9.3.4)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import fields
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import click

from dicomquest.cli.serve_settings import ServeSettings
from dicomquest.cli.settings.caller_settings import CallerSettings
from dicomquest.cli.shared_options import is_loopback
from dicomquest.errors import AccessError
from dicomquest.query.identifier.request_keys import MODELS_BY_NAME
from dicomquest.query.options import QueryOptions
from dicomquest.query.visibility import VisibilityError, parse_visible
from dicomquest.services.access import PeerChoices, Profile, ServiceKind
from dicomquest.services.admission import AccessRules, Admission, CertificatePin, PeerRule
from dicomquest.services.lockout import LockoutLimits
from dicomquest.services.passcodes import PasscodeFile
from dicomquest.services.tokens import read_key
from dicomquest.services.user_hook import load_hook
from dicomquest.services.user_verification import UserVerification, Verifier
from dicomquest.standard.levels import Level

LOGGER = logging.getLogger("dicomquest.serve")

MOST_NAMED = 5
"""AE titles that a line of the log names; a hospital has hundreds."""


def admission(settings: ServeSettings, timezone: int) -> Admission:
    """Make the rules of a server.

    AccessError for a file or a function that cannot be used, VisibilityError for a wrong filter.

    ``timezone`` is the index's, in minutes east of UTC.
    """
    own = _defaults(settings) | {"timezone": timezone}
    rules = AccessRules(
        default=_rule(own),
        peers={title: _rule({**own, **changes}) for title, changes in settings.peers.items()},
        known_only=settings.known_only,
    )
    verifiers = list(_verifiers(settings))
    verification = UserVerification(
        verifiers,
        most=settings.max_verifications,
        most_of_address=settings.max_verifications_per_peer,
        lockout=LockoutLimits(
            settings.max_failures, settings.max_failures_per_peer, settings.lockout_time
        ),
    )
    return Admission(rules, verification if verifiers else None)


def check_access(settings: ServeSettings) -> None:
    """Raise UsageError for rules that let nobody in, or that nothing can enforce."""
    try:
        admission(settings, 0)
    except (AccessError, VisibilityError) as error:
        raise click.UsageError(str(error)) from error
    if settings.known_only and not settings.peers:
        raise click.UsageError(
            "known-only lets nobody in: the configuration file has no table [peers.TITLE] with a "
            "rule, such as addresses"
        )
    for title, rules in settings.peers.items():
        if rules.get("certificate") and settings.tls_ca is None:
            raise click.UsageError(
                f"[peers.{title}] names a certificate: add --tls-ca FILE, so that peers show theirs"
            )
        if rules.get("users") and not demands_users(settings):
            raise click.UsageError(
                f"[peers.{title}] names users: add --users-file FILE, --jwt-key FILE or "
                "--user-hook, so that they prove who they are"
            )


def tell_who_may_ask(settings: ServeSettings) -> None:
    """Log who may ask, and a warning if that is everybody."""
    LOGGER.info("%s", who_may_ask(settings))
    if warning := open_to(settings):
        LOGGER.warning("%s", warning)


def who_may_ask(settings: ServeSettings) -> str:
    """Say in a line of the log who may ask."""
    conditions = [
        "programs of this machine" if is_loopback(settings.host) else "programs of the network"
    ]
    if settings.known_only:
        conditions.append(f"as {_titles(list(settings.peers))}")
    if settings.tls_ca is not None:
        conditions.append(f"with a certificate of {settings.tls_ca}")
    if demands_users(settings):
        conditions.append(
            "with a verified user, or none" if settings.user_optional else "with a verified user"
        )
    return f"who may ask: {', '.join(conditions)}"


def open_to(settings: ServeSettings) -> str:
    """Warn of rules that let everybody of a network in; empty if they let nobody unknown in."""
    if is_loopback(settings.host):
        return ""
    if not settings.known_only and not _is_bound(settings, {}):
        return (
            f"everybody who reaches {settings.host} port {settings.port} may ask: known-only with "
            "addresses, --tls-ca or --users-file keeps others out"
        )
    unbound = [title for title, rules in settings.peers.items() if not _is_bound(settings, rules)]
    if not unbound:
        return ""
    return (
        f"everybody who calls as {_titles(unbound)} may ask: "
        "addresses or a certificate in [peers.TITLE] keeps others out"
    )


def _is_bound(settings: ServeSettings, rules: Mapping[str, Any]) -> bool:
    """Tell whether a peer has to show more than a calling AE title, which anybody may use."""
    is_optional = rules.get("user_optional", settings.user_optional)
    return bool(
        settings.tls_ca is not None
        or rules.get("addresses")
        or (demands_users(settings) and not is_optional)
    )


def _titles(titles: list[str]) -> str:
    named = ", ".join(titles[:MOST_NAMED])
    more = len(titles) - MOST_NAMED
    return f"{named} and {more} more" if more > 0 else named


def demands_users(settings: ServeSettings) -> bool:
    """Tell whether somebody who asks has to show who it is."""
    return any((settings.users_file, settings.jwt_key, settings.user_hook))


def _verifiers(settings: ServeSettings) -> Iterator[Verifier]:
    if settings.users_file is not None:
        yield PasscodeFile(Path(settings.users_file))
    if settings.jwt_key is not None:
        yield read_key(Path(settings.jwt_key), settings.jwt_audience, settings.jwt_issuer)
    if settings.user_hook is not None:
        yield load_hook(settings.user_hook)


def _defaults(settings: ServeSettings) -> dict[str, Any]:
    own = {each.name: getattr(settings, each.name) for each in fields(settings)}
    return own | {each.name: each.default for each in fields(CallerSettings)}


def _rule(values: Mapping[str, Any]) -> PeerRule:
    return PeerRule(
        networks=tuple(ip_network(text) for text in values["addresses"]),
        pins=tuple(_pin(text) for text in values["certificate"]),
        users=values["users"],
        is_user_optional=values["user_optional"],
        profile=_profile(values),
    )


def _pin(text: str) -> CertificatePin:
    kind, _, value = text.partition(":")
    if kind == "sha256":
        return CertificatePin(fingerprint=value)
    return CertificatePin(common_name=text.removeprefix("CN="))


def _profile(values: Mapping[str, Any]) -> Profile:
    everything = Profile()
    return Profile(
        services=frozenset(map(ServiceKind, values["services"])) or everything.services,
        models=frozenset(MODELS_BY_NAME[name] for name in values["models"]) or everything.models,
        levels=frozenset(Level[name] for name in values["levels"]) or everything.levels,
        visible=parse_visible(values["visible"], values["timezone"]),
        choices=PeerChoices(
            options=QueryOptions(
                strict=values["strict"],
                unknown_matches=values["unknown_matches"],
                ignore_case=values["ignore_case"],
                several_values=values["several_values"],
                most_wild_cards=values["max_wild_cards"],
                most_values=values["max_values_of_all"],
                timezone_offset_minutes=values["timezone"],
            ),
            result_limit=values["result_limit"],
            limit_is_success=values["limit_is_success"],
            incomplete_is_success=values["incomplete_is_success"],
            default_charset=values["default_charset"],
            query_seconds=values["query_timeout"],
            finds_per_second=values["finds_per_second"],
            most_retrieved=values["max_retrieve_instances"],
        ),
        most_associations=values["max_associations_per_ae"],
        destinations=frozenset(values["destinations"]) or None,
        caller_port=values["caller_port"],
        assumes_roles=values["assume_roles"],
    )
