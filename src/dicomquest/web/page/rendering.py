"""The templates of the page, and the headers of what they become (CSP Level 3)."""

from __future__ import annotations

from functools import cache
from typing import Any

from dicomquest.errors import DicomquestError
from dicomquest.web.exchange import Compression, Exchange
from dicomquest.web.page.assets import address_of

try:
    from jinja2 import Environment, PackageLoader, StrictUndefined
except ImportError as missing:
    raise DicomquestError("the page needs Jinja2: pip install 'dicomquest[web]'") from missing

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self' weasis:; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types rows"
)
"""Nothing inline, and nothing from elsewhere."""

PRIVATE = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
"""The headers of all that may name a patient."""

HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": POLICY,
    **PRIVATE,
}
"""The headers of each page."""


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("dicomquest.web.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["asset"] = address_of
    return made


def render(name: str, **values: Any) -> str:
    """Return a template with its values, which it escapes."""
    return _environment().get_template(name).render(values)


GZIP_LEVEL = 9
"""The level of zlib for pages: a page has a hundred kilobytes at most, which take a millisecond."""


class HtmlStream:
    """A page that is sent part by part; compressed if the client takes it."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._compression = Compression(GZIP_LEVEL) if exchange.takes_gzip else None

    async def begin(self, code: int = 200) -> None:
        """Send the status and the headers."""
        headers = dict(HEADERS)
        headers["Vary"] = "Accept-Encoding"
        if self._compression is not None:
            headers["Content-Encoding"] = "gzip"
        await self._exchange.start(code, headers)

    async def send(self, text: str, *, more: bool = True) -> None:
        """Send a part."""
        body = text.encode("utf-8", "replace")
        if self._compression is not None:
            body = self._compression.compress(body, more=more)
        await self._exchange.write(body, more=more)
