from __future__ import annotations

import re

import pytest

from dicomquest.dataset import bulk_values
from dicomquest.standard.sop_classes import RETRIEVE_SOP_CLASSES
from dicomquest.web import (
    frames_endpoint,
    search_parameters,
    search_service,
    store_endpoint,
    store_parts,
    store_spool,
    store_start,
    web_service,
)
from dicomquest.web.retrieve_media import FRAME_TYPES
from fixtures.tool_modules import load_tool


@pytest.mark.requirement("QR-173")
def test_page_is_what_the_tables_say() -> None:
    tool = load_tool("conformance_statement")
    assert tool.STATEMENT.read_text(encoding="utf-8") == tool.statement()


@pytest.mark.requirement("RT-084")
def test_page_has_the_choices_of_retrieve() -> None:
    page = load_tool("conformance_statement").STATEMENT.read_text(encoding="utf-8")
    _, _, section = page.partition("### 5.2 Retrieve: C-GET and C-MOVE")
    section, _, _ = section.partition("\n## ")
    for sop_class in RETRIEVE_SOP_CLASSES:
        assert f"| {sop_class.name} | {sop_class.uid} |" in page
    for word in ("[destinations.TITLE]", "caller-port", "assume-roles", "limits.md", "images"):
        assert word in section
    codes = {row.split("|")[1].strip() for row in section.splitlines() if row.startswith("| ")}
    assert {"0000", "FF00", "FE00", "B000", "A701", "A702", "A801", "0124"} <= codes


def rows_of(page: str, heading: str) -> dict[str, str]:
    """The table of a section, by its first column."""
    section = page.partition(heading)[2].partition("\n### ")[0]
    return dict(re.findall(r"^\| ([^|]+) \| (.+) \|$", section, re.MULTILINE))


@pytest.mark.requirement("WS-040")
def test_page_has_the_limits_of_the_web() -> None:
    """Each limit has the number that the service has."""
    page = load_tool("conformance_statement").STATEMENT.read_text(encoding="utf-8")
    search, store, retrieve = (rows_of(page, f"### 5.{number} ") for number in (3, 4, 5))
    for number, row in (
        (f"{web_service.LONGEST_URI >> 10} KiB (414)", search["Limits"]),
        (f"{search_parameters.MOST_PARAMETERS:,} parameters (400)", search["Limits"]),
        (f"beyond {search_service.MOST_REMAINING:,}", search["Most matches of an answer"]),
        (f"Headers of a part {store_parts.LONGEST_HEADERS >> 10} KiB", store["Limits"]),
        (f"Meta Information {store_start.LONGEST_START >> 10} KiB", store["Limits"]),
        (f"preamble of the message {store_parts.LONGEST_PREAMBLE >> 10} KiB", store["Limits"]),
        (f"{store_endpoint.MOST_HELD >> 20} MB of instances", store["Limits"]),
        (f"metadata {store_spool.SpoolLimits().metadata >> 20} MiB", store["Limits"]),
        (f"more than {bulk_values.LONGEST_INLINE:,} bytes", retrieve["Metadata"]),
    ):
        assert number in row, number
    assert store_spool.SpoolLimits().notes // store_spool.NOTE > 100_000
    assert ("hour" in retrieve["Caching"]) == ("max-age=3600" in frames_endpoint.CACHED)


@pytest.mark.requirement("WS-040")
def test_page_has_the_choices_of_the_web() -> None:
    """The answers to what the Standard leaves open or recommends, with their switches."""
    page = load_tool("conformance_statement").STATEMENT.read_text(encoding="utf-8")
    search, store, retrieve = (rows_of(page, f"### 5.{number} ") for number in (3, 4, 5))
    assert "with `strict`, 406" in search["Media types"]
    assert "matches on any entity below" in search["Choices of our own"]
    assert "cors-origin" in search["Security"]
    assert "also without `type`" in store["Media types taken"]
    assert "415" in store["Content codings"]
    assert "BulkDataURI, in any order" in store["Metadata with bulk data"]
    for code in ("200", "202", "400", "408", "409", "415", "503"):
        assert code in store["Status codes"]
    assert "lossy pixels as stored" in retrieve["Transfer syntax of instances"]
    assert "no Accept: as stored" in retrieve["Transfer syntax of instances"]
    frames = retrieve["Frames"] + retrieve["Video"]
    assert all(f"`{kind}`" in frames for kind in set(FRAME_TYPES.values()))
    assert "transfer-syntax=*` is the stored codestream" in retrieve["Frames"]
    assert "BulkDataURI: an absolute address" in retrieve["Metadata"]
    assert "breaks the connection" in retrieve["Status codes"]
