from __future__ import annotations

import click
import pytest

from dicomquest.cli.serve_command import serve
from dicomquest.standard.choices import CHOICES
from fixtures.tool_modules import load_tool


@pytest.mark.requirement("QR-173")
def test_page_is_what_the_tables_say() -> None:
    tool = load_tool("conformance_statement")
    assert tool.STATEMENT.read_text(encoding="utf-8") == tool.statement()


@pytest.mark.requirement("QR-173")
def test_every_switch_is_option_of_server() -> None:
    options = {
        name
        for parameter in serve.params
        if isinstance(parameter, click.Option)
        for name in parameter.opts
    }
    assert {choice.switch for choice in CHOICES if choice.switch} <= options
