"""The cookie by which a browser shows that a person signed in (RFC 6265)."""

from __future__ import annotations

from dicomquest.web.exchange import Exchange, Scope

COOKIE = "__Host-dicomquest"
"""The cookie that a browser keeps for this host alone, and sends by TLS alone."""

STAY = "/stay-signed-in"
"""The path by which a person prolongs a sign-in."""

_READING = frozenset({"GET", "HEAD"})


def token_of(cookies: str) -> str:
    """Return the token of a Cookie header, "" without one."""
    for part in cookies.replace(",", ";").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return ""


def is_below(path: str, root: str) -> bool:
    """Tell whether a path is a root, or below it."""
    return path == root or path.startswith(f"{root}/")


def may_use_cookie(scope: Scope, root: str) -> bool:
    """Tell whether a cookie identifies the caller: not where DICOMweb changes something."""
    return scope["method"] in _READING or not is_below(scope["path"], root)


def is_by_person(exchange: Exchange) -> bool:
    """Tell whether a person made the request: background requests do not prolong a sign-in."""
    return exchange.header(b"sec-fetch-dest") in {"", "document"}
