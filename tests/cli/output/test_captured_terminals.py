"""Terminals of 80, 100 and 200 columns as people see them, compared with the files beside.

``DICOMQUEST_CAPTURE=1 pytest`` on this file writes them anew: look at them before you commit.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset
from rich.cells import cell_len

from dicomquest import evt
from fixtures.faces import HOST, data_set, serving
from fixtures.terminals import on_terminal

CAPTURED = Path(__file__).parent / "captured"
UID = "1.3.6.1.4.1.5962.1.1.0.0.0.119652741"

STUDIES = (
    ("Doe^Archibald", "77654033", "19600229", "M", "20240112", "A4711", "CR", "Chest PA"),
    ("Doe^Peter", "98890234", "19710802", "M", "20240302", "A4712", "CT\\SR",
     "Abdomen with contrast, late phase, and a chest without contrast"),
    ("Yamada^Tarou=山田^太郎=やまだ^たろう", "JP001", "19881224", "M", "20240305", "A4713", "MR",
     "Knee left"),
    ("Müller-Lüdenscheidt^Anna Katharina^^Dr.^", "4711", "19550101", "F", "20240311", "A4714",
     "US", "Schilddrüse"),
    ("김희중", "KR-0815-2024", "", "O", "20240312", "", "CT", ""),
)  # fmt: skip
KEYWORDS = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "AccessionNumber",
    "ModalitiesInStudy", "StudyDescription",
)  # fmt: skip
SERIES = (("CT", "1", "Topogram", "2"), ("CT", "2", "Abdomen venous 5 mm", "84"),
          ("SR", "99", "Dose report", "1"))  # fmt: skip


def answer(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
    if event.identifier.QueryRetrieveLevel == "SERIES":
        for number, (modality, series, description, instances) in enumerate(SERIES, 1):
            yield (
                0xFF00,
                data_set(
                    Modality=modality, SeriesNumber=series, SeriesDescription=description,
                    NumberOfSeriesRelatedInstances=instances, StudyInstanceUID=f"{UID}.1",
                    SeriesInstanceUID=f"{UID}.1.{number}",
                ),
            )  # fmt: skip
        return
    wanted = str(event.identifier.get("PatientID") or "")
    for number, row in enumerate(STUDIES):
        values = dict(zip(KEYWORDS, row, strict=True))
        if wanted in {"", values["PatientID"]}:
            yield (
                0xFF00,
                data_set(
                    SpecificCharacterSet="ISO_IR 192", StudyInstanceUID=f"{UID}.{number}", **values
                ),
            )


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(answer) as port:
        yield port


CAPTURES = {
    "studies": ([],),
    "record": (["PatientID=98890234", "--format", "record"],),
    "series": (["-L", "SERIES", f"StudyInstanceUID={UID}.1"],),
    "asked": (["StudyInstanceUID", "StudyDescription", "PatientName"],),
    "nothing": (["PatientID=0"],),
    "tree": (["--tree", "-L", "SERIES", "PatientID=98890234"],),
}


@pytest.mark.parametrize("width", [80, 100, 200])
@pytest.mark.parametrize("name", CAPTURES)
def test_terminal_is_as_captured(name: str, width: int, port: int) -> None:
    parts = []
    for arguments in CAPTURES[name]:
        words = " ".join(f"'{word}'" if re.search(r"[*^\\]", word) else word for word in arguments)
        printed = on_terminal(width, "find", HOST, str(port), *arguments)
        assert all(cell_len(line) <= width for line in printed.splitlines())
        assert all(line == line.rstrip() for line in printed.splitlines())
        printed = re.sub(r"in [\d.,]+ m?s\b", "in 41 ms", printed)
        parts.append(f"$ dicomquest find pacs1 {words}".rstrip() + f"\n{printed}")
    text = "\n".join(parts)
    path = CAPTURED / f"{name}-{width}.txt"
    if os.environ.get("DICOMQUEST_CAPTURE"):
        CAPTURED.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
