"""Ctrl-C during a query, and a reader that closes the pipe."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator

import pytest
from pydicom import Dataset

from dicomquest import evt
from fixtures.faces import HOST, data_set, serving
from fixtures.timing import LONG
from peers.ours import COMMAND, ENVIRONMENT

ROWS = 5


class Slow:
    """A peer that gives some matches, and then none until the query is cancelled."""

    def __init__(self) -> None:
        self.was_cancelled = threading.Event()

    def __call__(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        for number in range(ROWS):
            yield 0xFF00, data_set(QueryRetrieveLevel="STUDY", StudyInstanceUID=f"1.2.{number}")
        while not event.is_cancelled:
            if self.was_cancelled.wait(0.01):
                return
        self.was_cancelled.set()
        yield 0xFE00, None


@pytest.mark.requirement("QR-163")
def test_ctrl_c_cancels_and_keeps_what_came() -> None:
    """Ctrl-C sends a C-CANCEL; the matches so far are printed, and that they are not all."""
    slow = Slow()
    with (
        serving(slow) as port,
        subprocess.Popen(
            [*COMMAND, "find", HOST, str(port), "StudyInstanceUID"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
        ) as process,
    ):  # fmt: skip
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(ROWS + 1)]
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=LONG)
        assert slow.was_cancelled.wait(LONG)
    assert lines[-1] == f"1.2.{ROWS - 1}\n"
    assert rest == ""
    assert said.splitlines()[-1] == f"Cancelled after {ROWS} studies: the list above is not all."
    assert process.returncode == 130


def endless(_: evt.Event) -> Iterator[tuple[int, Dataset]]:
    number = 0
    while True:
        number += 1
        yield 0xFF00, data_set(QueryRetrieveLevel="STUDY", StudyInstanceUID=f"1.2.{number}")


@pytest.mark.parametrize("name", ["table", "csv", "jsonl"])
def test_reader_that_goes_ends_the_query(name: str) -> None:
    """``| head`` ends the command at once, without a word."""
    reader, writer = os.pipe()
    with (
        serving(endless) as port,
        subprocess.Popen(
            [*COMMAND, "find", HOST, str(port), "StudyInstanceUID", "-f", name],
            stdout=writer, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
        ) as process,
    ):  # fmt: skip
        os.close(writer)
        assert os.read(reader, 100)
        os.close(reader)
        _, said = process.communicate(timeout=LONG)
    assert said in {"", "all studies\n"}
    assert process.returncode == 0
