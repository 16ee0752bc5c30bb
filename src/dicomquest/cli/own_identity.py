"""Our user identity on the way to a peer: a name with a passcode, or a token (PS3.7 D.3.3.7)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dicomquest.cli.messages import say
from dicomquest.cli.shared_options import is_loopback

if TYPE_CHECKING:
    from dicomquest.ae.negotiation_items import UserIdentityNegotiation
    from dicomquest.pdu.user_information import UserIdentityRQ

PASSWORD_VARIABLE = "DICOMQUEST_PASSWORD"  # noqa: S105 (a name)
TOKEN_VARIABLE = "DICOMQUEST_TOKEN"  # noqa: S105 (a name)

NAME, NAME_AND_PASSCODE, TOKEN = 1, 2, 5
"""The user identity types that the options can give."""


def own_identity(
    user: str | None, password_file: str | None, token_file: str | None
) -> UserIdentityRQ | None:
    """Return the identity to give, None for none; UsageError for options that do not fit."""
    token = _secret(token_file, "--token-file", TOKEN_VARIABLE)
    if user is None and password_file is not None:
        raise click.UsageError("--password-file needs the name of the user: add --user NAME")
    if user is not None and token_file is not None:
        raise click.UsageError("--user and --token-file are two identities: give one of them")
    from dicomquest.pdu.user_information import UserIdentityRQ

    if user is not None:
        password = _secret(password_file, "--password-file", PASSWORD_VARIABLE)
        kind = NAME_AND_PASSCODE if password else NAME
        return UserIdentityRQ(kind, user.encode(), password)
    return UserIdentityRQ(TOKEN, token) if token else None


def tell_if_readable(host: str, claim: UserIdentityRQ | None, *, tls: bool) -> None:
    """Warn of a password or a token that crosses a network as it is (PS3.7 D.3.3.7)."""
    if claim is None or claim.identity_type == NAME or tls or is_loopback(host):
        return
    what = "the token" if claim.identity_type == TOKEN else "the password"
    say(f"Warning: {what} goes to {host} unencrypted. --tls or --tls-ca FILE encrypts it.")


def negotiation_items(claim: UserIdentityRQ | None) -> tuple[UserIdentityNegotiation, ...]:
    """Return what ``AE.associate`` takes to give an identity; nothing for none."""
    from dicomquest.ae.negotiation_items import UserIdentityNegotiation

    if claim is None:
        return ()
    return (UserIdentityNegotiation(claim.identity_type, claim.primary, claim.secondary),)


def _secret(path: str | None, option: str, variable: str) -> bytes:
    """Read the first line of a file, or else a variable; a command line is seen by everybody."""
    if path is None:
        return os.environ.get(variable, "").encode()
    try:
        lines = Path(path).read_bytes().splitlines()
    except OSError as error:
        raise click.UsageError(f"{option} {path}: {error.strerror}") from error
    if not lines or not lines[0]:
        raise click.UsageError(f"{option} {path}: its first line is empty")
    return lines[0]
