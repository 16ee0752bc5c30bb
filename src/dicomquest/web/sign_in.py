"""The sign-in of people by a form, and its end: the users of HTTP Basic, a cookie (RFC 6265)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote

from dicomquest.errors import AssociationAbortedError
from dicomquest.services.observer import SignedIn
from dicomquest.web.cookies import COOKIE, token_of
from dicomquest.web.exchange import Exchange, Receive, Scope, Send
from dicomquest.web.page.rendering import HEADERS, render
from dicomquest.web.refusals import RefusalError

if TYPE_CHECKING:
    from dicomquest.web.web_service import WebService

SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"

_ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Lax"
LONGEST_FORM = 16_384
"""Bytes of a form with a name and a passcode."""

_CLEARED = '"cache", "cookies", "storage"'


def sign_in_address(exchange: Exchange) -> str:
    """Return the address of the form, which leads back to the address of a request."""
    if exchange.scope["method"] not in {"GET", "HEAD"}:
        return SIGN_IN
    query = exchange.scope["query_string"].decode("latin-1")
    path = exchange.scope["path"] + (f"?{query}" if query else "")
    return SIGN_IN if path == "/" else f"{SIGN_IN}?to={quote(path, safe='')}"


def local_address(text: str) -> str:
    """Return an address of this server, the start page for any other."""
    is_local = text.startswith("/") and not text.startswith(("//", "/\\"))
    is_plain = text.isascii() and text.isprintable() and "\\" not in text and " " not in text
    return text if is_local and is_plain and not text.startswith(SIGN_IN) else "/"


async def ask_to_sign_in(service: WebService, exchange: Exchange, refusal: RefusalError) -> bool:
    """Lead a person to the form instead of a refusal; tell whether that is done."""
    if refusal.code != 401 or service.settings.page.sessions is None or exchange.is_started:
        return False
    address = sign_in_address(exchange)
    if exchange.header(b"sec-fetch-mode") in {"", "navigate"}:
        await exchange.answer(303, b"", {**HEADERS, "Location": address})
    else:
        # A script shows the form; the browser's own dialog would ask in its place.
        await exchange.answer(401, b"Sign in.\n", {"Content-Type": "text/plain", "Link": address})
    return True


class SignInEndpoint:
    """Answers the form, and what people send by it; an ASGI application."""

    def __init__(self, service: WebService) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        service = self._service
        exchange = service.exchange(scope, receive, send)
        if service.settings.page.sessions is None:
            raise RefusalError(404, "there is no such resource")
        if scope["method"] == "POST":
            form = await read_form(exchange)
            await self._take(exchange, form)
            return
        asked = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        to = local_address(asked.get("to", "/"))
        if await service.session(exchange, prolongs=False) is not None:
            words = "You are signed in."
            await self._show(exchange, 200, to, words, is_signed_in=True)
            return
        await self._show(exchange, 200, to)

    async def _take(self, exchange: Exchange, form: dict[str, str]) -> None:
        service = self._service
        sessions = service.settings.page.sessions
        assert sessions is not None  # noqa: S101  the caller has looked
        user, passcode = form.get("user", ""), form.get("passcode", "")
        to = local_address(form.get("to", "/"))
        credentials = base64.b64encode(f"{user}:{passcode}".encode()).decode()
        try:
            if not user or ":" in user:
                words = "The user is not known, or the passcode is wrong."
                await self._show(exchange, 401, to, words)
                return
            visit = await service.admit(exchange, f"Basic {credentials}")
        except RefusalError as refusal:
            words = {
                401: "The user is not known, or the passcode is wrong.",
                403: "This account may not use the page. Ask who runs dicomquest.",
            }.get(refusal.code, "Too many sign-ins run. Wait a moment, then try again.")
            await self._show(exchange, refusal.code, to, words)
            return
        association = visit.association
        old = token_of(exchange.header(b"cookie"))
        if old:
            await service.run(sessions.end, old)
        token = await service.run(sessions.begin, association.user_identity or user, visit.stamp)
        if visit.observer is not None:
            visit.observer.tell(SignedIn(association, begins=True))
        headers = {**HEADERS, "Location": to, "Set-Cookie": f"{COOKIE}={token}; {_ATTRIBUTES}"}
        await exchange.answer(303, b"", headers)

    async def _show(
        self, exchange: Exchange, code: int, to: str, words: str = "", *, is_signed_in: bool = False
    ) -> None:
        frame = {
            "title": "Sign in · dicomquest", "user": "", "may_search": False, "has_facets": False,
            "to": to, "words": words, "is_signed_in": is_signed_in,
        }  # fmt: skip
        body = render("top.html", **frame) + render("sign_in.html", **frame)
        body += render("bottom.html")
        await exchange.answer(code, body.encode("utf-8", "replace"), HEADERS)


class SignOutEndpoint:
    """Ends a sign-in; an ASGI application."""

    def __init__(self, service: WebService) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        service = self._service
        exchange = service.exchange(scope, receive, send)
        sessions = service.settings.page.sessions
        token = token_of(exchange.header(b"cookie"))
        if sessions is not None and token:
            if service.observer is not None:
                try:
                    visit = await service.admit(exchange)
                    service.observer.tell(SignedIn(visit.association, begins=False))
                except RefusalError:
                    pass  # it has ended already
            await service.run(sessions.end, token)
        headers = {
            **HEADERS,
            "Location": SIGN_IN,
            "Set-Cookie": f"{COOKIE}=; Max-Age=0; {_ATTRIBUTES}",
            "Clear-Site-Data": _CLEARED,
        }
        await exchange.answer(303, b"", headers)


class StayEndpoint:
    """Prolongs a sign-in, and says for how many seconds; an ASGI application."""

    def __init__(self, service: WebService) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = self._service.exchange(scope, receive, send)
        is_asked = scope["method"] == "POST"
        session = await self._service.session(exchange, prolongs=is_asked)
        left = str(int(session.left)) if session is not None else "0"
        code = 200 if session is not None else 401
        headers = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}
        await exchange.answer(code, left.encode(), headers)


async def read_form(exchange: Exchange) -> dict[str, str]:
    """Return the fields of a form; RefusalError 413 for one that is too long."""
    body = b""
    while True:
        message = await exchange.receive()
        if message["type"] == "http.disconnect":
            raise AssociationAbortedError("the client is gone")
        body += message.get("body", b"")
        if len(body) > LONGEST_FORM:
            raise RefusalError(413, f"the form is longer than {LONGEST_FORM:,} bytes")
        if not message.get("more_body", False):
            return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
