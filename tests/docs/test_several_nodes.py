"""The page on several nodes: the health check that it gives to HAProxy finds a node healthy."""

from __future__ import annotations

import re
import socket
from pathlib import Path

from dicomquest.index import Index
from fixtures.timing import LONG
from peers import ours

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "several-nodes.md"

STEP = re.compile(r"^ +tcp-check (send-binary|expect binary) ([0-9a-f]+)$", re.MULTILINE)


def test_health_check_is_answered_as_the_page_says(tmp_path: Path) -> None:
    steps = STEP.findall(PAGE.read_text(encoding="utf-8"))
    assert [kind for kind, _ in steps] == ["send-binary", "expect binary"] * 2
    Index(tmp_path / "index.sqlite").close()
    with (
        ours.serve(tmp_path / "index.sqlite") as peer,
        socket.create_connection((peer.host, peer.port), timeout=LONG) as connection,
    ):
        for kind, digits in steps:
            if kind == "send-binary":
                connection.sendall(bytes.fromhex(digits))
            else:
                assert connection.recv(4096).startswith(bytes.fromhex(digits))
