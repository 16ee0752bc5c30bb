"""The file `dicomquest.toml`: its tables, and all that is wrong in one."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.cli.configuration import (
    Configuration,
    check_text,
    lines_of,
    read_configuration,
)
from dicomquest.errors import ConfigurationError


def read(folder: Path, text: str) -> Configuration:
    path = folder / "dicomquest.toml"
    path.write_text(text, encoding="utf-8")
    return read_configuration(str(path))


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        read(folder, text)
    return [fault.replace(f"{folder}/", "") for fault in caught.value.faults]


def test_setting_stands_in_its_table_or_serve(tmp_path: Path) -> None:
    own = read(
        tmp_path, '[serve]\naet = "A"\n[limits]\nidle-timeout = 9\n[access]\ncheck-aet = true'
    )
    assert own.settings == {"aet": "A", "idle_timeout": 9.0, "check_aet": True}
    assert read(tmp_path, "[serve]\nidle_timeout = 9").settings == {"idle_timeout": 9.0}


def test_flat_file_is_read_like_serve(tmp_path: Path) -> None:
    flat = read(tmp_path, "port = 104\nidle-timeout = 9\n[peers.X]\nstrict = true")
    assert flat.settings == {"port": 104, "idle_timeout": 9.0}
    assert flat.rules == {"X": {"strict": True}}


def test_setting_of_another_table_is_refused(tmp_path: Path) -> None:
    assert faults(tmp_path, "[limits]\nport = 104\n") == [
        "dicomquest.toml line 2: [limits] 'port' is not a setting here"
    ]


def test_setting_stands_in_the_file_once(tmp_path: Path) -> None:
    assert faults(tmp_path, "[serve]\nidle-timeout = 1\n[limits]\nidle_timeout = 2\n") == [
        "dicomquest.toml line 4: [limits] 'idle-timeout' stands in the file twice"
    ]


def test_peer_has_two_halves(tmp_path: Path) -> None:
    text = (
        '[peers.pacs1]\nhost = "pacs"\nport = 104\naet = "ARCHIVE"\nown-aet = "LAB"\nstrict = true'
    )
    configuration = read(tmp_path, text)
    peer = configuration.peers["pacs1"]
    assert peer.ae_title == "ARCHIVE"
    assert peer.reach == {"host": "pacs", "port": 104, "aet": "ARCHIVE", "own_aet": "LAB"}
    assert configuration.rules == {"ARCHIVE": {"strict": True}}


def test_title_is_free_where_the_ae_title_is_told(tmp_path: Path) -> None:
    text = '[peers."the old archive of A"]\nhost = "pacs"\naet = "OLD"'
    assert read(tmp_path, text).peers["the old archive of A"].ae_title == "OLD"
    assert "is no AE title" in faults(tmp_path, '[peers."the old archive of A"]\nhost = "pacs"')[0]


def test_two_peers_share_no_ae_title(tmp_path: Path) -> None:
    assert faults(tmp_path, '[peers.A]\nport = 1\n[peers.B]\naet = "A"\n') == [
        "dicomquest.toml line 3: [peers.B] another table has the AE title A"
    ]


def test_destination_has_no_rules(tmp_path: Path) -> None:
    destinations = read(tmp_path, '[destinations.WS]\nhost = "ws"\nport = 104').destinations
    assert destinations["WS"].reach == {"host": "ws", "port": 104}
    assert faults(tmp_path, "[destinations.WS]\nstrict = true") == [
        "dicomquest.toml line 2: [destinations.WS] 'strict' is not a setting here"
    ]


def test_all_faults_are_told_with_their_lines(tmp_path: Path) -> None:
    text = "[serve]\n# a comment\nprot = 1\nport = 70000\n\n[limts]\nx = 1\n[peers.X]\nstrict = 1\n"
    assert faults(tmp_path, text) == [
        "dicomquest.toml line 3: [serve] 'prot' is not a setting here; did you mean 'port'?",
        "dicomquest.toml line 4: [serve] port = 70000: 70000 is not in the range 0<=x<=65535.",
        "dicomquest.toml line 6: 'limts' is not a setting here; did you mean 'limits'?",
        "dicomquest.toml line 9: [peers.X] strict = 1: write true or false",
    ]


@pytest.mark.parametrize("text", ["serve = 1", "limits = []"])
def test_table_is_no_value(tmp_path: Path, text: str) -> None:
    assert "has to be a table" in faults(tmp_path, text)[0]


def test_unreadable_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_configuration(str(tmp_path / "none.toml"))
    (tmp_path / "latin.toml").write_bytes(b'aet = "\xe4"')
    with pytest.raises(ConfigurationError, match="is not TOML"):
        read_configuration(str(tmp_path / "latin.toml"))


NAMES = st.sampled_from(["port", "aet", "strict", "idle-timeout", "services", "index", "nonsense"])
VALUES = st.sampled_from(
    [
        "1", '"x"', "true", "nan", "inf", "-1.5", "1e400", "99999999999999999999", "{a = 1}", "[]",
        "[1]", "[{}]", '["find"]', "[true]", "2024-01-05", "07:32:00",
    ]
)  # fmt: skip
TABLES = st.sampled_from(["serve", "limits", "access", "peers", "peers.X", "destinations.X", "x.y"])


@given(tables=st.dictionaries(TABLES, st.dictionaries(NAMES, VALUES), max_size=4))
def test_any_file_is_read_or_told_to_be_wrong(tables: dict[str, dict[str, str]]) -> None:
    text = "".join(
        f"[{table}]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())
        for table, values in tables.items()
    )
    with contextlib.suppress(ConfigurationError):
        assert check_text("x.toml", text).path == "x.toml"


@pytest.mark.parametrize("value", ["nan", "inf", "2024-01-05", "07:32:00", "{a = 1}"])
def test_value_that_is_no_number_is_told(tmp_path: Path, value: str) -> None:
    assert "write " in faults(tmp_path, f"[limits]\nidle-timeout = {value}")[0]


def test_number_is_a_text_where_one_is_wanted(tmp_path: Path) -> None:
    assert read(tmp_path, "[serve]\naet = 1\nport = 104").settings == {"aet": "1", "port": 104}


def test_faults_show_no_password(tmp_path: Path) -> None:
    text = '[serve]\nindex = ["postgresql://me:secret@db/x"]'
    assert faults(tmp_path, text) == [
        "dicomquest.toml line 2: [serve] index = ['postgresql://me:***@db/x']: write one value"
    ]


def test_lines_are_found_in_all_usual_forms() -> None:
    text = 'a = 1\n  [serve] # x\n"b-c" = 1\n\'d\'=2\n[peers."X Y"]\ne = """\n"""\n[peers.\'Z\']\n'
    assert lines_of(text) == {
        ("", "a"): 1,
        ("serve", ""): 2,
        ("serve", "b_c"): 3,
        ("serve", "d"): 4,
        ("peers.X Y", ""): 5,
        ("peers.X Y", "e"): 6,
        ("peers.Z", ""): 8,
    }
