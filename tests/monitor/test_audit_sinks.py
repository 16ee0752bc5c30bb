"""The places that audit messages go to."""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomquest.monitor.audit_sinks import FileSink, SyslogSink, framed, syslog_message
from fixtures.authority import Authority, authority
from fixtures.faces import HOST
from fixtures.postgresql_cluster import wait_for
from fixtures.syslog_server import HEADER, SyslogServer

__all__ = ["authority"]

DOCUMENT = "<?xml version='1.0'?><AuditMessage name='Müller'/>".encode()


def test_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "audit.xml"
    sink = FileSink(path)
    sink.write([DOCUMENT, DOCUMENT])
    sink.close()
    assert path.read_bytes() == DOCUMENT + b"\n" + DOCUMENT + b"\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_file_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "audit.xml"
    for _ in range(2):
        sink = FileSink(path)
        sink.write([DOCUMENT])
        sink.close()
    assert path.read_bytes().count(b"\n") == 2


@pytest.mark.parametrize("makes_new", [True, False])
def test_rotated_file_is_left_alone(tmp_path: Path, makes_new: bool) -> None:
    path = tmp_path / "audit.xml"
    sink = FileSink(path)
    sink.write([b"old"])
    path.rename(tmp_path / "audit.xml.1")
    if makes_new:
        path.touch(0o600)
    sink.write([b"new"])
    sink.close()
    assert (tmp_path / "audit.xml.1").read_bytes() == b"old\n"
    assert path.read_bytes() == b"new\n"


def test_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit.xml"
    sink = FileSink(path)
    sink.write([b"before"])
    write = os.write
    monkeypatch.setattr(os, "write", lambda to, text: write(to, text[:3]))
    with pytest.raises(OSError, match="the disk took 3 of 6 bytes"):
        sink.write([b"after"])
    monkeypatch.undo()
    sink.write([b"after"])
    sink.close()
    assert path.read_bytes() == b"before\nafter\n"


def test_path_that_is_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="directory"):
        FileSink(tmp_path / "missing" / "audit.xml")


def test_frame_has_the_length_of_its_message() -> None:
    message = syslog_message(DOCUMENT)
    assert framed(message) == b"%d " % len(message) + message
    found = HEADER.fullmatch(message)
    assert found is not None
    assert found[7] == DOCUMENT


@pytest.fixture
def server(authority: Authority) -> Iterator[SyslogServer]:
    server = SyslogServer(authority.server_context())
    yield server
    server.close()


def test_syslog_gets_each_message(server: SyslogServer, authority: Authority) -> None:
    sink = SyslogSink(HOST, server.port, authority.client_context())
    sink.write([DOCUMENT, DOCUMENT])
    sink.write([b"x" * 100_000])
    wait_for(lambda: len(server.messages) == 3, "three messages")
    sink.close()
    first, _, last = server.messages
    assert (first.priority, first.app_name, first.message_id) == (85, "dicomquest", "DICOM+RFC3881")
    assert (first.document, len(last.document)) == (DOCUMENT, 100_000)
    assert len(server.connections) == 1


def test_connection_that_was_closed_is_made_anew(
    server: SyslogServer, authority: Authority
) -> None:
    sink = SyslogSink(HOST, server.port, authority.client_context())
    sink.write([b"before"])
    wait_for(lambda: len(server.messages) == 1, "the first message")
    server.drop()
    sink.write([b"after"])
    wait_for(lambda: len(server.messages) == 2, "the second message")
    sink.close()
    assert [each.document for each in server.messages] == [b"before", b"after"]
    assert len(server.connections) == 1


def test_server_that_nobody_vouches_for_gets_nothing(server: SyslogServer) -> None:
    sink = SyslogSink(HOST, server.port, ssl.create_default_context())
    with pytest.raises(OSError, match="certificate"):
        sink.write([DOCUMENT])
    sink.close()
    assert server.messages == []
