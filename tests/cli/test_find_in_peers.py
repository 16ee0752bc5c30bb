"""``find PEER PEER``: one question to several archives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dicomquest.cli import main
from dicomquest.dataset.elements import DataSet
from fixtures.misbehaving import Serve, answering_each, hang_up, implicit, listening, say_nothing


def archive(*numbers: int) -> Serve:
    """An archive of studies with these numbers, whatever is asked."""

    def answer(_: DataSet) -> tuple[list[bytes], int]:
        return [
            implicit(0x00100020, b"P%d" % number) + implicit(0x0020000D, b"1.2.%d\0" % number)
            for number in numbers
        ], 0x0000

    return answering_each(answer)


@pytest.fixture
def peers(tmp_path: Path) -> Iterator[Path]:
    """A configuration with two archives that share a study, and one that hangs up."""
    with (
        listening(archive(1, 2)) as first,
        listening(archive(2, 3)) as second,
        listening(hang_up) as broken,
    ):
        path = tmp_path / "dicomquest.toml"
        ports = {"ONE": first, "TWO": second, "BROKEN": broken}
        path.write_text(
            "\n".join(
                f'[peers.{name}]\nhost = "127.0.0.1"\nport = {port}\n'
                for name, port in ports.items()
            )
        )
        yield path


def find(config: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["find", "--config", str(config), *words, "-f", "jsonl"])


def uids(done: Result) -> list[str]:
    return sorted(json.loads(line)["StudyInstanceUID"] for line in done.stdout.splitlines())


def test_peers_answer_together(peers: Path) -> None:
    """A study that both have comes once."""
    done = find(peers, "ONE", "TWO", "PatientID", "StudyInstanceUID")
    assert done.exit_code == 0, done.stderr
    assert uids(done) == ["1.2.1", "1.2.2", "1.2.3"]


def test_peer_that_fails_is_named(peers: Path) -> None:
    """The other's answers are printed, and the exit status says that they are not all."""
    done = find(peers, "BROKEN", "TWO", "PatientID", "StudyInstanceUID")
    assert done.exit_code == 1
    assert uids(done) == ["1.2.2", "1.2.3"]
    assert "the answer is not complete: BROKEN lost" in done.stderr


def test_key_filters_all_answers(peers: Path) -> None:
    done = find(peers, "ONE", "TWO", "PatientID=P3", "StudyInstanceUID")
    assert uids(done) == ["1.2.3"]


def test_all_peers_are_asked_which_key_is_wrong(peers: Path) -> None:
    """Both archives ignore keys; the answers are matched here."""
    words = ("ONE", "TWO", "PatientID=P9", "StudyInstanceUID=1.2.3", "--explain")
    done = CliRunner().invoke(main, ["find", "--config", str(peers), *words])
    assert done.exit_code == 0, done.stderr
    said = " ".join(done.stderr.split())
    assert "Asking each peer at most 12 more questions" in said
    assert "without Patient ID 1 study" in said
    assert "without Study Instance UID 0 studies" in said
    assert "One key excludes everything: no such study has Patient ID 'P9'." in said
    done = CliRunner().invoke(main, ["find", "--config", str(peers), *words[:-1]])
    assert "--explain asks each peer which of the 2 keys excludes everything." in done.stderr


@pytest.mark.parametrize("option", ["--filter-here", "--tree", "--as-is", "-W"])
def test_options_for_one_peer_are_refused(peers: Path, option: str) -> None:
    done = find(peers, "ONE", "TWO", "PatientID", option)
    assert done.exit_code == 2
    assert f"{option} is for one peer" in done.stderr


def test_time_out_of_the_command_line_holds(peers: Path) -> None:
    """It holds for each of the peers, whatever their tables say."""
    with listening(say_nothing) as silent:
        table = f'[peers.SILENT]\nhost = "127.0.0.1"\nport = {silent}\nacse-timeout = 3600\n'
        peers.write_text(f"{peers.read_text()}\n{table}")
        words = ("ONE", "SILENT", "PatientID", "StudyInstanceUID", "--acse-timeout", "0.5")
        done = find(peers, *words)
    assert done.exit_code == 1
    assert uids(done) == ["1.2.1", "1.2.2"]
    assert "the answer is not complete: SILENT timed out" in done.stderr
