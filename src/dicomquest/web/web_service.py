"""All that the endpoints share: the index, the rules, the threads, the observer (PS3.18 8)."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import ParamSpec, TypeVar

from dicomquest.aio.containment import Escape, escape_of
from dicomquest.aio.teller import Teller
from dicomquest.errors import AccessError, StoredInstanceError
from dicomquest.index.index import Index
from dicomquest.services.access import Identity, Profile, ServiceKind
from dicomquest.services.admission import AccessRules, Admission
from dicomquest.services.find import FindService
from dicomquest.services.find_gate import FindGate
from dicomquest.services.limit_defaults import LARGEST_ORDERS
from dicomquest.services.observer import AlertKind, Observer, SecurityAlert, SignedIn
from dicomquest.services.repeated_lines import RepeatedLines
from dicomquest.services.request import AssociationInfo, Run, ServiceUser
from dicomquest.services.storage import StorageService
from dicomquest.services.user_verification import Verified
from dicomquest.standard.models import InformationModel
from dicomquest.store.rendering_processes import RenderingLimits
from dicomquest.store.stored_frames import StoredFrames
from dicomquest.ul.negotiation import AUTHENTICATION_FAILED, CALLING_AE_TITLE_NOT_RECOGNIZED
from dicomquest.web.callers import HTTP_TITLE, Caller, Callers, claim_of
from dicomquest.web.cookies import is_by_person, may_use_cookie, token_of
from dicomquest.web.exchange import Exchange, Receive, Scope, Send
from dicomquest.web.host_names import HostNames, name_of
from dicomquest.web.page_settings import PageSettings
from dicomquest.web.refusals import RefusalError
from dicomquest.web.renderings import Renderings
from dicomquest.web.search_service import SearchService
from dicomquest.web.sessions import Session
from dicomquest.web.store_spool import SpoolLimits
from dicomquest.web.viewer_build import ViewerBuild
from dicomquest.worklist.entries import Worklist

LOGGER = logging.getLogger("dicomquest.web")

LONGEST_URI = 8192
"""Bytes of a path and its query component; a list of a hundred UIDs has as many."""

P = ParamSpec("P")
T = TypeVar("T")


def in_own_threads(most: int) -> Run:
    """Return a way to run blocking code in threads that nobody else uses."""
    pool = ThreadPoolExecutor(most, "dicomquest-web")

    async def run(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        call = partial(function, *args, **kwargs)
        result = await asyncio.get_running_loop().run_in_executor(pool, escape_of, call)
        if isinstance(result, Escape):
            raise result.failure
        return result

    return run


@dataclass(frozen=True, slots=True)
class FindAddress:
    """The address at which C-FIND is served; without a ``host`` it is the one of the page."""

    host: str
    port: int
    has_tls: bool = False


@dataclass(frozen=True, slots=True)
class WebSettings:
    """The settings of the web services.

    - ``root`` is the path before all resources, ``public_url`` the address that clients see before
      it; without one it is that of the request.
    - ``ae_title`` is the server's own, for the log and the audit trail.
    - ``find_address`` is where C-FIND is served, None if it is not.
    - ``hosts`` are the names under which the server answers; None for any.
    - ``origins`` are those of pages that may ask from a browser; ``*`` for any.
    - ``write_timeout`` is the longest time that a client may read nothing, in seconds.
    - ``body_timeout`` is the longest time that 64 KB of a request's body may take, in seconds.
    - ``threads`` bounds those for the database.
    - ``viewer`` is the build of OHIF to serve, None for none.
    - ``page`` are those of the page for people.
    - ``most_retrieves`` are the retrieves that run at a time; None for any number.
    - ``rendering`` bounds the pictures that are made, ``storing`` requests with metadata,
      ``longest_orders`` the bytes of entries of the worklist.
    """

    root: str = "/dicom-web"
    public_url: str = ""
    ae_title: str = "DICOMQUEST"
    find_address: FindAddress | None = None
    hosts: HostNames | None = None
    origins: tuple[str, ...] = ()
    write_timeout: float | None = 60.0
    body_timeout: float | None = 60.0
    threads: int = 100
    viewer: ViewerBuild | None = None
    most_retrieves: int | None = None
    rendering: RenderingLimits = field(default_factory=RenderingLimits)
    storing: SpoolLimits = field(default_factory=SpoolLimits)
    longest_orders: int = LARGEST_ORDERS
    admission: Admission = field(default_factory=lambda: Admission(AccessRules()))
    observer: Observer | None = None
    page: PageSettings = field(default_factory=PageSettings)


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a caller that the rules have let in; ``stamp`` is that of its passcode."""

    association: AssociationInfo
    observer: Observer | None
    stamp: str = ""

    @property
    def profile(self) -> Profile:
        """The rights of the caller."""
        return self.association.profile

    def check(self, kind: ServiceKind, model: InformationModel | None = None) -> None:
        """Raise RefusalError 403 unless the caller may use a service, and its information model."""
        if kind in self.profile.services and (model is None or model in self.profile.models):
            return
        requestor = self.association.requestor
        words = f"the service {kind.value} is not allowed to this caller"
        if self.observer is not None:
            self.observer.tell(
                SecurityAlert(
                    AlertKind.FORBIDDEN,
                    requestor.address,
                    requestor.ae_title,
                    words,
                    self.association.user_identity or "",
                )
            )
        raise RefusalError(403, words)


class WebService:
    """The server's side of every request."""

    def __init__(
        self,
        index: Index,
        settings: WebSettings,
        find: FindService | None,
        run: Run | None,
        storage: StorageService | None = None,
        *,
        worklist: Worklist | None = None,
    ) -> None:
        """Answer from an index; ``find`` shares its limits, ``run`` its threads.

        ``storage`` takes instances, ``worklist`` entries; without it none can be stored.
        """
        self.index = index
        self.storage = storage
        self.worklist = worklist
        self.run = run or in_own_threads(settings.threads)
        self.retrieves = True
        self.frames = StoredFrames()
        # Kept here: other settings must not end the tokens of now.
        self.viewer_key = secrets.token_bytes(32)
        # The metadata of one instance takes twenty times its bytes of memory.
        self.making = asyncio.Lock()
        self.renderings = Renderings(settings.rendering)
        self._numbers = count(1)
        self._lines = RepeatedLines()
        self.reconfigure(settings, find)

    def reconfigure(self, settings: WebSettings, find: FindService | None) -> None:
        """Take other settings for all requests from now on."""
        self.settings = settings
        self.search = _search(self.index, find)
        self.retrieve_gate = FindGate(settings.most_retrieves)
        if settings.rendering != self.renderings.limits:
            self.renderings = Renderings(settings.rendering)
        self._callers = Callers(settings.admission)

    @property
    def observer(self) -> Observer | None:
        """The observer of requests, None if nobody listens."""
        return self.settings.observer

    def exchange(self, scope: Scope, receive: Receive, send: Send) -> Exchange:
        """Begin to answer a request; RefusalError for one that is too long."""
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > LONGEST_URI:
            raise RefusalError(414, f"the address is longer than {LONGEST_URI} bytes: ask for less")
        return Exchange(scope, receive, send, self.settings.write_timeout)

    async def session(self, exchange: Exchange, *, prolongs: bool) -> Session | None:
        """Return the sign-in of a request's cookie, None without one that holds.

        That of a user who has been removed, or has another passcode now, ends here.
        """
        sessions = self.settings.page.sessions
        token = token_of(exchange.header(b"cookie"))
        if sessions is None or not token:
            return None
        found = await self.run(sessions.find, token, prolongs=prolongs)
        if found is None or await self.holds(found.verified):
            return found
        await self.run(sessions.end, token)
        if self.observer is not None:
            identity = Identity(HTTP_TITLE, exchange.address[0], found.user)
            visit = self.visit(exchange, Caller(identity, Profile()))
            self.observer.tell(SignedIn(visit.association, begins=False))
        return None

    async def holds(self, verified: Verified) -> bool:
        """Tell whether a user could still sign in as it did.

        RefusalError 503 if the file of users cannot be read.
        """
        verification = self.settings.admission.verification
        if verification is None:
            return True
        try:
            return await self.run(verification.holds, verified)
        except AccessError as error:
            self._lines.log(LOGGER, logging.ERROR, "users", str(error))
            words = "the users cannot be read: wait a moment, then try again"
            raise RefusalError(503, words, {"Retry-After": "5"}) from error

    async def admit(self, exchange: Exchange, given: str = "") -> Visit:
        """Return the visit of the caller; RefusalError if the rules do not let it in.

        ``given`` stands for the header Authorization.
        """
        number = next(self._numbers)
        address, port = exchange.address
        authorization = given or exchange.header(b"authorization")
        session = None
        if not authorization and may_use_cookie(exchange.scope, self.settings.root):
            session = await self.session(exchange, prolongs=is_by_person(exchange))
        signed_in = session.verified if session is not None else None
        try:
            caller = await self._callers.identify(
                authorization, address, exchange.certificate, self.run, signed_in
            )
        except RefusalError as refusal:
            if refusal.reason:
                answer = (
                    AUTHENTICATION_FAILED
                    if refusal.code == 401
                    else CALLING_AE_TITLE_NOT_RECOGNIZED
                )
                Teller(number, self._lines, self.observer).rejected(
                    ServiceUser(HTTP_TITLE, address, port),
                    self._acceptor(exchange),
                    answer,
                    refusal.reason,
                    claimed=claim_of(authorization),
                    is_http=True,
                )
            raise
        return self.visit(exchange, caller, number)

    def visit(self, exchange: Exchange, caller: Caller, number: int | None = None) -> Visit:
        """Return the visit of a caller who is known already."""
        association = AssociationInfo(
            next(self._numbers) if number is None else number,
            ServiceUser(caller.identity.ae_title, *exchange.address),
            self._acceptor(exchange),
            {},
            user_identity=caller.identity.user,
            profile=caller.profile,
            lines=self._lines,
            is_http=True,
        )
        return Visit(association, self.observer, caller.stamp)

    def _acceptor(self, exchange: Exchange) -> ServiceUser:
        server = exchange.scope.get("server") or ("", 0)
        return ServiceUser(self.settings.ae_title, str(server[0]), int(server[1] or 0))

    def log_failure(self, visit: Visit, uid: str, error: StoredInstanceError) -> None:
        """Log an instance that could not be read."""
        line = f"{visit.association.words}: {uid} not sent: {error}"
        self._lines.log(LOGGER, logging.WARNING, "instance", line)

    def log_misdirected(self, address: str, host: str) -> None:
        """Log a request for a name that is none of ours."""
        line = f"request from {address} refused: it is for {host}, no name of this server"
        self._lines.log(LOGGER, logging.WARNING, "host", line)

    def find_target(self, exchange: Exchange) -> tuple[str, ...]:
        """Return the words of ``dicomquest find`` for this server; none if C-FIND is not served."""
        address = self.settings.find_address
        if address is None:
            return ()
        host = address.host or name_of(exchange.header(b"host")) or "localhost"
        tls = ("--tls",) if address.has_tls else ()
        return (host, str(address.port), "--aec", self.settings.ae_title, *tls)

    def teller(self, visit: Visit) -> Teller:
        """Return the teller of a request, to log and observer."""
        return Teller(visit.association.number, self._lines, self.observer)

    def base(self, exchange: Exchange) -> str:
        """Return the address of the service as its clients see it."""
        if self.settings.public_url:
            return self.settings.public_url.rstrip("/") + self.settings.root
        host = exchange.header(b"host") or "localhost"
        clean = "".join(
            each for each in host if each.isascii() and (each.isalnum() or each in ".-:[]")
        )
        return f"{exchange.scope['scheme']}://{clean}{self.settings.root}"


def _search(index: Index, find: FindService | None) -> SearchService:
    """Return the service of searches, which asks whom that of C-FIND asks."""
    if find is None or not find.is_federated:
        return SearchService(index, find)
    # Only a server with upstreams has to know an SCU.
    from dicomquest.federation.federated_find import FederatedFind  # noqa: PLC0415
    from dicomquest.web.federated_search import FederatedSearch  # noqa: PLC0415

    assert isinstance(find, FederatedFind)  # noqa: S101  no other is federated
    return FederatedSearch(index, find)
