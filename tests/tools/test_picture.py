"""The picture of README.md is drawn from what the program prints."""

from __future__ import annotations

import html
import re
from pathlib import Path
from xml.etree import ElementTree as ET

from fixtures.tool_modules import load_tool
from peers.processes import free_port

picture = load_tool("picture")


def words(document: str) -> str:
    """Return the text of a picture, a line a row."""
    ET.fromstring(document)
    rows = re.findall(r"<text[^>]*>([^<]*)</text>", document)
    return html.unescape("\n".join(rows)).replace("\xa0", " ")


def test_the_picture_shows_a_real_session() -> None:
    text = words(picture.draw(free_port()))
    assert "$" in text
    assert "dicomquest serve" in text
    assert "Doe^Peter" in text
    assert "Traceback" not in text


def test_the_picture_asks_no_host() -> None:
    document = picture.PICTURE.read_text(encoding="utf-8")
    assert not re.search(r"url\(|href|@import|@font-face", document.replace("url(#", ""))
    assert "Doe^Peter" in words(document)


def test_fonts_of_other_hosts_are_taken_out() -> None:
    document = '<style>\n @font-face {\n src: url("https://a.example/b"); }\n .x {}</style>'
    assert picture.without_hosts(document) == "<style>\n .x {}</style>"


def test_output_and_errors_of_a_command_are_shown(tmp_path: Path) -> None:
    command = "sh -c 'test -t 1 && echo out; test -t 2 || echo err >&2'"
    # A terminal passes its text on later than a pipe does, so either may come first.
    assert sorted(picture.run(command, tmp_path).plain.splitlines()) == ["err", "out"]
