"""The debug logger."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.faces import PATIENT_ROOT, QUERY, associated, data_set, names, serving
from fixtures.timing import LONG


def test_debug_logger_shows_events_and_identifiers(tmp_path: Path) -> None:
    """debug_logger() shows what happens, whole identifiers too."""
    program = f"""
from dicomquest import debug_logger
debug_logger()
debug_logger()
import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from fixtures.faces import *
answers = [(0xFF00, data_set(PatientName="CITIZEN^Jan"))]
with serving(lambda _: answers) as port, associated(port) as association:
    assert names(association.send_c_find(QUERY, PATIENT_ROOT)) == ["CITIZEN^Jan"]
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        timeout=6 * LONG,
    )
    assert done.stderr.count("accepted, contexts: 2") == 1
    assert "established" in done.stderr
    context = "ID: 1; Abstract Syntax: Verification SOP Class; Transfer Syntax(es):;     ="
    assert context in done.stderr
    assert "C-FIND 1: 1 matches, status 0000" in done.stderr
    assert "ae_title='ANY-SCP'" in done.stderr
    shown = ("request sent", "request received", "response sent", "response received")
    assert [f"identifier of a {words}:" in done.stderr for words in shown] == [True] * 4
    for words in ("proposed", "answered"):
        negotiated = f"association 1: {words}: ID: 3; Abstract Syntax: Patient Root"
        assert done.stderr.count(negotiated) == 1
    assert done.stderr.count("Result: Accepted; Role: SCP only") == 2
    assert done.stderr.count("PN: 'CITIZEN^Jan'") == 2


def test_a_debug_level_alone_shows_no_patient(caplog: pytest.LogCaptureFixture) -> None:
    """Only debug_logger() asks for patients: another log at DEBUG has none."""
    caplog.set_level(logging.DEBUG, "dicomquest")
    answers = [(0xFF00, data_set(PatientName="CITIZEN^Jan"))]
    with serving(lambda _: answers) as port, associated(port) as association:
        assert names(association.send_c_find(QUERY, PATIENT_ROOT)) == ["CITIZEN^Jan"]
    assert caplog.messages
    assert not [line for line in caplog.messages if "CITIZEN" in line]


def test_debug_logger_says_what_it_cannot_read(tmp_path: Path) -> None:
    """A request whose identifier is cut short is shown as such."""
    program = f"""
from dicomquest import debug_logger
debug_logger()
import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from fixtures.faces import *
with serving(lambda _: []) as port, raw_requestor(port) as peer:
    peer.send_find(1, IDENTIFIER[:-1])
    assert peer.receive_command() is not None
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        timeout=6 * LONG,
    )
    assert "identifier of a request received cannot be read: " in done.stderr


def test_debug_logger_escapes_what_peers_send(tmp_path: Path) -> None:
    """An AE title with a line break forges no line."""
    program = f"""
from dicomquest import debug_logger
debug_logger()
import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from fixtures.faces import *
with serving() as port, raw_requestor(port, None) as peer:
    peer.send(encode(RQ).replace(b"RAW ", b"\\nI: "))
    assert peer.receive() is not None
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        timeout=6 * LONG,
    )
    assert "requested by \\x0aI: at 127.0.0.1" in done.stderr
    assert not [line for line in done.stderr.splitlines() if "dicomquest" not in line]
