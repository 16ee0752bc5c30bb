"""`dicomquest serve --hl7` as a process: orders come by MLLP, and modalities see them."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from dicomquest.cli import main
from fixtures.orders import CLINIC_ORDER, IHE_ORDER, IMAGING_ORDER
from fixtures.postgresql_cluster import wait_for
from fixtures.serving import serving
from fixtures.timing import LONG
from peers import ours
from peers.processes import free_port


def sent(port: int, data: bytes) -> bytes:
    """The answer to one message over a connection of its own."""
    with socket.create_connection(("127.0.0.1", port), timeout=LONG) as connection:
        connection.sendall(b"\x0b" + data + b"\x1c\r")
        answer = b""
        while not answer.endswith(b"\x1c\r"):
            part = connection.recv(4096)
            assert part, f"closed after {answer!r}"
            answer += part
    return answer


def test_orders_reach_modalities(tmp_path: Path) -> None:
    index, port = tmp_path / "index.sqlite", free_port()
    mapping = tmp_path / "hl7.toml"
    mapping.write_text("[places]\nScheduledStationAETitle = ['IPC-9', 'OBR-21']\n")
    options = ("--workers", "2", "--hl7", str(port), "--hl7-mapping", str(mapping))
    with serving(index, tmp_path, *options) as server:
        server.log_with("taking orders by HL7")
        assert b"MSA|AA|17" in sent(port, IHE_ORDER)
        assert b"MSA|AA|18" in sent(port, IMAGING_ORDER)
        assert b"MSA|AE|19|Scheduled Station AE Title" in sent(port, CLINIC_ORDER)
        assert b"MSA|AR|" in sent(port, b"MSH|^~\\&|||||||ADT^A01|5|P|2.3\r")
        mapping.write_text("[places]\nScheduledStationAETitle = 'ZST-1'\n")
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: b"MSA|AA|19" in sent(port, CLINIC_ORDER), "the order with its station")
        asked = ours.run(
            "find", "-W", "127.0.0.1", str(server.port), "PatientID", "--format", "csv"
        )
        assert sorted(asked.out.split()[1:]) == ["P1", "P2", "P2", "P3"]
        assert "Doe" not in server.log


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--hl7", "x"), "is no [HOST:]PORT"),
        (("--hl7", "2575", "--hl7-from", "hospital"), "write an address"),
        (("--hl7", "2575", "--hl7-mapping", "missing.toml"), "No such file"),
    ],
)
def test_wrong_options_are_told(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    index = str(tmp_path / "index.sqlite")
    done = ours.run("serve", "--index", index, "--port", "0", *options)
    assert done.status != 0
    assert words in done.err


def test_hl7_files_are_added_and_cancelled(tmp_path: Path) -> None:
    location = str(tmp_path / "index.sqlite")

    def run(name: str, data: bytes) -> tuple[int, str]:
        path = tmp_path / name
        path.write_bytes(data)
        result = CliRunner().invoke(main, ["worklist", "add", str(path), "--index", location])
        return result.exit_code, result.stderr

    assert run("1.hl7", IHE_ORDER) == (0, "added 1 entry\n")
    cancelled = IHE_ORDER.replace(b"ORC|NW", b"ORC|CA")
    assert run("2.hl7", cancelled) == (0, "added 0 entries, removed 1 as cancelled\n")
    code, words = run("3.hl7", CLINIC_ORDER)
    assert (code, "Scheduled Station AE Title has no value" in words) == (1, True)
