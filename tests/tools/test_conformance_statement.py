from __future__ import annotations

import importlib.util
from pathlib import Path

import click
import pytest

from dicomquest.cli.serve_command import serve
from dicomquest.standard.choices import CHOICES

TOOL = Path(__file__).parents[2] / "tools" / "conformance_statement.py"


@pytest.mark.requirement("QR-173")
def test_the_page_is_what_the_tables_say() -> None:
    spec = importlib.util.spec_from_file_location("conformance_statement", TOOL)
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.STATEMENT.read_text(encoding="utf-8") == tool.statement()


@pytest.mark.requirement("QR-173")
def test_every_switch_is_an_option_of_the_server() -> None:
    options = {
        name
        for parameter in serve.params
        if isinstance(parameter, click.Option)
        for name in parameter.opts
    }
    assert {choice.switch for choice in CHOICES if choice.switch} <= options
