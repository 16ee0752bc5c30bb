"""A built OHIF, whose files stand at the root, moved below a path (PS3.18 has no viewer).

A build names its files by absolute addresses: in its page, its style sheets, its manifest, and the
public path of webpack's run time in its scripts and workers. Each gets the path in front.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dicomquest.errors import DicomquestError

INDEX = "index.html"

CONFIGURATION = "app-config.js"

LEFT_OUT = frozenset({CONFIGURATION, "sw.js", "silent-refresh.html"})
"""Files of the build that are not served: its configuration and its service worker are for a site
of its own, and ask other hosts."""

TYPES = {
    ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
    ".json": "application/json", ".wasm": "application/wasm", ".svg": "image/svg+xml",
    ".png": "image/png", ".ico": "image/x-icon", ".jpg": "image/jpeg", ".gif": "image/gif",
    ".woff2": "font/woff2", ".woff": "font/woff", ".ttf": "font/ttf",
    ".xml": "application/xml", ".txt": "text/plain; charset=utf-8",
    ".onnx": "application/octet-stream",
}  # fmt: skip
"""The kinds of file that are served, each with its media type."""

SMALLER_BY_GZIP = frozenset({".html", ".js", ".mjs", ".css", ".json", ".wasm", ".svg"})

MOST_KEPT = 64 << 20
"""Bytes of prepared files that stay in memory: all that lists and viewers load, with room."""

_PUBLIC_PATH = re.compile(rb"""(\.p\s?=\s?)(["'])/\2""")
_STYLE_ADDRESS = re.compile(rb"""(url\(["']?)/(?!/)""")
_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
_NAMED_BY_CONTENT = re.compile(r"(^|\.)[0-9a-f]{16}\.")


class ViewerBuildError(DicomquestError):
    """A folder without a built OHIF, or with one that cannot be served below a path."""


@dataclass(frozen=True, slots=True)
class BuiltFile:
    """A file of the build as it is served."""

    content_type: str
    body: bytes
    compressed: bytes | None
    etag: str
    is_named_by_content: bool


class ViewerBuild:
    """The files of a build by their paths below the base; nothing else is ever opened."""

    def __init__(self, folder: Path, base: str) -> None:
        """List the files; ViewerBuildError if ``folder`` has no build that can be served."""
        self.base = base
        found = next((each for each in (folder, folder / "dist") if (each / INDEX).is_file()), None)
        if found is None:
            raise ViewerBuildError(
                f"{folder} has no built OHIF: it has no {INDEX}. "
                "Unpack what `npm pack @ohif/app` gives, and name its folder package/dist."
            )
        self._paths = dict(_files_of(found))
        self._kept: dict[str, BuiltFile] = {}
        self._size = 0
        page = self._paths[INDEX].read_bytes()
        scripts = [self._paths.get(name) for name in re.findall(r'src="/([^"]+)"', page.decode())]
        if not any(_PUBLIC_PATH.search(path.read_bytes()) for path in scripts if path):
            raise ViewerBuildError(
                f"{found} has a build of OHIF that was made for another path than /. "
                "Use the build that npm's package @ohif/app ships."
            )

    def __contains__(self, path: str) -> bool:
        return path in self._paths

    def file(self, path: str) -> BuiltFile:
        """Return a file, changed as needed; blocking. OSError if it is gone."""
        if path not in self._kept:
            made = self._prepared(self._paths[path])
            size = len(made.body) + len(made.compressed or b"")
            if self._size + size > MOST_KEPT:
                return made
            self._size += size
            self._kept[path] = made
        return self._kept[path]

    def policy(self) -> str:
        """Return the Content-Security-Policy of the page, its scripts and its workers; blocking.

        The decoders are compiled C++, whose glue code makes functions from text.
        """
        inline = _INLINE_SCRIPT.findall(self.file(INDEX).body)
        hashes = " ".join(f"'sha256-{b64encode(hashlib.sha256(each).digest()).decode()}'"
                          for each in inline)  # fmt: skip
        return "; ".join(
            [
                "default-src 'none'",
                f"script-src 'self' {hashes} 'unsafe-eval' 'wasm-unsafe-eval'",
                "style-src 'self' 'unsafe-inline'",
                "img-src 'self' data: blob:",
                "font-src 'self' data:",
                "media-src 'self' blob:",
                "connect-src 'self' data: blob:",
                "worker-src 'self' blob:",
                "frame-src 'self' blob:",
                "object-src 'self' blob:",
                "manifest-src 'self'",
                "base-uri 'none'",
                "form-action 'self'",
                "frame-ancestors 'self'",
            ]
        )

    def _prepared(self, path: Path) -> BuiltFile:
        ending = path.suffix
        body = path.read_bytes()
        if change := _CHANGES.get(ending):
            body = change(body, self.base.encode())
        return BuiltFile(
            TYPES[ending],
            body,
            gzip.compress(body, 1, mtime=0) if ending in SMALLER_BY_GZIP else None,
            f'"{hashlib.sha256(body).hexdigest()[:32]}"',
            _NAMED_BY_CONTENT.search(path.name) is not None,
        )


def configuration(dicomweb: str, base: str) -> bytes:
    """Return the script that tells OHIF its own path and that of the services."""
    source = {
        "friendlyName": "dicomquest",
        "name": "dicomquest",
        "qidoRoot": dicomweb,
        "wadoRoot": dicomweb,
        "wadoUriRoot": dicomweb,
        "imageRendering": "wadors",
        "thumbnailRendering": "wadors",
        "enableStudyLazyLoad": True,
        "supportsFuzzyMatching": False,
        "supportsWildcard": True,
        "qidoSupportsIncludeField": True,
        "singlepart": "bulkdata,video,pdf",
        "bulkDataURI": {"enabled": True},
        "omitQuotationForMultipartRequest": True,
    }
    config = {
        "name": "dicomquest",
        "routerBasename": f"{base}/",
        "showStudyList": True,
        "extensions": [],
        "modes": [],
        "customizationService": {},
        "investigationalUseDialog": {"option": "never"},
        "showWarningMessageForCrossOrigin": False,
        "showCPUFallbackMessage": True,
        "defaultDataSourceName": "dicomweb",
        "dataSources": [
            {
                "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
                "sourceName": "dicomweb",
                "configuration": source,
            }
        ],
    }
    return f"window.config = {json.dumps(config, indent=2)};\n".encode()


def _files_of(folder: Path) -> Mapping[str, Path]:
    """Return the files that may be served; a link that leads out of the folder is none."""
    found = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            relative = path.relative_to(folder).as_posix()
            if path.suffix in TYPES and relative not in LEFT_OUT and not path.is_symlink():
                found[relative] = path
    return found


def _move_page(body: bytes, base: bytes) -> bytes:
    return body.replace(b'="/', b'="' + base + b"/")


def _move_script(body: bytes, base: bytes) -> bytes:
    moved = _PUBLIC_PATH.sub(rb"\1\2" + base + rb"/\2", body)
    return moved.replace(b"'/dicom-microscopy-viewer/", b"'" + base + b"/dicom-microscopy-viewer/")


def _move_style(body: bytes, base: bytes) -> bytes:
    return _STYLE_ADDRESS.sub(rb"\1" + base + b"/", body)


def _move_manifest(body: bytes, base: bytes) -> bytes:
    return body.replace(b'"/', b'"' + base + b"/")


_CHANGES: Mapping[str, Callable[[bytes, bytes], bytes]] = {
    ".html": _move_page,
    ".js": _move_script,
    ".css": _move_style,
    ".json": _move_manifest,
}
