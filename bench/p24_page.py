"""P24: the page in a browser: a long list, its memory and tasks, first bytes, the end of work."""

from __future__ import annotations

import gzip
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lone_tab import LoneTab, lone_tab
from measure import Claim, Figure, median, number, percentile
from servers import ours, resident_bytes

if TYPE_CHECKING:
    from servers import Served
    from sizes import Size

MIB = 1 << 20
MOST_ROWS = 50_000
# The bounds, in seconds, milliseconds, MiB and kilobytes.
SCROLL, END, TASK, TAB, STOP = 60, 1, 100, 150, 100
FIRST_VISIT, ROWS_PAGE, FIRST_BYTE, FIRST_ROW_P50, FIRST_ROW_P99 = 40, 8, 15, 30, 150
SERVER_GROWTH = 2
BUDGET_OF_STUDIES = 200_000
"""The studies that the bounds of the page are for."""
LONGEST_SCROLL, LONGEST_ASKING = 240, 90
"""Seconds after which scrolling, or asking, ends with what it has."""

WATCHED = """
(() => {
    window.tasks = []; window.shift = 0; window.seen = [];
    new PerformanceObserver((list) => {
        window.tasks.push(...list.getEntries().map((e) => e.duration));
    }).observe({ type: "longtask" });
    new PerformanceObserver((list) => {
        for (const e of list.getEntries()) if (!e.hadRecentInput) window.shift += e.value;
    }).observe({ type: "layout-shift", buffered: true });
    const known = new Map();
    const note = (row) => {
        // Rows that come back where they were are the same.
        const index = Number(row.getAttribute("aria-rowindex"));
        if (known.get(index) === row.id) return;
        known.set(index, row.id);
        window.seen.push([index, row.id]);
    };
    document.querySelectorAll("tr.study").forEach(note);
    new MutationObserver((changes) => {
        for (const change of changes) for (const each of change.addedNodes) {
            if (each.matches?.("tr.study")) note(each);
            else if (each.matches?.("tbody")) each.querySelectorAll("tr.study").forEach(note);
        }
    }).observe(document.querySelector("table.studies"), { childList: true, subtree: true });
    document.querySelector("#go-on").click();
    return new Promise((done) => setTimeout(done, 200));
})()
"""
SCROLLED = """
(async () => {
    const until = performance.now() + %d;
    while (window.seen.length < %d && performance.now() < until &&
           document.querySelector("#more:not([hidden])")) {
        scrollBy(0, 2500);
        await new Promise(requestAnimationFrame);
    }
})()
"""
AT_END = """
(async () => {
    while (!document.querySelector("#more[hidden]") || !document.activeElement.matches(".who"))
        await new Promise(requestAnimationFrame);
})()
"""
PARTS = 10
ROWS = "document.querySelectorAll('tr.study').length"


def say(words: str) -> None:
    """Tell how far the run is."""
    print(f"  {words}", file=sys.stderr, flush=True)


def opened(tab: LoneTab, served: Served) -> None:
    """Open the list of all studies, and wait for its last part."""
    tab.open(f"http://127.0.0.1:{served.http_port}/?all")
    until = time.monotonic() + 60
    while not tab.run("document.readyState === 'complete' && !!document.querySelector('#more')"):
        if time.monotonic() > until:
            raise AssertionError("the list does not come")
        time.sleep(0.05)


def scrolled(served: Served, most: int) -> dict[str, float]:
    """Scroll a list to its end; seconds, ms of the longest task, rows and MiB."""
    with lone_tab() as tab:
        opened(tab, served)
        tab.run(WATCHED)
        shift, first = tab.run("window.shift"), tab.memory
        began, worked = time.monotonic(), tab.processor_seconds
        half = 0
        for part in range(1, PARTS + 1):
            tab.run(SCROLLED % (1000 * LONGEST_SCROLL // PARTS, most * part // PARTS))
            if part == PARTS // 2:
                half = resident_bytes(served.pid)
            say(f"{tab.run('window.seen.length'):,} rows in {time.monotonic() - began:.0f} s")
        found = {
            "seconds": time.monotonic() - began,
            "processor": tab.processor_seconds - worked,
            "server": (resident_bytes(served.pid) - half) / MIB,
            "shift": shift,
            "tab": tab.memory / MIB,
            "tab_first": first / MIB,
            "kept": tab.run(ROWS),
            "task": max([0.0, *tab.run("window.tasks")]),
            "tasks": len(tab.run("window.tasks")),
        }
        tab.collect()
        found["tab_collected"] = tab.memory / MIB
        seen = tab.run("window.seen")
        if [index for index, _ in seen] != list(range(2, len(seen) + 2)):
            raise AssertionError("the rows are not in their order")
        if len({uid for _, uid in seen}) != len(seen):
            raise AssertionError("a row came twice")
        return {**found, "rows": len(seen)}


def to_end(served: Served) -> float:
    """The seconds from the key End to the last rows."""
    with lone_tab() as tab:
        opened(tab, served)
        began = time.monotonic()
        tab.press("End")
        tab.run(AT_END)
        return time.monotonic() - began


def asked(port: int, path: str, until: bytes) -> tuple[float, float, bytes]:
    """Ask by a new connection; the ms to the first byte and to some bytes, and all of the page."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        began = time.perf_counter()
        first = there = 0.0
        body = b""
        while piece := connection.recv(MIB):
            body += piece
            now = 1000 * (time.perf_counter() - began)
            first = first or now
            if not there and until in body:
                there = now
    return first, there, body


def asked_often(port: int, most: int) -> list[tuple[float, float]]:
    """Ask one question again and again, for some time at most; ms to first byte and first row."""
    until = time.monotonic() + LONGEST_ASKING
    times: list[tuple[float, float]] = []
    while len(times) < most and time.monotonic() < until:
        times.append(asked(port, "/?q=citizen+MR", b'class="study"')[:2])
    say(f"asked {len(times)} times")
    return times


def compressed(port: int, path: str) -> int:
    """The bytes of a page as a browser gets it, without its headers."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        body = b""
        while piece := connection.recv(MIB):
            body += piece
    return len(body.partition(b"\r\n\r\n")[2])


def stopped(served: Served) -> float:
    """The ms after the client is gone until the server works no more on its count of all."""
    path = "/?q=desc:q%20desc:z&count=all"
    with socket.create_connection(("127.0.0.1", served.http_port)) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        time.sleep(0.05)
    began = time.monotonic()
    before, quiet = _worked(served.pid), began
    while time.monotonic() - quiet < 0.2:
        time.sleep(0.005)
        now = _worked(served.pid)
        if now != before:
            before, quiet = now, time.monotonic()
    return 1000 * (quiet - began)


def _worked(pid: int) -> int:
    """The processor time of a process in ticks of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def run(size: Size) -> Claim:
    studies = min(BUDGET_OF_STUDIES, size.memory)
    most = min(MOST_ROWS, studies)
    claim = Claim(
        "P24",
        f"the page over {studies:,} studies: {most:,} rows scrolled in "
        "Chromium, bytes, ms to the first row, and the end of a search whose client is gone",
        f"{SCROLL} s, by End {END} s, no task over {TASK} ms, {TAB} MiB; first byte {FIRST_BYTE} "
        f"ms, first row {FIRST_ROW_P50} ms p50, {FIRST_ROW_P99} ms p99; {ROWS_PAGE} KB for 50 "
        f"rows; {STOP} ms",
    )
    figures: dict[str, Any] = {}
    with ours(studies, web=True) as served:
        port = served.http_port
        asked(port, "/?all", b"tr.study")
        figures = scrolled(served, most)
        end = to_end(served)
        times = asked_often(port, size.queries)
        ends = [stopped(served) for _ in range(size.runs)]
        blank, rows = compressed(port, "/"), compressed(port, "/?q=citizen+MR")
        head = asked(port, "/", b"")[2].decode()
        files = [each.partition('"')[0] for each in head.split('"/static/')[1:]]
        assets = sum(
            len(gzip.compress(asked(port, f"/static/{each}", b"")[2].partition(b"\r\n\r\n")[2]))
            for each in files
        )
    firsts, theres = [each[0] for each in times], [each[1] for each in times]
    claim.is_met = (
        figures["rows"] >= most
        and figures["seconds"] <= SCROLL
        and figures["task"] <= TASK
        and figures["tab"] <= TAB
        and figures["server"] <= SERVER_GROWTH
        and figures["shift"] == 0
        and end <= END
        and median(firsts) <= FIRST_BYTE
        and median(theres) <= FIRST_ROW_P50
        and percentile(theres, 0.99) <= FIRST_ROW_P99
        and rows / 1000 <= ROWS_PAGE
        and (blank + assets) / 1000 <= FIRST_VISIT
        and max(ends) <= STOP
    )
    claim.figures = [
        Figure(
            f"{figures['rows']:,} rows scrolled, s, and the tab's processor time",
            f"{number(figures['seconds'])} / {number(figures['processor'])}",
        ),
        Figure(
            "tasks over 50 ms, and the longest, ms",
            f"{figures['tasks']} / {number(figures['task'])}",
        ),
        Figure("layout shift", number(figures["shift"])),
        Figure("rows kept in the document", number(figures["kept"])),
        Figure(
            "memory of the tab with 50 rows, at the end, after a collection, MiB",
            " / ".join(number(figures[each]) for each in ("tab_first", "tab", "tab_collected")),
        ),
        Figure("memory of the server in the second half, MiB", number(figures["server"])),
        Figure("by End, s", number(end)),
        Figure(
            "first byte, p50 / p99, ms",
            f"{number(median(firsts))} / {number(percentile(firsts, 0.99))}",
        ),
        Figure(
            "first row, p50 / p99, ms",
            f"{number(median(theres))} / {number(percentile(theres, 0.99))}",
        ),
        Figure(
            "first visit: page, files, compressed, KB",
            f"{number(blank / 1000)} / {number(assets / 1000)}",
        ),
        Figure("50 rows, compressed, KB", number(rows / 1000)),
        Figure("the database free after its client is gone, ms", number(max(ends))),
    ]
    return claim
