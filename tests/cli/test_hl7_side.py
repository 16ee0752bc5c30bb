"""`dicomquest serve --hl7` as a process: orders come by MLLP, and modalities see them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner

from dicomquest.cli import main
from dicomquest.cli.hl7_side import Hl7Side
from dicomquest.cli.serve_settings import ServeSettings
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
        (("--hl7", "2575", "--hl7-tls"), "--hl7-tls needs the server's own certificate"),
    ],
)
def test_wrong_options_are_told(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    index = str(tmp_path / "index.sqlite")
    done = ours.run("serve", "--index", index, "--port", "0", *options)
    assert done.status != 0
    assert words in done.err


def _certificate(path: Path) -> trustme.CA:
    """Write a certificate of a new authority, with its key."""
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(path)
    return authority


async def _sent_by_tls(port: int, authority: trustme.CA) -> bytes:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    writer.write(b"\x0b" + IHE_ORDER + b"\x1c\r")
    answer = await reader.readuntil(b"\x1c\r")
    writer.close()
    return answer


def test_orders_come_by_tls(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A port with TLS takes nothing else, and shows another certificate once it is told to."""
    caplog.set_level("INFO")
    first, second = tmp_path / "first.pem", tmp_path / "second.pem"
    authority, other = _certificate(first), _certificate(second)
    port = free_port()
    settings = ServeSettings(
        index=str(tmp_path / "index.sqlite"), hl7=f"127.0.0.1:{port}", hl7_tls=True,
        tls_cert=str(first), hl7_timeout=LONG,
    )  # fmt: skip

    async def run() -> None:
        side = Hl7Side(settings)
        async with asyncio.timeout(LONG):
            await side.start()
            assert b"MSA|AA|17" in await _sent_by_tls(port, authority)
            side.reconfigure(replace(settings, tls_cert=str(second)))
            assert b"MSA|AA|17" in await _sent_by_tls(port, other)
            with pytest.raises(ssl.SSLError):
                await _sent_by_tls(port, authority)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"\x0b" + IHE_ORDER + b"\x1c\r")
            # Nothing but an alert of TLS.
            with contextlib.suppress(ConnectionError):
                assert b"MSA" not in await reader.read()
            writer.close()
            await side.close()

    asyncio.run(run())
    assert f"taking orders by HL7 on 127.0.0.1 port {port} (TLS)" in caplog.text


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
    code, words = run("2.hl7", cancelled)
    assert (code, "2.hl7: CA of an order that is not on the worklist\n" in words) == (0, True)
    code, words = run("3.hl7", CLINIC_ORDER)
    assert (code, "Scheduled Station AE Title has no value" in words) == (1, True)
