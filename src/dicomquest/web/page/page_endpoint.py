"""The frame of each page: who asks, what it may, and how a failure looks (PS3.18 8.5)."""

from __future__ import annotations

import asyncio
import logging
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl

from dicomquest.errors import (
    AssociationAbortedError,
    DataSetError,
    IdentifierError,
    IndexDatabaseError,
)
from dicomquest.services.access import ServiceKind
from dicomquest.services.find_gate import FindGate
from dicomquest.store.rendering_job import can_render
from dicomquest.web.box import Links, Reading, read_box
from dicomquest.web.cookies import token_of
from dicomquest.web.exchange import Exchange, Receive, Scope, Send
from dicomquest.web.page.bounded_search import BoundedSearch
from dicomquest.web.page.question_fields import fields_of
from dicomquest.web.page.rendering import HEADERS, HtmlStream, render
from dicomquest.web.page.study_list import Asker
from dicomquest.web.refusals import RefusalError, UnknownError
from dicomquest.web.search_parameters import MODEL
from dicomquest.web.sign_in import ask_to_sign_in, sign_in_address

if TYPE_CHECKING:
    from dicomquest.web.web_service import Visit, WebService

LOGGER = logging.getLogger("dicomquest.web")

LONGEST_FORM = 262_144
"""Bytes of a form: some thousand ticked studies."""

WITHOUT_PICTURE = frozenset(
    {"AU", "DOC", "ECG", "EPS", "FID", "HD", "KO", "PLAN", "PR", "REG", "RESP", "RTPLAN",
     "RTRECORD", "RTSTRUCT", "SR"}
)  # fmt: skip
"""The modalities whose series have no images to show."""

T = TypeVar("T")


@dataclass(slots=True)
class PageRequest:
    """One request for a page by a caller that the rules have let in."""

    service: WebService
    exchange: Exchange
    visit: Visit
    search: BoundedSearch
    stream: HtmlStream | None = None
    """The page that has begun, if it goes out in parts."""

    @property
    def asker(self) -> Asker:
        """The rights of the one who asks."""
        profile = self.visit.profile
        page = self.service.settings.page
        return Asker(profile.visible, profile.choices.options, page.han, page.names == "alphabetic")

    @property
    def path(self) -> dict[str, str]:
        """The parts of the path by name."""
        found: dict[str, str] = self.exchange.scope["path_params"]
        return found

    @property
    def may_retrieve(self) -> bool:
        """Tell whether the caller may fetch files."""
        return ServiceKind.RETRIEVE in self.visit.profile.services

    @property
    def idle(self) -> int:
        """The seconds after which the sign-in ends, 0 for a caller who did not sign in."""
        sessions = self.service.settings.page.sessions
        has_cookie = bool(token_of(self.exchange.header(b"cookie")))
        return int(sessions.idle) if sessions is not None and has_cookie else 0

    def parameter(self, name: str) -> str | None:
        """Return a query parameter, None without it."""
        return next((value for key, value in self.parameters if key == name), None)

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """The query parameters; a plus is a space, as forms write it."""
        query: str = self.exchange.scope["query_string"].decode("latin-1")
        return parse_qsl(query, keep_blank_values=True)

    @property
    def links(self) -> Links:
        """The writer of addresses."""
        return self.service.settings.page.links

    @property
    def now(self) -> datetime:
        """The instant from which today is seen, in the server's zone."""
        return self.service.settings.page.now()

    def address_of_text(self, text: str) -> str:
        """Return the query component of the address of a text without look-ups."""
        return self.links.address(read_box(text, self.now))

    async def run(self, function: Callable[..., T], /, *args: Any) -> T:
        """Run a blocking function in a thread."""
        return await (self.search.run or self.service.run)(function, *args)

    async def form(self) -> list[tuple[str, str]]:
        """Return the fields of a form; RefusalError 413 for one that is too long."""
        body = b""
        while True:
            message = await self.exchange.receive()
            if message["type"] == "http.disconnect":
                raise AssociationAbortedError("the client is gone")
            body += message.get("body", b"")
            if len(body) > LONGEST_FORM:
                raise RefusalError(413, f"the form is longer than {LONGEST_FORM:,} bytes")
            if not message.get("more_body", False):
                break
        return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)

    def frame(self, title: str, reading: Reading | None = None, **values: Any) -> dict[str, Any]:
        """Return the values of the frame around a page."""
        asked = reading or Reading("", self.now)
        visit = self.visit
        return {
            "title": f"{title} · dicomquest" if title else "dicomquest",
            "reading": asked,
            "address": self.links.address(asked),
            "address_of_text": self.address_of_text,
            "user": visit.association.user_identity or "",
            "may_search": ServiceKind.FIND in visit.profile.services,
            "is_federated": self.service.search.is_federated,
            "fields": fields_of(asked),
            "opens_keys": False,
            "is_blank": False,
            "has_facets": False,
            "root": self.service.settings.root,
            "has_viewer": self.service.settings.viewer is not None,
            "has_thumbnails": self.may_retrieve and can_render(),
            "without_picture": WITHOUT_PICTURE,
            "may_retrieve": self.may_retrieve,
            "idle": self.idle,
            "sign_in": sign_in_address(self.exchange),
            **values,
        }

    async def answer(self, title: str, template: str, code: int = 200, **values: Any) -> None:
        """Send a whole page."""
        framed = self.frame(title, values.pop("reading", None), **values)
        body = render("top.html", **framed) + render(template, **framed) + render("bottom.html")
        await self.exchange.answer(code, body.encode("utf-8", "replace"), HEADERS)

    async def redirect(self, address: str) -> None:
        """Answer 303 See Other."""
        await self.exchange.answer(303, b"", {**HEADERS, "Location": address})


def search_of(service: WebService, visit: Visit) -> BoundedSearch:
    """Return the searches of one request: in the index, or in all archives."""
    if not service.search.is_federated:
        return BoundedSearch(service.index)
    # Only a server with upstreams has to know an SCU.
    from dicomquest.web.federated_search import FederatedSearch  # noqa: PLC0415
    from dicomquest.web.page.gathered_search import GatheredSearch  # noqa: PLC0415

    assert isinstance(service.search, FederatedSearch)  # noqa: S101  no other is federated
    find = service.search.find
    return GatheredSearch(service.index, find, visit.association, service.run)


class PageEndpoint(ABC):
    """Answers one kind of page; an ASGI application."""

    needs = ServiceKind.FIND
    has_rate = True
    """A request is one of the searches that a caller may begin a second."""

    def __init__(self, service: WebService) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        service = self._service
        exchange = Exchange(scope, receive, send, service.settings.write_timeout)
        request: PageRequest | None = None
        try:
            exchange = service.exchange(scope, receive, send)
            visit = await service.admit(exchange)
            visit.check(ServiceKind.FIND, MODEL)
            visit.check(self.needs, MODEL)
            request = PageRequest(service, exchange, visit, search_of(service, visit))
            with _let_in(service.search.gate, visit, has_rate=self.has_rate):
                await self._watched(request)
        except RefusalError as refusal:
            if not await ask_to_sign_in(service, exchange, refusal):
                await _refused(exchange, refusal)
        except (IdentifierError, DataSetError) as error:
            await _refused(exchange, RefusalError(400, str(error)))
        except IndexDatabaseError as error:
            if request is None or not request.search.is_interrupted:
                await _failed(exchange, error, request.stream if request is not None else None)
        except AssociationAbortedError:
            if request is not None:
                request.search.interrupt()
        finally:
            if request is not None:
                await request.search.end()

    async def _watched(self, request: PageRequest) -> None:
        """Answer, and stop the database when the client goes away."""
        if request.exchange.scope["method"] == "POST":
            # Its body is still to be read.
            await self.answer(request)
            return
        watching = asyncio.ensure_future(request.exchange.watch(request.search.interrupt))
        try:
            await self.answer(request)
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching

    @abstractmethod
    async def answer(self, request: PageRequest) -> None:
        """Answer a request of a caller that may ask."""


@contextmanager
def _let_in(gate: FindGate, visit: Visit, *, has_rate: bool) -> Iterator[None]:
    """Count the search as one of those that run; RefusalError 503 if a limit is reached."""
    title = visit.association.requestor.ae_title
    rate = visit.profile.choices.finds_per_second if has_rate else None
    if gate.enter(title, rate, monotonic()) is not None:
        raise RefusalError(503, "too many searches run", {"Retry-After": "1"})
    try:
        yield
    finally:
        gate.leave()


async def _refused(exchange: Exchange, refusal: RefusalError) -> None:
    remedies = {
        401: "Sign in with your user name and passcode.",
        403: "This account may not search. Ask who runs dicomquest.",
        404: "It may have been removed, or this account may not see it.",
        503: "Wait a moment, then try again.",
    }
    words = {
        401: "Sign in to search.",
        403: "No right to search.",
        404: "There is no such study, series or instance.",
        503: "The server is busy.",
    }
    if isinstance(refusal, UnknownError):
        words[503] = refusal.words
        remedies[503] = "It may hold this study. Wait a moment, then try again."
    again = exchange.scope["path"] if refusal.code == 503 else ""
    await _send_failure(
        exchange,
        refusal.code,
        words.get(refusal.code, refusal.words),
        remedies.get(refusal.code, "Go back, and change what you asked for."),
        again=again,
        headers=refusal.headers,
    )


async def _failed(exchange: Exchange, error: IndexDatabaseError, stream: HtmlStream | None) -> None:
    reference = f"{secrets.token_hex(2)}, {datetime.now().astimezone():%H:%M:%S}"
    LOGGER.error("reference %s: the index failed: %s", reference, error)
    query = exchange.scope["query_string"].decode("latin-1")
    if exchange.is_started:
        # The rows that came stay.
        words = render("incomplete.html", reference=reference)
        if stream is not None:
            await stream.send(words, more=False)
        else:
            await exchange.write(words.encode(), more=False)
        return
    await _send_failure(
        exchange,
        503,
        "The database does not answer.",
        "Nothing was changed.",
        again=f"{exchange.scope['path']}?{query}" if query else exchange.scope["path"],
        reference=reference,
        headers={"Retry-After": "5"},
    )


async def _send_failure(
    exchange: Exchange,
    code: int,
    words: str,
    remedy: str,
    *,
    again: str = "",
    reference: str = "",
    headers: dict[str, str],
) -> None:
    frame = {
        "title": f"{words.rstrip('.')} · dicomquest", "user": "", "may_search": False,
        "has_facets": False, "words": words, "remedy": remedy, "again": again,
        "reference": reference, "searches": code in {400, 404, 413},
    }  # fmt: skip
    body = render("top.html", **frame) + render("failure.html", **frame) + render("bottom.html")
    await exchange.answer(code, body.encode("utf-8", "replace"), {**HEADERS, **headers})
