"""A tab of Chromium that nobody inspects: an inspector keeps each response in the tab's memory."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fixtures.programs import program

if TYPE_CHECKING:
    from collections.abc import Iterator

_OWN = ("RssAnon", "VmSwap:")
"""The memory of a process that no file is behind, as the browser's own task manager counts."""

_LONGEST_ANSWER = 120
"""Seconds that the browser may take for an answer."""

_FLAGS = (
    "--headless=new", "--no-sandbox", "--no-first-run", "--remote-debugging-pipe",
    "--window-size=1280,900", "--disable-extensions",
)  # fmt: skip

# The browser reads descriptor 3 and writes to 4. Either may be one of ours, so both are moved away
# first; a shell could not, as dash takes no number of two digits.
_WITH_PIPE = """
import fcntl, os, sys
ours = [fcntl.fcntl(int(each), fcntl.F_DUPFD, 10) for each in sys.argv[1:3]]
for number, each in enumerate(ours, 3):
    os.dup2(each, number)
os.execvp(sys.argv[3], sys.argv[3:])
"""


class LoneTab:
    """A page, and the scripts that are run in it, by the pipe of the browser."""

    def __init__(self, process: subprocess.Popen[bytes], into: int, out: int) -> None:
        self._process, self._into, self._out = process, into, out
        self._read = b""
        self._number = 0
        self._session = ""

    def open(self, address: str) -> None:
        """Open a page."""
        target = self._ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        attached = {"targetId": target, "flatten": True}
        self._session = self._ask("Target.attachToTarget", attached)["sessionId"]
        self._ask("Page.navigate", {"url": address})

    def run(self, script: str) -> Any:
        """Run a script, and return its value; a promise is awaited."""
        asked = {"expression": script, "awaitPromise": True, "returnByValue": True}
        answer = self._ask("Runtime.evaluate", asked)
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key that has a name."""
        for kind in ("rawKeyDown", "keyUp"):
            self._ask("Input.dispatchKeyEvent", {"type": kind, "key": key, "code": key})

    def collect(self) -> None:
        """Collect what nobody refers to, as the browser does when it finds the time."""
        for _ in range(2):
            self._ask("HeapProfiler.collectGarbage", {})

    @property
    def memory(self) -> int:
        """The memory of the largest page, in bytes."""
        found = [0]
        for pid in self._pages():
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            found.append(1024 * sum(int(each.split()[1]) for each in lines if each[:7] in _OWN))
        return max(found)

    @property
    def processor_seconds(self) -> float:
        """The processor time of all pages."""
        total = 0
        for pid in self._pages():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")

    def _pages(self) -> list[int]:
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if b"--type=renderer" in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
        return [pid for pid in found if _descends(pid, self._process.pid)]

    def _ask(self, method: str, parameters: dict[str, Any]) -> Any:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._into, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._read:
                if not select.select([self._out], [], [], _LONGEST_ANSWER)[0]:
                    raise AssertionError(f"the browser does not answer {method}")
                received = os.read(self._out, 1 << 20)
                if not received:
                    raise AssertionError("the browser has ended")
                self._read += received
            text, _, self._read = self._read.partition(b"\0")
            answer = json.loads(text)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise AssertionError(answer["error"])
                return answer["result"]


def _descends(pid: int, ancestor: int) -> bool:
    while pid > 1:
        if pid == ancestor:
            return True
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return False
        pid = int(stat.rpartition(")")[2].split()[1])
    return False


@contextlib.contextmanager
def lone_tab() -> Iterator[LoneTab]:
    """Start a browser for one tab."""
    to_read, into = os.pipe()
    out, to_write = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [program("chromium"), *_FLAGS, f"--user-data-dir={folder}"]
        process = subprocess.Popen(
            [sys.executable, "-c", _WITH_PIPE, str(to_read), str(to_write), *command],
            pass_fds=(to_read, to_write),
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(to_read)
        os.close(to_write)
        try:
            yield LoneTab(process, into, out)
        finally:
            # Its other processes would write into the folder while that is removed.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            os.close(into)
            os.close(out)
