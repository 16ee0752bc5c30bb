"""The way of a search's matches to its client: one streamed HTTP response (PS3.18 10.6.3)."""

from __future__ import annotations

from collections.abc import Sequence

from dicomquest.aio.teller import Teller
from dicomquest.dimse.commands import SubOperations
from dicomquest.services.limit_names import LimitName
from dicomquest.services.request import Run, ServiceRequest, ServiceUser
from dicomquest.standard import statuses
from dicomquest.standard.attributes import attribute_name
from dicomquest.web.exchange import NOTHING_SMALLER, Compression, Exchange
from dicomquest.web.http_channel import HttpChannel
from dicomquest.web.refusals import RefusalError
from dicomquest.web.search_service import MOST_REMAINING, SearchService, SearchServiceRequest

LARGE = 16_384
"""Bytes that a thread compresses, because the event loop would stand still for them."""

MOST_WARNINGS = 20
"""Warning headers of a response."""

_CODES = {
    statuses.IDENTIFIER_DOES_NOT_MATCH: 400,
    statuses.IDENTIFIER_UNREADABLE: 400,
    statuses.NOT_AUTHORIZED: 403,
    statuses.OUT_OF_RESOURCES: 503,
    statuses.INCOMPLETE: 502,
}
"""The status codes of final statuses; 500 for others."""


class SearchChannel(HttpChannel):
    """Sends the matches of one search, as its service finds them."""

    def __init__(  # noqa: PLR0917  one of each
        self,
        exchange: Exchange,
        service: SearchService,
        teller: Teller,
        requestor: ServiceUser,
        run: Run,
        agent: str,
    ) -> None:
        """Send by an exchange; ``agent`` is the base address of the service, for warnings."""
        super().__init__(teller, requestor, run)
        self._exchange = exchange
        self._service = service
        self._agent = agent
        self._held: Sequence[bytes] | None = None
        self._compression: Compression | None = None
        self._limit: LimitName | None = None

    async def send_pending(
        self,
        request: ServiceRequest,
        status: int,  # noqa: ARG002  a response of HTTP has one for all matches
        identifiers: Sequence[bytes],
        *,
        final_follows: bool,
    ) -> None:
        """Send some matches; wait while the client reads too slowly."""
        assert isinstance(request, SearchServiceRequest)  # noqa: S101  nobody asks otherwise
        form = request.form
        if self._exchange.is_started:
            await self._write(form.separator + form.separator.join(identifiers), more=True)
        elif final_follows:
            # All of it in one write, with its length.
            self._held = identifiers
        else:
            await self._exchange.start(200, await self._headers(request, is_all=False))
            await self._write(form.opening + form.separator.join(identifiers), more=True)

    async def send_explained(
        self,
        request: ServiceRequest,
        status: int,
        identifier: bytes,
        comment: str,
        offending: tuple[int, ...],
    ) -> None:
        """Send one match; HTTP has no comment for it."""
        del comment, offending
        await self.send_pending(request, status, [identifier], final_follows=False)

    async def send_counts(
        self,
        request: ServiceRequest,
        status: int,
        counts: SubOperations,
        comment: str,
        failed: bytes | None,
    ) -> None:
        """End a retrieve, which no search is."""
        del counts, failed
        await self.send_final(request, status, comment, ())

    async def send_final(
        self, request: ServiceRequest, status: int, comment: str, offending: tuple[int, ...]
    ) -> None:
        """End the response; an error after its beginning leaves it without an end."""
        assert isinstance(request, SearchServiceRequest)  # noqa: S101  nobody asks otherwise
        request.check_association()
        self._teller.finished(request, status, comment, offending)
        if status == statuses.SUCCESS or request.is_partial:
            await self._end(request)
        elif not self._exchange.is_started:
            await self._exchange.refuse(self._refusal(status, comment, offending))

    def hit(self, limit: LimitName) -> None:
        """Note a limit that the client has reached, and tell the observer."""
        self._limit = limit
        super().hit(limit)

    async def _end(self, request: SearchServiceRequest) -> None:
        form = request.form
        if self._exchange.is_started:
            await self._write(form.closing, more=False)
            return
        headers = await self._headers(request, is_all=True)
        if self._held is None:
            del headers["Content-Type"]
            headers.pop("Content-Encoding", None)
            await self._exchange.answer(204, b"", headers)
            return
        body = form.opening + form.separator.join(self._held) + form.closing
        if len(body) < NOTHING_SMALLER:
            self._compression = None
            headers.pop("Content-Encoding", None)
        elif self._compression is not None:
            body = await self._compressed(self._compression, body, more=False)
        await self._exchange.answer(200, body, headers)

    async def _write(self, body: bytes, *, more: bool) -> None:
        if self._compression is not None:
            body = await self._compressed(self._compression, body, more=more)
        await self._exchange.write(body, more=more)

    async def _compressed(self, compression: Compression, body: bytes, *, more: bool) -> bytes:
        if len(body) < LARGE:
            return compression.compress(body, more=more)
        return await self._run(compression.compress, body, more=more)

    async def _headers(self, request: SearchServiceRequest, *, is_all: bool) -> dict[str, str]:
        """Return the headers of a response; ``is_all`` says that no further batch follows."""
        headers = {
            "Content-Type": request.form.content_type,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Vary": "Accept, Accept-Encoding, Authorization",
        }
        if self._exchange.takes_gzip:
            self._compression = Compression()
            headers["Content-Encoding"] = "gzip"
        warnings = list(request.search.warnings)
        query = request.query
        for ignored in query.ignored if query is not None else ():
            path = ".".join(map(attribute_name, ignored.path))
            warnings.append(f"The attribute {path}: {ignored.reason}")
        if remaining := await self._remaining(request, is_all=is_all):
            warnings.insert(0, remaining)
        if warnings:
            headers["Warning"] = ", ".join(
                f'299 {self._agent} "{_quoted(each)}"' for each in warnings[:MOST_WARNINGS]
            )
        return headers

    async def _remaining(self, request: SearchServiceRequest, *, is_all: bool) -> str:
        """Return the warning about matches behind the page (PS3.18 8.3.4.4); "" if none are."""
        page, query = request.search.page, request.query
        if page.limit is None or query is None or (is_all and request.matches < page.limit):
            return ""
        before = page.offset + page.limit
        total = request.total
        if total is None:
            seconds = request.association.profile.choices.query_seconds
            counting = self._service.counting(query)
            request.on_cancel(counting.interrupt)
            until = None if seconds is None else request.began + seconds
            total = await self._run(counting.count, before + MOST_REMAINING + 1, until)
        if total is None:
            return "There are additional results that can be requested"
        remaining = total - before
        if remaining <= 0:
            return ""
        if remaining > MOST_REMAINING:
            return f"There are more than {MOST_REMAINING} additional results that can be requested"
        return f"There are {remaining} additional results that can be requested"

    def _refusal(self, status: int, comment: str, offending: tuple[int, ...]) -> RefusalError:
        words = comment or statuses.in_words(status, statuses.C_FIND_STATUSES, "")
        names = ", ".join(map(attribute_name, offending))
        if names and names not in words:
            words = f"{names}: {words}"
        if self._limit is LimitName.QUERY_TIME:
            return RefusalError(413, f"the search is too broad: {words}; add keys")
        code = _CODES.get(status, 500)
        return RefusalError(code, words, {"Retry-After": "1"} if code == 503 else None)


def _quoted(text: str) -> str:
    """Return text for the inside of a quoted string of a header."""
    clean = "".join(each if " " <= each <= "~" else "?" for each in text)
    return clean.replace("\\", "\\\\").replace('"', '\\"')
