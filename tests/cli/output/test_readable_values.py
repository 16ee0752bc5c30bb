from __future__ import annotations

import pytest

from dicomquest.cli.output.readable_values import readable_at
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.query.identifier.key_arguments import parse_keys

ROWS = [
    ("StudyDate", "DA", ("20240105",), "2024-01-05", None),
    ("StudyDate", "DA", ("20241301",), "20241301", None),
    ("StudyDate", "DA", ("2024.01.05",), "2024.01.05", None),
    ("StudyTime", "TM", ("101112.500000",), "10:11:12", "10:11:12.500000"),
    ("StudyTime", "TM", ("1011",), "10:11", None),
    ("AcquisitionDateTime", "DT", ("20240105101112.5+0100",), "2024-01-05 10:11:12",
     "2024-01-05 10:11:12.5 +0100"),
    ("PatientName", "PN", ("Doe^John^^^",), "Doe^John", None),
    ("PatientName", "PN", ("Yamada^Tarou=山田^太郎=やまだ",), "Yamada^Tarou 山田^太郎",
     "Yamada^Tarou = 山田^太郎 = やまだ"),
    ("PatientName", "PN", ("=山田^太郎",), "山田^太郎", None),
    ("SOPClassUID", "UI", ("1.2.840.10008.5.1.4.1.1.2",), "CT Image Storage",
     "CT Image Storage (1.2.840.10008.5.1.4.1.1.2)"),
    ("StudyInstanceUID", "UI", ("1.2.3",), "1.2.3", None),
    ("ModalitiesInStudy", "CS", ("CT", "SR"), "CT,SR", None),
    ("OtherPatientIDs", "LO", ("A", "B"), "A; B", None),
    ("Rows", "US", (512,), "512", None),
    ("PatientID", "LO", (), "", None),
    ("PatientID", "LO", ("a\x1b[31mb",), "a [31mb", None),
]  # fmt: skip


@pytest.mark.parametrize(("keyword", "vr", "values", "short", "full"), ROWS)
def test_value_is_readable(
    keyword: str, vr: str, values: tuple[str, ...], short: str, full: str | None
) -> None:
    (key,) = parse_keys([keyword])
    match: DataSet = {key.path[0].tag: Element(vr, values)}
    assert readable_at(match, key.path) == short
    assert readable_at(match, key.path, full=True) == (full or short)
