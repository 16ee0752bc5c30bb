"""The log as JSON lines."""

from __future__ import annotations

import io
import json
import logging
import sys
from typing import Any

import pytest

from dicomquest.cli.buffered_log import BufferedHandler
from dicomquest.cli.json_log import JsonFormatter
from dicomquest.services.observer import AssociationBegan
from fixtures.service_requests import Channel, find_of, request


def lines(*records: tuple[str, tuple[Any, ...]], names_keys: bool = False) -> list[dict[str, Any]]:
    """Log through the handler of the server, and read what it wrote."""
    stream = io.StringIO()
    handler = BufferedHandler(stream)
    handler.setFormatter(JsonFormatter(names_keys=names_keys))
    for message, args in records:
        handler.handle(logging.LogRecord("x", logging.INFO, "", 0, message, args, None))
    handler.flush()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_find_is_an_object_with_its_fields() -> None:
    event = find_of()._replace(query=None, status=0xA900, comment="wrong", matches=0, seconds=0.5)
    (line,) = lines(("%s", (event,)))
    assert line["level"] == "info"
    assert line["message"] == str(event)
    assert line["time"].endswith("Z")
    assert (
        line.items()
        >= {
            "event": "find",
            "association": 7,
            "ae": "AE",
            "address": "127.0.0.1",
            "model": "Patient Root",
            "level": "info",
            "query_level": "",
            "status": "A900",
            "reason": "Error: identifier does not match SOP class: wrong",
            "matches": 0,
            "milliseconds": 500.0,
        }.items()
    )


def test_keys_are_fields_on_request_only() -> None:
    event = find_of(PatientName="CITIZEN^JAN")
    for names_keys in (False, True):
        (line,) = lines(("%s", (event,)), names_keys=names_keys)
        assert ("matching_keys" in line) == names_keys
        assert "CITIZEN" not in json.dumps(line)


def test_line_of_words_has_its_association() -> None:
    began = AssociationBegan(request(Channel()).association)
    written = lines(
        ("%s", (began,)),
        ("association %d: aborted: %s", (12, "time-out")),
        ("listening on %s", ("127.0.0.1",)),
    )
    assert [line.get("association") for line in written] == [7, 12, None]
    assert written[0]["event"] == "association accepted"


@pytest.mark.parametrize("name", ["A\nforged", "\x1b[31m", "\u202e", "\ud800", '"}\n{"'])
def test_names_of_peers_stay_in_their_string(name: str) -> None:
    (line,) = lines(("peer %s", (name,)))
    assert line["message"] == f"peer {name}"


def test_traceback_is_a_field() -> None:
    try:
        int("oh")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "failed", None, sys.exc_info())
    line = json.loads(JsonFormatter(names_keys=False).format(record))
    assert "ValueError: invalid literal" in line["exception"]
