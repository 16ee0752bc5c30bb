"""``python bench/sizing.py [URL]``: the bytes that each entity takes in an index.

The index is a new SQLite file, or the empty PostgreSQL database of the URL. There are two kinds of
header: the short one of ``population``, and that of a CT with its scanner's private elements,
because attributes without a column are kept as JSON.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from pathlib import Path

import psycopg
from population import instances
from pydicom.data import get_testdata_file

from dicomquest.dataset.codec import decode_header
from dicomquest.dataset.elements import DataSet
from dicomquest.dataset.part10 import read_file_start
from dicomquest.index import Index
from dicomquest.index.database.nodes import is_postgresql

LEVELS = ("patient", "study", "series", "instance")
STUDIES = 500


def ct_header() -> DataSet:
    path = get_testdata_file("CT_small.dcm")
    assert isinstance(path, str)
    data = Path(path).read_bytes()
    start = read_file_start(data)
    return decode_header(data, start.transfer_syntax, start=start.start).data_set


def measure(location: str, header: DataSet) -> dict[str, tuple[int, int]]:
    """Add ``STUDIES`` studies of one or two series of up to 30 instances; return rows and bytes."""
    before = sizes(location)
    with Index(location) as index:
        added = instances(STUDIES, seed=2 if header else 1, most_series=2, most_instances=30)
        index.ingest_data_sets({**header, **instance} for instance in added)
    after = sizes(location)
    return {
        level: (after[level][0] - before[level][0], after[level][1] - before[level][1])
        for level in LEVELS
    }


def sizes(location: str) -> dict[str, tuple[int, int]]:
    """Return rows and bytes by level: its table, value and trigram tables, and their indexes."""
    return _postgresql(location) if is_postgresql(location) else _sqlite(location)


def _sqlite(location: str) -> dict[str, tuple[int, int]]:
    connection = sqlite3.connect(location)
    tables = dict(connection.execute("SELECT name, tbl_name FROM sqlite_master"))
    found = dict.fromkeys(LEVELS, (0, 0))
    for name, size in connection.execute(
        "SELECT name, sum(pgsize) FROM dbstat GROUP BY name"
    ).fetchall():
        level = tables.get(name, name).partition("_")[0]
        if level in found:
            found[level] = (0, found[level][1] + size)
    for level in LEVELS if tables else ():
        rows = connection.execute(f"SELECT count(*) FROM {level}").fetchone()[0]
        found[level] = (rows, found[level][1])
    connection.close()
    return found


def _postgresql(location: str) -> dict[str, tuple[int, int]]:
    found = dict.fromkeys(LEVELS, (0, 0))
    with psycopg.connect(location, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        tables = connection.execute(
            "SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r'"
        )
        for name, size in tables.fetchall():
            level = name.partition("_")[0]
            if level in found:
                rows = 0
                if name == level:
                    [rows] = connection.execute(
                        f"SELECT count(*) FROM {level}".encode()
                    ).fetchone() or (0,)
                found[level] = (found[level][0] + rows, found[level][1] + size)
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        location = sys.argv[1] if len(sys.argv) > 1 else str(Path(folder) / "index.sqlite")
        print("| header | " + " | ".join(LEVELS) + " |")
        print("| --- |" + " --- |" * len(LEVELS))
        for name, header in (("short", {}), ("CT", ct_header())):
            found = measure(location, header)
            cells = [f"{size / max(rows, 1):,.0f} ({rows:,} rows)" for rows, size in found.values()]
            print(
                f"| {name} ({len(header) or 22} elements) | " + " | ".join(cells) + " |", flush=True
            )


if __name__ == "__main__":
    main()
