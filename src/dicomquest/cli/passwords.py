"""Passwords, which no output shows."""

from __future__ import annotations

import re

IN_AUTHORITY = re.compile(r"(://[^/?#\s@:]*:)[^/?#\s]*(?=@)")
IN_PARAMETERS = re.compile(r"(?i)([?&\s](?:password|passwd|sslpassword|passfile)=)[^&\s'\"]*")


def without_passwords(text: str) -> str:
    """Return a text with *** for the passwords of the URLs in it (RFC 3986 3.2.1)."""
    return IN_PARAMETERS.sub(r"\1***", IN_AUTHORITY.sub(r"\1***", text))
