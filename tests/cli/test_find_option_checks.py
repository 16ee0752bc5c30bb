"""`dicomquest find` refuses the options that would do nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from dicomquest.cli import main
from fixtures.faces import HOST

PEER = (HOST, "1")
INDEX = ("--index", "scans.sqlite")
PEERS = """
[peers.A]
host = "127.0.0.1"
port = 1
[peers.B]
host = "127.0.0.1"
port = 2
"""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([*PEER, "-W", "-L", "STUDY"], "-L is for archives: a worklist has one level"),
        ([*PEER, "-m", "ups", "-L", "STUDY"], "-L is for archives: model ups has one level"),
        ([*PEER, "-m", "hanging-protocol", "-L", "IMAGE"], "model hanging-protocol has one level"),
        ([*PEER, "-W", "-k", "QueryRetrieveLevel=STUDY"], "a worklist has no levels"),
        ([*PEER, "-W", "PatientID=@ids.txt"], "a worklist takes no file of values"),
        ([*PEER, "-W", "--associations", "2"], "--associations is for the values of a file"),
        ([*PEER, "PatientID=1", "--associations", "2"], "write KEY=@FILE, or leave it out"),
        ([*PEER, "--count", "-f", "json"], "-f shows matches, and --count prints their number"),
        ([*PEER, "--count", "-o", "a.csv"], "-o shows matches"),
        ([*PEER, "--count", "--sort", "StudyDate"], "--sort shows matches"),
        ([*PEER, "--count", "--columns", "StudyDate"], "--columns shows matches"),
        ([*PEER, "--csv-safe"], "--csv-safe is for CSV: add -f csv, or leave it out"),
        ([*PEER, "-f", "json", "--csv-dialect", "excel"], "--csv-dialect is for CSV"),
        ([*INDEX, "--aec", "A"], "--aec is for a peer, and --index asks none"),
        ([*INDEX, "--dimse-timeout", "9"], "--dimse-timeout is for a peer"),
        ([*INDEX, "--charset", "ISO_IR 100"], "--charset is for a peer"),
        (["A", "B", "--aec", "X"], "--aec is for one peer: set it in the table [peers.TITLE]"),
        (["A", "B", "--max-pdu", "9000"], "--max-pdu is for one peer"),
        (["A", "B", "-W"], "-W is for one peer"),
        (["A", "nope"], "'nope' is no attribute and no named peer. Several peers are asked by"),
        ([*PEER, HOST, "104"], "is no attribute and no named peer"),
        (["A", "PatientNam"], "did you mean PatientName"),
    ],
)
def test_an_idle_option_is_refused(tmp_path: Path, arguments: list[str], words: str) -> None:
    file = tmp_path / "dicomquest.toml"
    file.write_text(PEERS)
    result = CliRunner().invoke(main, ["find", *arguments, "--config", str(file)])
    assert result.exit_code == 2, result.output
    assert words in " ".join(result.stderr.split())
