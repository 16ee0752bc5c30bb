"""The log of the commands: lines wait for others a moment, and none is lost."""

from __future__ import annotations

import io
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dicomquest.cli.buffered_log import MOST_LINES, BufferedHandler
from dicomquest.cli.json_log import JsonFormatter
from dicomquest.pdu.pdus import encode
from fixtures.faces import HOST, PATIENT_ROOT, QUERY, RQ, associated, raw_requestor
from fixtures.service_requests import find_of
from fixtures.storing import instance, write
from fixtures.timing import LONG
from peers.ours import COMMAND, ENVIRONMENT, index
from peers.processes import free_port, wait_until_listening


class Stream(io.StringIO):
    """A stream that tells when something is written."""

    def __init__(self) -> None:
        super().__init__()
        self.is_written = threading.Event()

    def flush(self) -> None:
        self.is_written.set()


def record(level: int, message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("x", level, "", 0, message, args, None)


@pytest.fixture
def stream() -> Stream:
    return Stream()


@pytest.fixture
def handler(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> BufferedHandler:
    """A handler whose lines wait until somebody asks for them."""
    monkeypatch.setattr("dicomquest.cli.buffered_log.DELAY", 10 * LONG)
    return BufferedHandler(stream)


def test_line_is_written_after_a_moment(stream: Stream) -> None:
    handler = BufferedHandler(stream)
    handler.handle(record(logging.INFO, "%s and %d", "words", 1))
    assert stream.is_written.wait(LONG)
    assert stream.getvalue() == "words and 1\n"
    stream.is_written.clear()
    handler.handle(record(logging.INFO, "another"))
    assert stream.is_written.wait(LONG)
    assert stream.getvalue() == "words and 1\nanother\n"


@pytest.mark.parametrize("level", [logging.WARNING, logging.ERROR, logging.CRITICAL])
def test_warning_is_written_at_once(stream: Stream, handler: BufferedHandler, level: int) -> None:
    """Earlier lines go before it."""
    handler.handle(record(logging.INFO, "first"))
    assert stream.getvalue() == ""
    handler.handle(record(level, "second"))
    assert stream.getvalue() == "first\nsecond\n"


def test_lines_that_wait_are_bounded(stream: Stream, handler: BufferedHandler) -> None:
    for number in range(MOST_LINES):
        handler.handle(record(logging.INFO, "%d", number))
    assert stream.getvalue().splitlines() == [str(number) for number in range(MOST_LINES)]


def test_changed_argument_is_written_as_it_was(stream: Stream, handler: BufferedHandler) -> None:
    argument = ["before"]
    handler.handle(record(logging.INFO, "%s", argument))
    argument.append("after")
    handler.flush()
    assert stream.getvalue() == "['before']\n"


@pytest.mark.parametrize("form", ["console", "json"])
def test_kept_event_has_the_line_of_a_record(form: str) -> None:
    """An event without a record, between two lines, is written as one with a record is."""
    done = subprocess.run(
        [sys.executable, "-c", EVENTS, form], check=True, capture_output=True, text=True,
        cwd=Path(__file__).parents[1], timeout=6 * LONG,
    )  # fmt: skip
    lines = [re.sub(r"[0-9T:,.Z-]{9,}", "TIME", line) for line in done.stderr.splitlines()]
    assert ["first" in line for line in lines] == [True, False, False, False]
    assert ["last" in line for line in lines] == [False, False, False, True]
    assert lines[1] == lines[2]
    assert "1,234 matches" in lines[1]
    assert "INFO association 7: C-FIND" in lines[1] or '"level": "info"' in lines[1]


EVENTS = """
import logging, sys
from dicomquest.cli.log_output import log_to_stderr
from dicomquest.services.event_log import EVENT_LOG
from fixtures.service_requests import find_of
log_to_stderr("info", form=sys.argv[1])
logging.info("first")
EVENT_LOG.log(find_of())
logging.getLogger("dicomquest.server").info("%s", find_of())
logging.info("last")
assert EVENT_LOG.keeper is logging.root.handlers[0]
"""


def test_kept_events_are_bounded(stream: Stream, handler: BufferedHandler) -> None:
    handler.setFormatter(JsonFormatter(names_keys=False))
    event = find_of()
    for _ in range(MOST_LINES):
        handler.keep(event)
    assert stream.getvalue().count("1,234 matches") == MOST_LINES


def test_stream_that_nobody_reads_ends_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with io.FileIO(writer, "w") as raw:
        stream = io.TextIOWrapper(raw, write_through=True)
        BufferedHandler(stream).handle(record(logging.WARNING, "to nobody"))
        stream.detach()


PROGRAM = """
import logging, os, sys
from dicomquest.cli.log_output import log_to_stderr
log_to_stderr("info", names_process=True)
logging.info("before")
{end}
"""


@pytest.mark.parametrize(
    ("end", "count"),
    [
        ("sys.exit(3)", 1),
        ("raise RuntimeError", 1),
        ("os.fork() and os.wait(); logging.info('after')", 3),
        ("os.kill(os.getpid(), 15) if os.fork() == 0 else os.wait()", 1),
    ],
)
def test_end_of_process_writes_each_line_once(end: str, count: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(end=end)],
        check=False,
        capture_output=True,
        text=True,
        timeout=6 * LONG,
    )
    lines = [line for line in done.stderr.splitlines() if " INFO " in line]
    assert len(lines) == count
    assert sum(line.endswith(" INFO before") for line in lines) == 1


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_server_logs_one_line_each_and_loses_none(
    tmp_path: Path, workers: str, number: signal.Signals
) -> None:
    """An association and a query have one line each, and the signal's end is too early for none."""
    write(tmp_path / "files", [instance(1, 1)])
    index(tmp_path / "index.sqlite", tmp_path / "files")
    log, port = tmp_path / "log", free_port()
    command = [*COMMAND, "serve", "--index", str(tmp_path / "index.sqlite"), "--port", str(port)]
    with log.open("wb") as err:
        process = subprocess.Popen([*command, "--workers", workers], stderr=err, env=ENVIRONMENT)
    wait_until_listening(process, port, log)
    with associated(port) as association:
        for _ in range(20):
            list(association.send_c_find(QUERY, PATIENT_ROOT))
    with raw_requestor(port, None) as forger:
        forger.send(encode(RQ).replace(b"RAW".ljust(16), b"A\nFORGED LINE".ljust(16)))
        forger.receive()
    process.send_signal(number)
    assert process.wait(LONG) == 0
    text = log.read_text()
    ended = f" C-FIND Patient Root at PATIENT level by SCU at {HOST} ended with 0000, Success; "
    assert text.count(ended) == 20
    assert text.count(f": requested by SCU at {HOST}, called ") == 1
    assert text.count("accepted, contexts: ") == 2
    assert ": requested by A\\x0aFORGED LINE at " in text
    assert text.count("server closed") == int(workers)
