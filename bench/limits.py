"""The physical limits: the rows that SQLite gives Python, and the bytes that loopback takes."""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from typing import TYPE_CHECKING

from measure import Claim, Figure, alternate, median, number, spread
from p01_stream import rate
from servers import index_of, ours

if TYPE_CHECKING:
    from sizes import Size

ROWS = """
SELECT study_date, study_time, accession_number, modalities_in_study, study_description,
  patient_name, patient_id, patient_birth_date, study_instance_uid,
  number_of_study_related_series, number_of_study_related_instances
FROM study JOIN patient ON patient.id = study.parent
"""
RESPONSE = bytes(420)


def sqlite_rate(size: Size) -> float:
    connection = sqlite3.connect(index_of(size.stream))
    started = time.perf_counter()
    cursor = connection.execute(ROWS)
    rows = 0
    while batch := cursor.fetchmany(512):
        rows += len(batch)
    return rows / (time.perf_counter() - started)


def socket_rate(size: Size) -> float:
    """Return the responses a second that loopback takes in writes of 512, if only read."""
    here, there = socket.create_server(("127.0.0.1", 0)), socket.socket()
    there.connect(here.getsockname())
    accepted, _ = here.accept()
    here.close()

    def read() -> None:
        while there.recv(1 << 20):
            pass

    reader = threading.Thread(target=read)
    reader.start()
    chunk = RESPONSE * 512
    started = time.perf_counter()
    for _ in range(max(1, size.stream // 512)):
        accepted.sendall(chunk)
    accepted.close()
    reader.join()
    there.close()
    return max(1, size.stream // 512) * 512 / (time.perf_counter() - started)


def run(size: Size) -> Claim:
    claim = Claim(
        "Limits",
        "what SQLite and the socket allow, in rows or responses a second",
        "none: what P1 is a share of",
    )
    with ours(size.stream) as served:
        measures = {
            "sqlite": lambda: sqlite_rate(size),
            "socket": lambda: socket_rate(size),
            "ours": rate(served),
        }
        figures = alternate(measures, size.runs)
    base = median(figures["ours"])

    def share(name: str) -> str:
        return f"we reach {base / median(figures[name]):.0%} of it"

    claim.figures = [
        Figure("dicomquest, one query as in P1", spread(figures["ours"])),
        Figure(
            "SQLite to Python tuples, 11 columns of two tables",
            spread(figures["sqlite"]),
            share("sqlite"),
        ),
        Figure(
            f"loopback socket, responses of {number(len(RESPONSE))} bytes",
            spread(figures["socket"]),
            share("socket"),
        ),
    ]
    return claim
