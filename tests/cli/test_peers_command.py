"""`dicomquest peers`: the named peers listed, tested, added and removed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from dicomquest.cli import main
from fixtures.faces import HOST, scp, serving
from peers.processes import free_port

FILE = Path("dicomquest.toml")


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def peers(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(main, ["peers", *arguments])
    assert result.exit_code == status, result.output
    return result.output


def test_peer_is_added_listed_and_removed() -> None:
    assert "There is no named peer" in peers("list")
    peers("add", "ARCHIVE", "pacs.example", "104")
    peers("add", "pacs2", "2.example", "2762", "--aet", "P2", "--own-aet", "LAB", "--tls")
    assert peers("list").splitlines() == [
        "Peer     AE title  Host and port          Besides",
        "ARCHIVE  ARCHIVE   pacs.example port 104",
        "pacs2    P2        2.example port 2762    own-aet, tls",
    ]
    peers("remove", "ARCHIVE")
    assert json.loads(peers("list", "--format", "json")) == [
        {
            "peer": "pacs2", "ae_title": "P2", "host": "2.example", "port": 2762,
            "aet": "P2", "own_aet": "LAB", "tls": True,
        }
    ]  # fmt: skip
    peers("remove", "pacs2")
    assert FILE.read_text() == ""


def test_added_peer_leaves_the_rest_of_the_file() -> None:
    FILE.write_text("# ours\n[serve]\nport = 1\n")
    peers("add", "A", "a.example", "104")
    assert (
        FILE.read_text()
        == '# ours\n[serve]\nport = 1\n\n[peers.A]\nhost = "a.example"\nport = 104\n'
    )


def test_added_peer_takes_nothing_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMQUEST_AET", "OURS")
    monkeypatch.setenv("DICOMQUEST_MAX_PDU", "8192")
    FILE.write_text('[serve]\naet = "OF_FILE"\n')
    peers("add", "A", "a.example", "104")
    assert FILE.read_text().endswith('[peers.A]\nhost = "a.example"\nport = 104\n')


def test_file_of_the_option_is_changed() -> None:
    Path("other.toml").write_text("")
    peers("add", "A", "a.example", "104", "--config", "other.toml")
    assert not FILE.exists()
    assert "a.example" in peers("list", "--config", "other.toml")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add", "A", "b.example", "104"], "has a peer 'A'; remove it first"),
        (["add", "A2", "b.example", "104", "--aet", "A"], "another table has the AE title A"),
        (["add", "NO\\TITLE", "b.example", "104"], "is no AE title"),
        (["remove", "B"], "names no peer 'B'"),
        (["test", "B"], "'B' is no named peer; there are A."),
    ],
)
def test_wrong_change_leaves_the_file(arguments: list[str], message: str) -> None:
    FILE.write_text('[peers.A]\nhost = "a.example"\nport = 1\n')
    before = FILE.read_bytes()
    assert message in " ".join(peers(*arguments, status=2).split())
    assert FILE.read_bytes() == before


def test_unusual_table_is_not_removed() -> None:
    FILE.write_text('peers.A.host = "a.example"')
    assert "remove it with an editor" in peers("remove", "A", status=1)


def test_each_peer_is_asked() -> None:
    closed = free_port()
    with serving() as port:
        peers("add", "here", HOST, str(port))
        peers("add", "nowhere", HOST, str(closed))
        FILE.write_text(FILE.read_text() + "\n[peers.RULES]\nstrict = true\n")
        lines = peers("test", status=1).splitlines()
        assert lines[0].startswith("here     answered in ")
        assert lines[1].startswith(f"nowhere  no connection to {HOST} port {closed}: ")
        assert lines[2:] == ["1 peer of 2 did not answer."]
        assert peers("test", "here").startswith("here  answered in ")


def test_destination_must_take_instances() -> None:
    """It is asked for Storage besides C-ECHO, under its own title; the peer of its name is not."""
    storing = scp()
    storing.add_supported_context("1.2.840.10008.5.1.4.1.1.2")
    with serving() as finding, serving(ae=storing) as taking:
        FILE.write_text(
            f'[peers.LAB]\nhost = "{HOST}"\nport = {finding}\n'
            f'[destinations.LAB]\nhost = "{HOST}"\nport = {taking}\n'
            f'[destinations.WRONG]\nhost = "{HOST}"\nport = {finding}\n'
        )
        lab, destination, wrong, last = peers("test", status=1).splitlines()
        named = peers("test", "LAB").splitlines()
    assert lab.startswith("LAB                  answered in ")
    assert destination.startswith("LAB (destination)    answered in ")
    assert destination.endswith("; it takes Storage (1 class)")
    assert wrong.startswith("WRONG (destination)  answered in ")
    assert wrong.endswith(", but takes no instances: it is no Storage SCP for DICOMQUEST")
    assert last == "1 peer of 3 did not answer."
    assert [line.split("  ")[0] for line in named] == ["LAB", "LAB (destination)"]


def test_nothing_to_test_is_told() -> None:
    assert "no named peer to test" in peers("test")
