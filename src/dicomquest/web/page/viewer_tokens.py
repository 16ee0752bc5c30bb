"""Tokens that let a viewer fetch some studies for five minutes (RFC 2104)."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
import time
from dataclasses import dataclass

LIFETIME = 300
"""Seconds that a viewer has to fetch its studies."""


@dataclass(frozen=True, slots=True)
class Grant:
    """The studies that a token is for, and whose rights it has: an AE title, a user by name.

    ``stamp`` is that of the user's passcode.
    """

    title: str
    studies: tuple[str, ...]
    user: str | None = None
    stamp: str = ""


class ViewerTokens:
    """Makes tokens, and reads them back."""

    def __init__(self, key: bytes | None = None) -> None:
        """Sign with a key that all processes of a server share; else with one of this process."""
        self._key = key or secrets.token_bytes(32)

    def make(self, grant: Grant, now: float | None = None) -> str:
        """Return a token of letters, digits, hyphens and underscores."""
        until = int((time.time() if now is None else now) + LIFETIME)
        body = json.dumps([until, grant.title, grant.user, grant.stamp, *grant.studies]).encode()
        return _text(hmac.digest(self._key, body, "sha256")[:16] + body)

    def read(self, token: str, now: float | None = None) -> Grant | None:
        """Return what a token is for; None if it is not ours, or its time is over."""
        try:
            data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (binascii.Error, ValueError):
            return None
        mark, body = data[:16], data[16:]
        if not hmac.compare_digest(mark, hmac.digest(self._key, body, "sha256")[:16]):
            return None
        until, title, user, stamp, *studies = json.loads(body)
        if (time.time() if now is None else now) >= until:
            return None
        return Grant(title, tuple(studies), user, stamp)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
