"""The page on the configuration file: its keys and defaults are those of ``dicomquest serve``."""

from __future__ import annotations

import re
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

import pytest

from dicomquest.cli.serve_settings import PEER_SETTINGS, TABLE_OF, ServeSettings
from dicomquest.cli.settings.destination_settings import DestinationSettings
from dicomquest.cli.settings.federation_settings import UpstreamSettings
from dicomquest.cli.settings.reach_settings import ReachSettings

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "configuration.md").read_text("utf-8")

# docs/reference/limits.md has those of [limits].
SETTINGS = {
    each.name.replace("_", "-"): each
    for each in fields(ServeSettings)
    if TABLE_OF.get(each.name, "limits") != "limits"
}

ROWS = {
    key: (table, default)
    for key, table, default in re.findall(
        r"^\| `([\w-]+)` \| `\[(\w+)\]` \| (.+?) \| .+ \|$", PAGE, re.MULTILINE
    )
}

IN_WORDS = {
    "services": "all",
    "models": "all",
    "levels": "all",
    "visible": "none",
    "destinations": "all",
    "upstream": "none",
    "cors-origin": "none",
    "hl7-from": "all",
    "http-host": "none",
    "index": "`$DICOMQUEST_INDEX`, else `dicomquest.sqlite`",
    "retrieve-aet": "that of `aet`",
}
"""Defaults that are no constant."""


def test_the_page_has_each_key() -> None:
    assert ROWS.keys() == SETTINGS.keys()


@pytest.mark.parametrize("key", SETTINGS)
def test_a_default_is_that_of_the_program(key: str) -> None:
    table, default = ROWS[key]
    assert table == TABLE_OF[SETTINGS[key].name]
    assert default == IN_WORDS.get(key, _words(SETTINGS[key]))


def _words(setting: Field[Any]) -> str:
    default = setting.default
    assert default is not MISSING
    match default:
        case None:
            return "none"
        case bool():
            return f"`{str(default).lower()}`"
        case float():
            return f"`{default:g}`"
        case _:
            return f"`{default}`"


def test_the_page_has_each_key_of_a_peer() -> None:
    (line,) = re.findall(r"^These keys may stand there: (.+)\.$", PAGE, re.MULTILINE)
    assert set(re.findall(r"`([\w-]+)`", line)) == {
        name.replace("_", "-") for name in PEER_SETTINGS
    }


def test_the_page_has_each_way_to_a_peer() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| [^`|\[]+ \|$", PAGE, re.MULTILINE)
    own = (*fields(DestinationSettings), *fields(UpstreamSettings))
    keys = (*fields(ReachSettings), *own)
    assert set(rows) == {each.name.replace("_", "-") for each in keys}
