"""Draw docs/images/terminal.svg: what the program prints when it indexes, serves and finds."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import io
import os
import pty
import re
import selectors
import shlex
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from pathlib import Path

import pydicom
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "images" / "terminal.svg"
COLUMNS = 104

INDEX = "dicomquest index scans"
SERVE = "dicomquest serve --port {port}"
FINDS = (
    "dicomquest find 127.0.0.1 {port} 'PatientName=DOE^*' StudyDate=19990101- ModalitiesInStudy",
    "dicomquest find 127.0.0.1 {port} PatientNam=DOE",
)


def run(command: str, folder: Path) -> Text:
    """Run a command whose standard output is a terminal, and return all that it prints."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    # Standard error is no terminal: a progress bar would move the cursor, which a text cannot show.
    process = subprocess.Popen(
        shlex.split(command),
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=subprocess.PIPE,
    )
    os.close(follower)
    assert process.stderr is not None
    output = b"".join(read(leader, process.stderr.fileno()))
    os.close(leader)
    process.communicate()
    return Text.from_ansi(output.decode().replace("\r\n", "\n").strip("\n"))


def environment() -> dict[str, str]:
    """Return the environment of a command: the program of this Python comes first in PATH."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {**os.environ, "PATH": programs, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}


def read(*descriptors: int) -> Iterator[bytes]:
    """Yield what a terminal and a pipe get, in its order, until their last writers have gone."""
    with selectors.DefaultSelector() as selector:
        for descriptor in descriptors:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                part = b""
                # Linux says EIO where other systems say that nothing is left of a terminal.
                with contextlib.suppress(OSError):
                    part = os.read(key.fd, 4096)
                if part:
                    yield part
                else:
                    selector.unregister(key.fd)


@contextlib.contextmanager
def serving(command: str, folder: Path) -> Iterator[str]:
    """Run the server as long as the block lasts, and yield what it says up to where it listens."""
    with subprocess.Popen(
        shlex.split(command),
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        try:
            printed = []
            for line in process.stderr:
                printed.append(line)
                if "listening" in line:
                    yield "".join(printed).rstrip("\n")
                    return
            raise SystemExit(f"'{command}' does not listen:\n{''.join(printed)}")
        finally:
            process.terminate()


def draw(port: int) -> str:
    """Run the commands over pydicom's files and return their session as an SVG document."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), highlight=False)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = Path(pydicom.__file__).parent / "data" / "test_files"
        (folder / "scans").symlink_to(files)
        show(console, INDEX, run(INDEX, folder))
        serve = SERVE.format(port=port)
        with serving(serve, folder) as lines:
            show(console, f"{serve} &", Text(lines))
            for each in FINDS:
                command = each.format(port=port)
                show(console, command, run(command, folder))
    return without_hosts(console.export_svg(title="dicomquest", unique_id="dicomquest"))


def show(console: Console, command: str, output: Text) -> None:
    """Print a command as typed, and what it printed."""
    console.print(Text.assemble(("$ ", "green"), (command, "bold")))
    console.print(output)
    console.print()


def without_hosts(picture: str) -> str:
    """Take out the fonts that Rich fetches from a host: a picture must not tell who looks at it."""
    return re.sub(r"\s*@font-face \{[^}]*\}", "", picture)


def main() -> int:
    """Write the picture, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=11112, help="the port that the server takes")
    parser.add_argument("--output", type=Path, default=PICTURE)
    arguments = parser.parse_args()
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(draw(arguments.port), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
