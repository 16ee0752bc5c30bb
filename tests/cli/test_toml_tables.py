"""Tables of a TOML file added and removed in its text."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.cli.toml_tables import with_table, without_table, write_whole
from dicomquest.errors import ConfigurationError

TEXT = """\
# our file
[serve]
port = 104  # the usual one

# the archive
[peers.A]
host = "a"
# [peers.B] is no header
port = 1

# the second archive
[peers."B 2"]
host = "b"

[limits]
idle-timeout = 5
"""


def test_table_is_added_at_the_end() -> None:
    assert with_table("", "peers", "A", {"host": "a", "port": 1}) == (
        '[peers.A]\nhost = "a"\nport = 1\n'
    )
    assert with_table("x = 1", "peers", 'B "2"', {"tls": True}) == (
        'x = 1\n\n[peers."B \\"2\\""]\ntls = true\n'
    )


def test_table_goes_and_the_rest_stays() -> None:
    left = without_table(TEXT, "peers", "A")
    assert left == TEXT.replace('[peers.A]\nhost = "a"\n# [peers.B] is no header\nport = 1\n', "")
    left = without_table(left, "peers", "B 2")
    assert "second" not in tomllib.loads(left)
    assert tomllib.loads(left) == {"serve": {"port": 104}, "limits": {"idle-timeout": 5}}


@pytest.mark.parametrize("text", ['peers.A.host = "a"', 'peers = {A = {host = "a"}}'])
def test_unusual_form_is_left_alone(text: str) -> None:
    with pytest.raises(ConfigurationError, match="not in the usual form"):
        without_table(text, "peers", "A")


TITLES = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1)


@given(title=TITLES, host=st.text())
def test_added_table_is_read_and_goes_again(title: str, host: str) -> None:
    text = with_table(TEXT, "peers", title, {"host": host})
    if title in tomllib.loads(TEXT)["peers"]:
        return
    assert tomllib.loads(text)["peers"][title] == {"host": host}
    assert without_table(text, "peers", title) == TEXT


def test_file_is_written_whole_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "dicomquest.toml"
    path.write_text("old")
    path.chmod(0o640)
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    write_whole(link, "new")
    assert path.read_text() == "new"
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(each.name for each in tmp_path.iterdir()) == ["dicomquest.toml", "link.toml"]
