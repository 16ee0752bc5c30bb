from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from fixtures.tool_modules import load_tool


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return load_tool("check_site")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.html", '<script src="https://cdn.example/x.js"></script>'),
        ("a.html", '<link rel="stylesheet" href="//fonts.example/x.css">'),
        ("a.html", '<link rel="preconnect" href="https://fonts.example">'),
        ("a.html", '<img src="http://badge.example/x.svg">'),
        ("a.html", '<p style="background: url(https://cdn.example/x.png)">'),
        ("a.css", '@import "https://fonts.example/x.css";'),
        ("a.svg", '<image href="https://cdn.example/x.png"/>'),
    ],
)
def test_foreign_resource_is_found(tool: ModuleType, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    (fault,) = tool.faults(tmp_path)
    assert fault.startswith(f"{name} loads ")


@pytest.mark.parametrize(
    "text",
    [
        '<a href="https://dicom.example/">the Standard</a>',
        '<link rel="canonical" href="https://docs.example/">',
        '<script src="../assets/x.js"></script>',
        '<svg xmlns="http://www.w3.org/2000/svg"></svg>',
    ],
)
def test_links_and_own_resources_are_allowed(tool: ModuleType, tmp_path: Path, text: str) -> None:
    (tmp_path / "index.html").write_text(text, encoding="utf-8")
    assert list(tool.faults(tmp_path)) == []
