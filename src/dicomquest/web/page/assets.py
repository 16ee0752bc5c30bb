"""The style sheet, the script and the icon: read once, named by their content (RFC 8246)."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from dicomquest.web.exchange import Exchange
from dicomquest.web.refusals import RefusalError

_TYPES = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_SCRIPT = (
    "frame", "rows", "ticks", "study", "copying", "reading", "clicks", "keys", "theme", "session",
    "start",
)  # fmt: skip
"""The parts of the script in their order: one file of them all is one request."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that never changes under its address."""

    address: str
    content_type: str
    body: bytes
    compressed: bytes


@cache
def assets() -> dict[str, Asset]:
    """Return the files by their names."""
    folder = files(__package__) / "static"
    found = {}
    for name, content_type in _TYPES.items():
        if name == "page.js":
            body = b"".join((folder / "script" / f"{each}.js").read_bytes() for each in _SCRIPT)
        else:
            body = (folder / name).read_bytes()
        digest = hashlib.sha256(body).hexdigest()[:12]
        stem, _, ending = name.partition(".")
        address = f"/static/{stem}.{digest}.{ending}"
        found[name] = Asset(address, content_type, body, gzip.compress(body, 9, mtime=0))
    return found


def address_of(name: str) -> str:
    """Return the address of a file."""
    return assets()[name].address


async def send_asset(exchange: Exchange) -> None:
    """Answer a request for a file; RefusalError 404 if there is none."""
    path = exchange.scope["path"]
    for asset in assets().values():
        if asset.address == path:
            headers = {
                "Content-Type": asset.content_type,
                "Cache-Control": "public, max-age=31536000, immutable",
                "X-Content-Type-Options": "nosniff",
                "Vary": "Accept-Encoding",
            }
            if exchange.takes_gzip:
                headers["Content-Encoding"] = "gzip"
                await exchange.answer(200, asset.compressed, headers)
            else:
                await exchange.answer(200, asset.body, headers)
            return
    raise RefusalError(404, "there is no such resource")
