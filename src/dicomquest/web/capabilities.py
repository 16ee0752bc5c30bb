"""The description of the service that OPTIONS on its root asks for, in WADL (PS3.18 8.9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from xml.sax.saxutils import quoteattr

WADL: Final = "application/vnd.sun.wadl+xml"

_MULTIPART: Final = "multipart/related; type="
_REPRESENTATIONS: Final = {
    "metadata": ("application/dicom+json", f"{_MULTIPART}application/dicom+xml"),
    "frames": (f"{_MULTIPART}application/octet-stream", "application/octet-stream"),
    "bulkdata": (f"{_MULTIPART}application/octet-stream", "application/octet-stream"),
    "pixeldata": (f"{_MULTIPART}application/octet-stream",),
    "rendered": ("image/jpeg", "image/png", "image/gif", "application/pdf", "video/mp4"),
    "thumbnail": ("image/jpeg", "image/png", "image/gif"),
    "search": ("application/dicom+json", f"{_MULTIPART}application/dicom+xml"),
    "retrieve": (f"{_MULTIPART}application/dicom", "application/dicom"),
}
"""The media types of the answers to GET, by the last word of a path."""
_COLLECTIONS: Final = frozenset({"studies", "series", "instances"})


def wadl(base: str, resources: Mapping[str, Sequence[str]]) -> bytes:
    """Return the document of paths with their methods, below a base address."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<application xmlns="http://wadl.dev.java.net/2009/02">',
        f"<resources base={quoteattr(base)}>",
    ]
    for path, methods in resources.items():
        lines.append(f"<resource path={quoteattr(path or '/')}>")
        for method in methods:
            types = _representations(path) if method == "GET" else ()
            shown = "".join(f"<representation mediaType={quoteattr(each)}/>" for each in types)
            answer = f"<response>{shown}</response>" if shown else ""
            lines.append(f"<method name={quoteattr(method)}>{answer}</method>")
        lines.append("</resource>")
    return "\n".join([*lines, "</resources>", "</application>", ""]).encode()


def _representations(path: str) -> Sequence[str]:
    words = [each for each in path.split("/") if each and not each.startswith("{")]
    if not words or words == ["wado"]:
        return ("application/dicom", *_REPRESENTATIONS["rendered"])
    if words[-1] not in _COLLECTIONS:
        return _REPRESENTATIONS[words[-1]]
    return _REPRESENTATIONS["retrieve" if path.endswith("}") else "search"]
