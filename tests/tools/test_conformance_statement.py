from __future__ import annotations

import pytest

from dicomquest.standard.sop_classes import RETRIEVE_SOP_CLASSES
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
