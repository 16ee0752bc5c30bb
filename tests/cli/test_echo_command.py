"""`dicomquest echo --verbose`: the peer's own words, its contexts, and the times."""

from __future__ import annotations

import re

from click.testing import CliRunner

from dicomquest.cli import main
from dicomquest.pdu.user_information import IMPLEMENTATION_CLASS_UID
from fixtures.faces import HOST, serving


def test_verbose_shows_the_peer() -> None:
    with serving() as port:
        result = CliRunner().invoke(main, ["echo", HOST, str(port), "--verbose"])
    assert result.exit_code == 0, result.output
    head, _, contexts = result.stdout.partition("Accepted, in Explicit VR Little Endian\n")
    accepted, _, refused = contexts.partition("Not accepted\n")
    assert IMPLEMENTATION_CLASS_UID in head
    assert "DICOMQUEST" in head
    assert len(re.findall(r"^(?:Association|C-ECHO|Release) +\d+\.\d ms", head, re.MULTILINE)) == 3
    assert "  Verification SOP Class" in accepted.splitlines()
    assert "  CT Image Storage" in refused.splitlines()
    assert result.stderr.startswith(f"ANY-SCP at {HOST} port {port} answered in ")


def test_quiet_shows_one_line() -> None:
    with serving() as port:
        result = CliRunner().invoke(main, ["echo", HOST, str(port)])
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
