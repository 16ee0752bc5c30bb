from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from types import ModuleType

import pytest

from fixtures.tool_modules import load_tool

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return load_tool("import_graph")


def test_picture_has_a_box_for_each_package(tool: ModuleType) -> None:
    picture = ET.fromstring(tool.picture())
    texts = {each.text for each in picture.iter(f"{SVG}text")}
    assert {name for row in tool.layers() for name in row} <= texts
    arrows = [each for each in picture.iter(f"{SVG}path") if each.get("class") == "arrow"]
    assert len(arrows) >= len(list(picture.iter(f"{SVG}rect"))) - 3


def test_short_cut_is_left_out(tool: ModuleType) -> None:
    edges = {"a": {"b", "c", "d"}, "b": {"c"}, "c": set(), "d": set()}
    assert tool.without_short_cuts(edges) == {"a": {"b", "d"}, "b": {"c"}, "c": set(), "d": set()}


def test_engine_and_network_have_their_sides(tool: ModuleType) -> None:
    assert tool.sides()["index"] == "engine"
    assert tool.sides()["ul"] == "network"
    assert "services" not in tool.sides()


def test_the_page_describes_each_package(tool: ModuleType) -> None:
    page = tool.ROOT / "docs" / "explanation" / "how-it-works.md"
    cells = re.findall(r"^\| (`[^|]+`) \|", page.read_text(encoding="utf-8"), re.MULTILINE)
    described = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert described == {name for row in tool.layers() for name in row}
