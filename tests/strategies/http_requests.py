"""Requests by HTTP: real resources with odd identifiers, parameters, headers and bodies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

from hypothesis import strategies as st

from dicomquest.standard.keys import KEYS

_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")  # h11 refuses these, whatever the resource is

KEYWORDS = [key.keyword for key in KEYS]
TAGS = [f"{key.tag:08X}" for key in KEYS]

WORDS = [
    "0",
    "-1",
    "1",
    "1,2",
    "0,1",
    "1,,1",
    "99999999999999999999",
    "1.2",
    "1..2",
    ".",
    "..",
    "*",
    "?",
    "\\",
    "\\\\",
    '"',
    '""',
    "'",
    "%",
    "%00",
    "=",
    "===",
    "^^^^^",
    "-",
    "--",
    "<script>alert(1)</script>",
    "山田^太郎",
    "ﬁ",
    "١٢٣",
    "²",
    "½",
    "Ⅷ",
    "20240101",
    "20240101-",
    "20240132",
    "00000000-99999999",
    "Z",
    ":",
    "1/2/2024",
    "2024-13",
    "today",
    "235960",
    "10-09",
    "+0100",
    "nan",
    "inf",
    "1e999",
    "0x10",
    "1_000",
    "true",
    "false",
    "all",
    "CT",
    ">70y",
    "64,64",
    "0,0",
    "40,400,linear",
    "name:",
    "::",
    "OR",
    "(",
    "application/dicom+json",
    "image/*",
    "../../etc/passwd",
    "//",
    "1CT1",
    "x;y",
    "a&b",
]
ODD = st.sampled_from(
    [*WORDS, "", "last week", "\0", "\x1b[31m", "\u202e", "\ud7ff", "9" * 65, "*" * 101, "a" * 3000]
)
TEXT = st.one_of(
    ODD, st.text(st.characters(codec="utf-8"), max_size=12), ODD.map(lambda text: text * 3)
)
PARAMETERS = [
    "includefield",
    "limit",
    "offset",
    "fuzzymatching",
    "emptyvaluematching",
    "multiplevaluematching",
    "accept",
    "viewport",
    "window",
    "quality",
    "annotation",
    "charset",
    "requestType",
    "studyUID",
    "TimezoneOffsetFromUTC",
    "q",
    "s",
    "sort",
    "after",
    "page",
    "form",
    "show",
    "next",
    "key",
    "keys",
    "00230010",
    "00231001",
    "RequestAttributesSequence.00401001",
    "7FE00010",
    "00000000",
    "00400275.00401001.00080060",
    "PatientName.PatientID",
    "FFFEE000",
]
NAMES = st.one_of(*map(st.sampled_from, (KEYWORDS, TAGS, PARAMETERS)), TEXT)
ACCEPT = st.sampled_from(
    [
        *[
            "*/*",
            "application/dicom+json",
            "application/dicom+xml",
            "text/html",
            "image/jpeg",
            "image/*",
        ],
        *[
            "application/zip",
            "multipart/related;;;",
            ",,,",
            "a/b;q=nan",
            "*/*;q=0",
            "application/dicom",
        ],
        *(
            f'multipart/related; type="{kind}"'
            for kind in (
                "application/dicom",
                "application/dicom+xml",
                "application/octet-stream; transfer-syntax=*",
                'application/dicom"; transfer-syntax="1.2.3',
            )
        ),
        "text/*, */*;q=.1",
        "x" * 9000,
        "multipart/*;type=" + '"' * 99,
    ]
)
HEADER_NAMES = [
    "Range",
    "If-None-Match",
    "If-Modified-Since",
    "If-Range",
    "Authorization",
    "Cookie",
    "Host",
    "Origin",
    "Accept-Encoding",
    "Accept-Language",
    "Content-Encoding",
    "X-Forwarded-Host",
    "Access-Control-Request-Method",
    "Sec-Fetch-Site",
    "Referer",
    "Forwarded",
]
HEADER_VALUES = [
    *[
        "bytes=0-0",
        "bytes=-1",
        "bytes=5-1",
        "bytes=0-,1-",
        "bytes=99999999999999999999-",
        "bytes",
        "W/*",
        "gzip",
    ],
    *["gzip;q=x", "br", "null", "http://pacs.example", "cross-site", "GET", '"x"'],
    "Basic YTpi",
    "Basic !",
    "Bearer a.b.c",
]
HEADERS = st.one_of(
    st.tuples(st.just("Accept"), ACCEPT),
    st.tuples(st.sampled_from(HEADER_NAMES), st.one_of(st.sampled_from(HEADER_VALUES), TEXT)),
)
METADATA = [
    (
        b'\r\n[{"00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.2"]},'
        b' "00080018": {"vr": "UI", "Value": ["1.2.3"]}, "0020000D": {"vr": "UI", "Value": [1.2]},'
        b' "0020000E": {"vr": "UI", "Value": [1.4]}, "7FE00010": {"vr": "OW", "BulkDataURI": "a"}}]'
    ),
    b'\r\n[{"00081140": {"vr": "SQ", "Value": [{"00091010": {"vr": "UT", "BulkDataURI": "a"}}]}}]',
    b"Content-Type: application/dicom+json\r\n\r\n[{}, 1, null, [",
    b"Content-Type: application/dicom+xml\r\n\r\n<NativeDicomModel/>",
    b"Content-Location: a\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff\xc0\0\2",
    b"Content-Location: a\r\n\r\nabc",
]
BODIES = st.one_of(
    st.tuples(st.just("multipart/related; boundary=b"), st.binary(max_size=200)),
    st.tuples(
        st.just('multipart/related; type="application/dicom"; boundary=b'),
        st.lists(st.binary(max_size=300), max_size=3).map(
            lambda parts: b"".join(b"--b\r\n\r\n" + each + b"\r\n" for each in parts) + b"--b--"
        ),
    ),
    st.tuples(
        st.sampled_from(
            [
                f'multipart/related; type="application/dicom+{kind}"; boundary=b'
                for kind in ("json", "xml")
            ]
        ),
        st.lists(st.one_of(st.sampled_from(METADATA), st.binary(max_size=99)), max_size=4).map(
            lambda parts: b"".join(b"--b\r\n" + each + b"\r\n" for each in parts) + b"--b--"
        ),
    ),
    st.tuples(st.just("application/dicom"), st.binary(max_size=300)),
    st.tuples(
        st.just("application/x-www-form-urlencoded"),
        st.lists(st.tuples(NAMES, TEXT), max_size=4).map(
            lambda pairs: "&".join(f"{quote(n)}={quote(v)}" for n, v in pairs).encode()
        ),
    ),
    st.tuples(TEXT, st.binary(max_size=50)),
)


def _encoded(text: str) -> str:
    return quote(text, safe="")


def paths(templates: Sequence[str], known: dict[str, list[str]]) -> st.SearchStrategy[str]:
    """Paths of templates such as ``/studies/{study}``; ``known`` has real values by name."""

    def filled(template: str) -> st.SearchStrategy[str]:
        pieces = re.split(r"\{(\w+)(?::\w+)?\}", template)
        made = [
            st.just(piece)
            if number % 2 == 0
            else st.one_of(st.sampled_from(known.get(piece, ["1"])), TEXT).map(_encoded)
            for number, piece in enumerate(pieces)
        ]
        return st.tuples(*made).map("".join)

    return st.one_of(
        st.sampled_from(sorted(templates)).flatmap(filled),
        st.lists(TEXT, max_size=4).map(lambda parts: "/" + "/".join(map(_encoded, parts))),
    )


@st.composite
def http_requests(draw: st.DrawFn, templates: Sequence[str], known: dict[str, list[str]]) -> bytes:
    """Return the bytes of one request, whose headers are those of some client."""
    methods = ["GET"] * 6 + ["POST", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "BREW"]
    method = draw(st.sampled_from(methods))
    target = draw(paths(templates, known))
    parameters = draw(st.lists(st.tuples(NAMES, st.one_of(TEXT, st.none())), max_size=4))
    if parameters:
        target += "?" + "&".join(
            _encoded(name) + ("" if value is None else f"={_encoded(value)}")
            for name, value in parameters
        )
    headers = draw(st.lists(HEADERS, max_size=4))
    body = b""
    if method in {"POST", "PUT"}:
        kind, body = draw(BODIES)
        headers += [("Content-Type", kind), ("Content-Length", str(len(body)))]
        if draw(st.booleans()):
            headers += [("Sec-Fetch-Site", "same-origin")]
    lines = [f"{method} {target} HTTP/1.1", "Host: pacs.example"]
    lines += [f"{name}: {_CONTROLS.sub('', value).strip()}" for name, value in headers]
    return "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n" + body
