"""Stored text stays text in the results of a search by HTTP (PS3.18 F, PS3.19 A.1)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from dicomquest.index import Index
from fixtures.building import instance
from fixtures.web import Browser

XML = 'multipart/related; type="application/dicom+xml"'


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """An empty index."""
    with Index(tmp_path / "index.sqlite") as opened:
        yield opened


HOSTILE = [
    "<script>alert(1)</script>",
    "\x1b[31mred\x1b]0;title\x07",
    "\u202eevil\u2066\ufeff",
    '"</style>--b\r\n\r\n',
    ']}],"00080005":',
    "\ud7ff\U0010ffff\ufffe\x00\x7f\x85\u2028",
    "山" * 20_000,
]


@pytest.mark.requirement("QI-040", "QI-041")
@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_stored_text_is_inert(index: Index, value: str) -> None:
    """Script, escapes of a terminal, marks of direction and very long text stay text."""
    index.ingest_data_sets(
        [instance(1, PatientName=value, StudyDescription=(value,), AccessionNumber=(value[:16],))]
    )
    browser = Browser(index)
    response = browser.get("/studies?includefield=StudyDescription", Accept_Encoding="identity")
    assert response.headers["content-type"] == "application/dicom+json"
    assert response.headers["x-content-type-options"] == "nosniff"
    raw = response.content.decode("utf-8")
    assert not any(ord(each) < 0x20 for each in raw)
    [match] = response.json()
    stored = value.rstrip(" \0")
    assert match["00081030"]["Value"] == [
        unicodedata.normalize("NFC", stored.replace("\0", "\ufffd"))
    ]
    as_xml = browser.get("/studies?includefield=StudyDescription", Accept=XML)
    assert as_xml.status_code == 200
    message = message_from_bytes(
        b"Content-Type: " + as_xml.headers["content-type"].encode() + b"\r\n\r\n" + as_xml.content
    )
    _, part = message.walk()
    assert part.get_content_type() == "application/dicom+xml"
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    assert "script" not in {each.tag for each in ET.fromstring(payload).iter()}
