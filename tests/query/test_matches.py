"""`to_arrow`, `to_pandas` and `to_polars` of the result of `dicomquest.find` and `Index.find`."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset

import dicomquest
from dicomquest import evt
from dicomquest.dataset.elements import from_pydicom
from dicomquest.query.matches import Matches
from fixtures.faces import HOST, data_set, serving
from fixtures.storing import ROOT, instance

KEYS = (
    "PatientName", "StudyDate", "ModalitiesInStudy", "NumberOfStudyRelatedInstances",
    "PatientWeight", "StudyInstanceUID",
)  # fmt: skip
NAME = "Yamada^Tarou=山田^太郎=やまだ^たろう"
ROWS: list[dict[str, Any]] = [
    {
        "PatientName": NAME,
        "StudyDate": dt.date(2024, 1, 5),
        "ModalitiesInStudy": ["CT", "SR"],
        "NumberOfStudyRelatedInstances": 2,
        "PatientWeight": 70.5,
        "StudyInstanceUID": f"{ROOT}.1",
    },
    {
        "PatientName": "Müller^Jürgen",
        "StudyDate": None,
        "ModalitiesInStudy": None,
        "NumberOfStudyRelatedInstances": None,
        "PatientWeight": None,
        "StudyInstanceUID": f"{ROOT}.2",
    },
]


def answer(_: evt.Event) -> Iterator[tuple[int, Dataset]]:
    for row in ROWS:
        values = {name: value for name, value in row.items() if value is not None}
        if "StudyDate" in values:
            values["StudyDate"] = "20240105"
        yield 0xFF00, data_set(SpecificCharacterSet="ISO_IR 192", **values)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(answer) as port:
        yield port


def find(port: int) -> Matches[Dataset]:
    return dicomquest.find(HOST, port, keys=dict.fromkeys(KEYS))


def by_name(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: row[name] for name in KEYS} for row in rows]


def test_arrow_table_of_a_query(port: int) -> None:
    table = find(port).to_arrow()
    assert by_name(table.to_pylist()) == ROWS
    assert set(table.column_names) == set(KEYS)


def test_polars_frame_of_a_query(port: int) -> None:
    assert by_name(find(port).to_polars().to_dicts()) == ROWS


def test_pandas_frame_of_a_query(port: int) -> None:
    """Dates are times of pandas, and integers stay integers beside a missing one."""
    frame = find(port).to_pandas()
    assert frame["PatientName"].tolist() == [NAME, "Müller^Jürgen"]
    assert frame["StudyDate"].dt.year.tolist()[0] == 2024
    assert str(frame["NumberOfStudyRelatedInstances"].dtype) == "Int64"
    assert list(frame["ModalitiesInStudy"][0]) == ["CT", "SR"]


def test_tables_of_an_index(tmp_path: Path) -> None:
    made = instance(1, 1)
    made.SpecificCharacterSet, made.PatientName, made.PatientWeight = "ISO_IR 192", NAME, "70.5"
    other = instance(1, 2)
    other.SpecificCharacterSet, other.PatientName, other.PatientWeight = "ISO_IR 192", NAME, "70.5"
    other.Modality, other.SeriesInstanceUID = "SR", f"{ROOT}.1.2"
    with dicomquest.open_index(tmp_path / "index.sqlite", create=True) as index:
        index.ingest_data_sets(map(from_pydicom, (made, other)))
        found = index.find(keys=dict.fromkeys(KEYS))
        (row,) = by_name(found.to_arrow().to_pylist())
        row["ModalitiesInStudy"].sort()
        assert row == ROWS[0]
        assert index.find(keys=dict.fromkeys(KEYS)).to_polars().height == 1


def test_loop_and_next_share_one_query(port: int) -> None:
    matches = find(port)
    assert str(next(matches).PatientName) == NAME
    assert [str(match.PatientName) for match in matches] == ["Müller^Jürgen"]
    with pytest.raises(ValueError, match="ask again"):
        matches.to_arrow()
    find(port).close()


def test_missing_package_is_named(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(dicomquest.MissingPackageError, match=r"install dicomquest\[arrow\]"):
        find(port).to_arrow()
