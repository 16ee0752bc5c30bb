from __future__ import annotations

import pytest

from fixtures.tool_modules import load_tool


@pytest.mark.requirement("QR-173")
def test_page_is_what_the_tables_say() -> None:
    tool = load_tool("conformance_statement")
    assert tool.STATEMENT.read_text(encoding="utf-8") == tool.statement()
