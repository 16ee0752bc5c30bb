"""Parquet and Arrow files, read by the programs that others wrote for them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow.feather
import pyarrow.parquet
import pytest

from dicomquest.cli.output.formats import FORMATS
from dicomquest.cli.output.page import Page
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.query.identifier.key_arguments import parse_keys
from dicomquest.standard.levels import Level

NAMES = (
    "PatientName", "StudyDate", "ModalitiesInStudy", "NumberOfStudyRelatedSeries", "PatientWeight",
    "StudyInstanceUID", "RequestAttributesSequence.ScheduledProcedureStepID",
)  # fmt: skip
KEYS = tuple(parse_keys(NAMES))
FIRST: DataSet = {
    0x00080020: Element("DA", ("20240229",)),
    0x00080061: Element("CS", ("CT", "SR")),
    0x00100010: Element("PN", ("Yamada^Tarou=山田^太郎=やまだ^たろう",)),
    0x00101030: Element("DS", ("70.5",)),
    0x0020000D: Element("UI", ("1.2.3",)),
    0x00201206: Element("IS", ("12",)),
    0x00400275: Element(
        "SQ", ({0x00400009: Element("SH", ("S1",))}, {0x00400009: Element("SH", ("S2",))})
    ),
}
SECOND: DataSet = {0x00100010: Element("PN", ("Müller^Jürgen",)), 0x00080061: Element("CS", ())}
ROW = {
    "StudyInstanceUID": "1.2.3",
    "PatientName": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "StudyDate": dt.date(2024, 2, 29),
    "ModalitiesInStudy": ["CT", "SR"],
    "NumberOfStudyRelatedSeries": 12,
    "PatientWeight": 70.5,
    "RequestAttributesSequence.ScheduledProcedureStepID": ["S1", "S2"],
}
EMPTY = dict.fromkeys(ROW) | {"PatientName": "Müller^Jürgen"}


def written(name: str, folder: Path, matches: Sequence[DataSet]) -> Path:
    path = folder / f"studies.{name}"
    with path.open("wb") as stream, (folder / "none").open("w") as out:
        page = Page(KEYS, frozenset(), Level.STUDY, out, binary=stream)
        FORMATS[name].write(matches, page)
    return path


@pytest.mark.parametrize("name", ["parquet", "arrow"])
def test_others_read_what_was_written(name: str, tmp_path: Path) -> None:
    """pyarrow, polars and pandas read types, multi-byte names and several values."""
    path = written(name, tmp_path, [FIRST, SECOND])
    read: Any = pyarrow.parquet.read_table if name == "parquet" else pyarrow.feather.read_table
    assert read(path).to_pylist() == [ROW, EMPTY]
    assert list(read(path).column_names) == list(ROW)
    lazily: Any = pl.read_parquet if name == "parquet" else pl.read_ipc
    assert lazily(path).to_dicts() == [ROW, EMPTY]
    frame = pd.read_parquet(path) if name == "parquet" else pd.read_feather(path)
    assert frame["PatientName"].tolist() == [ROW["PatientName"], "Müller^Jürgen"]
    assert list(frame["ModalitiesInStudy"][0]) == ["CT", "SR"]


@pytest.mark.parametrize("value", ["20240231", "2024-02-01", "20241301", "202402"])
def test_column_with_a_value_of_no_date_stays_text(value: str, tmp_path: Path) -> None:
    path = written("parquet", tmp_path, [FIRST, {0x00080020: Element("DA", (value,))}])
    dates = pyarrow.parquet.read_table(path).column("StudyDate").to_pylist()
    assert dates == ["20240229", value]


def test_many_rows_are_written_in_chunks(tmp_path: Path) -> None:
    path = written("parquet", tmp_path, [FIRST] * 20_000)
    table = pyarrow.parquet.read_table(path)
    assert table.num_rows == 20_000
    assert table.slice(19_999).to_pylist() == [ROW]
