"""Named peers on the command line, in the place of a host and a port."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from dicomquest.cli import echo_command, find_command, main, send_command
from dicomquest.cli.named_peers import complete_peer

FILE = """\
[serve]
aet = "OWN"
[peers.pacs1]
host = "pacs.example"
port = 104
aet = "ARCHIVE"
own-aet = "LAB"
tls = true
dimse-timeout = 7
[peers.only_rules]
strict = true
[peers.half]
host = "half.example"
"""


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Any, ...]]:
    """The hosts, ports, settings and the rest that commands were run with."""
    runs: list[tuple[Any, ...]] = []
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dicomquest.toml").write_text(FILE, "utf-8")
    monkeypatch.setattr(
        find_command, "run", lambda told: runs.append((told.host, told.port, told.peer, told.keys))
    )
    monkeypatch.setattr(
        echo_command, "run", lambda host, port, peer, **_: runs.append((host, port, peer, ()))
    )
    monkeypatch.setattr(
        send_command,
        "run",
        lambda paths, host, port, peer, **_: runs.append((host, port, peer, paths)),
    )
    return runs


def run(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == status, result.output
    return re.sub(r"\s+", " ", result.output)


@pytest.mark.parametrize(
    ("arguments", "rest"),
    [
        (["echo", "pacs1"], ()),
        (["find", "pacs1"], ()),
        (["find", "pacs1", "PatientID"], ("PatientID",)),
        (["find", "pacs1", "PatientID", "Modality=CT"], ("PatientID", "Modality=CT")),
        (["find", "-L", "SERIES", "pacs1", "--explain", "PatientID"], ("PatientID",)),
        (["send", ".", "pacs1"], (".",)),
        (["send", ".", "dicomquest.toml", "pacs1"], (".", "dicomquest.toml")),
    ],
)
def test_peer_stands_for_host_and_port(
    asked: list[tuple[Any, ...]], arguments: list[str], rest: tuple[str, ...]
) -> None:
    run(*arguments)
    ((host, port, peer, others),) = asked
    assert (host, port, others) == ("pacs.example", 104, rest)
    assert (peer.aec, peer.aet, peer.tls, peer.dimse_timeout) == ("ARCHIVE", "LAB", True, 7.0)
    assert peer.acse_timeout == 30.0


@pytest.mark.parametrize(
    "arguments",
    [
        ["echo", "pacs1", "104"],
        ["find", "pacs1", "104", "PatientID"],
        ["send", ".", "pacs1", "104"],
    ],
)
def test_number_after_the_host_is_the_port(
    asked: list[tuple[Any, ...]], arguments: list[str]
) -> None:
    run(*arguments)
    host, port, peer, _ = asked[0]
    assert (host, port, peer.aec, peer.aet) == ("pacs1", 104, "ANY-SCP", "OWN")


def test_command_line_and_environment_win(
    asked: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DICOMQUEST_DIMSE_TIMEOUT", "5")
    run("find", "--aec", "BEFORE", "pacs1", "PatientID", "--aet", "AFTER")
    peer = asked[0][2]
    assert (peer.aec, peer.aet, peer.dimse_timeout, peer.tls) == ("BEFORE", "AFTER", 5.0, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["find", "pacs2", "PatientID"], "'pacs2' is no named peer; there are pacs1, half."),
        (["echo", "only_rules"], "[peers.only_rules] has no host, so it only says what"),
        (["echo", "half"], "[peers.half] has no port"),
        (["send", ".", "nobody"], "'nobody' is no named peer"),
        (["send", "pacs1"], "Missing argument 'PATH...'"),
        (["echo"], "Missing argument"),
        (["echo", "pacs1", "70000"], "70000 is not in the range"),
    ],
)
def test_wrong_peer_is_told(arguments: list[str], message: str) -> None:
    assert message in run(*arguments, status=2)


def test_no_peer_is_named_without_a_file(tmp_path: Path) -> None:
    (tmp_path / "dicomquest.toml").unlink()
    assert "dicomquest peers add PEER HOST PORT" in run("echo", "pacs1", status=2)


def test_shell_completes_names_of_peers(tmp_path: Path) -> None:
    command = main.get_command(click.Context(main), "echo")
    assert command is not None
    argument, ctx = command.params[0], click.Context(command)
    for complete in (
        argument.shell_complete,
        lambda *rest: complete_peer(rest[0], argument, rest[1]),
    ):
        assert [item.value for item in complete(ctx, "")] == ["pacs1"]
        assert [item.value for item in complete(ctx, "p")] == ["pacs1"]
    (tmp_path / "dicomquest.toml").write_text("wrong", "utf-8")
    assert argument.shell_complete(ctx, "") == []


@pytest.mark.parametrize(
    ("words", "completions"),
    [
        ("find pa", ["pacs1"]),
        ("find pacs1 PatientN", ["PatientName"]),
        ("find pacs1 PatientName=X StudyDa", ["StudyDate"]),
        ("find other.example 104 StudyDa", ["StudyDate"]),
        ("find only_rules StudyDa", []),
        ("find unknown StudyDa", []),
        ("echo pacs1 --dimse", ["--dimse-timeout"]),
        ("peers test p", ["pacs1"]),
        ("peers remove p", ["pacs1"]),
        ("send . pa", ["pacs1"]),
    ],
)
def test_shell_gets_completions_from_the_program(words: str, completions: list[str]) -> None:
    variables = {
        "_DICOMQUEST_COMPLETE": "bash_complete",
        "COMP_WORDS": f"dicomquest {words}",
        "COMP_CWORD": str(len(words.split())),
    }
    result = CliRunner().invoke(main, prog_name="dicomquest", env=variables)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    # "file" tells the shell to complete names of files besides.
    lines = [line.partition(",") for line in result.output.splitlines()]
    assert [word for kind, _, word in lines if kind == "plain"] == completions
