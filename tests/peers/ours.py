"""dicomquest's own programs, run as a user runs them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from dicomquest.cli import main
from fixtures.timing import LONG
from peers.answers import Answer
from peers.processes import Peer, free_port, server, wait_until_listening

COMMAND = [sys.executable, "-W", "error", "-m", "dicomquest"]
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "DICOMQUEST_INDEX"}


@dataclass(frozen=True, slots=True)
class Done:
    """The end of a command: its exit status and its output."""

    status: int
    out: str
    err: str


def run(*arguments: str) -> Done:
    """Run a command to its end."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        env=ENVIRONMENT,
        timeout=6 * LONG,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def run_to_head(lines: int, *arguments: str) -> Done:
    """Run a command whose output is read for some lines only, as ``| head`` does."""
    with subprocess.Popen(
        [*COMMAND, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        out = b"".join(process.stdout.readline() for _ in range(lines))
        process.stdout.close()
        err = process.stderr.read()
    return Done(process.returncode, out.decode(), err.decode())


def index(location: Path | str, *folders: Path) -> Done:
    done = run("index", "--quiet", "--index", str(location), *map(str, folders))
    assert done.status == 0, done.err
    return done


@contextlib.contextmanager
def serve(
    location: Path | str, *options: str, aet: str = "DICOMQUEST", folder: Path | None = None
) -> Iterator[Peer]:
    """Run ``dicomquest serve`` over an index; it must end cleanly, and without a traceback.

    Its log is in ``folder``, or beside the index.
    """
    port = free_port()
    log = (folder or Path(location).parent) / f"serve-{port}.log"
    command = [
        *COMMAND,
        "serve",
        "--index",
        str(location),
        "--port",
        str(port),
        "--aet",
        aet,
        *options,
    ]
    http_port = int(options[options.index("--http") + 1]) if "--http" in options else 0
    with server(command, port, log, environment=ENVIRONMENT) as process:
        if http_port:
            wait_until_listening(process, http_port, log)
        yield Peer("127.0.0.1", port, aet, http_port)
    text = log.read_text(encoding="utf-8")
    assert process.returncode == 0, text
    assert "Traceback" not in text, text


def find(
    peer: Peer, level: str, keys: Mapping[str, str], *options: str, model: str = "study"
) -> list[Answer]:
    """Query with ``dicomquest find`` in this process: a new one takes longer than 100 queries."""
    command = [
        "find",
        peer.host,
        str(peer.port),
        "-L",
        level,
        "-m",
        model,
        "--aec",
        peer.aet,
        "--format",
        "jsonl",
    ]
    done = CliRunner().invoke(main, [*command, *options, *texts(keys)])
    assert done.exit_code == 0, done.stderr
    return [_answer(json.loads(line)) for line in done.stdout.splitlines()]


def texts(keys: Mapping[str, str]) -> Sequence[str]:
    return [f"{keyword}={value}" for keyword, value in keys.items()]


def _answer(found: dict[str, object]) -> Answer:
    """Bring an object of the command line to the form that the other clients' answers have."""
    return {
        keyword: "" if value is None else value if isinstance(value, list) else str(value)
        for keyword, value in found.items()
    }
