"""The table and the record format: columns, cells, and what a terminal of some width shows."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from rich.cells import cell_len

from dicomquest.cli.output.page import Page
from dicomquest.cli.output.record_writer import write_records
from dicomquest.cli.output.table_writer import write_table
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.query.identifier.key_arguments import parse_keys
from dicomquest.standard.levels import Level
from fixtures.timing import LONG

USUAL = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "AccessionNumber",
    "ModalitiesInStudy", "StudyDescription", "StudyInstanceUID",
)  # fmt: skip
UID = "1.3.6.1.4.1.5962.1.1.0.0.0.1196527414.5534.0.1"


def study(**values: str | tuple[str, ...]) -> DataSet:
    """A study of the usual attributes."""
    given: dict[str, Any] = {
        "PatientName": "Doe^Archibald",
        "PatientID": "77654033",
        "PatientBirthDate": "19600229",
        "PatientSex": "M",
        "StudyDate": "20240112",
        "AccessionNumber": "A4711-2024",
        "ModalitiesInStudy": ("CT", "SR"),
        "StudyDescription": "Abdomen with contrast, late phase, and a chest without",
        "StudyInstanceUID": UID,
        **values,
    }
    made: DataSet = {}
    for key in parse_keys(given):
        vr = {"PatientName": "PN", "StudyInstanceUID": "UI", "ModalitiesInStudy": "CS"}.get(
            key.name, "DA" if "Date" in key.name else "LO"
        )
        value = given[key.name]
        made[key.path[0].tag] = Element(vr, value if isinstance(value, tuple) else (value,))
    return made


def table(
    matches: Sequence[DataSet], width: int | None, names: Sequence[str] = USUAL, *, asked: int = 0
) -> tuple[list[str], list[str]]:
    """The lines of a table, and the headings of the columns that did not fit."""
    keys = tuple(parse_keys(names))
    out = io.StringIO()
    page = Page(keys, frozenset(keys[:asked]), Level.STUDY, out, width=width, height=3)
    left_out = write_table(matches, page)
    return out.getvalue().strip("\n").splitlines(), [each.full for each in left_out]


def test_all_columns_in_a_pipe() -> None:
    lines, left_out = table([study()], None)
    assert not left_out
    assert lines[0].split() == [
        "Patient", "ID", "Born", "Sex", "Date", "Mod", "Description", "Accession", "No.", "Study",
        "Instance", "UID",
    ]  # fmt: skip
    assert "Abdomen with contrast, late phase, and a chest without" in lines[1]
    assert lines[1].endswith(UID)


def test_pipe_cuts_no_later_text() -> None:
    later = study(PatientName="Doe^Archibald Maximilian", StudyDescription="A long text " * 9)
    lines, _ = table([study()] * 3 + [later], None)
    assert "Doe^Archibald Maximilian" in lines[-1]
    assert ("A long text " * 9).strip() in lines[-1]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120, 200])
def test_lines_fit_and_whole_values_stay_whole(width: int) -> None:
    """No line is longer than the terminal, and a date, an ID or a UID is whole or absent."""
    matches = [study(PatientName=name) for name in ("Doe^Archibald", "山田^太郎", "X" * 60)]
    lines, left_out = table(matches, width)
    assert all(cell_len(line) <= width and line == line.rstrip() for line in lines)
    for value, heading in (
        ("2024-01-12", "Study Date"),
        ("77654033", "Patient ID"),
        ("A4711-2024", "Accession Number"),
        (UID, "Study Instance UID"),
    ):
        assert all(value in line for line in lines[1:]) == (heading not in left_out)


def test_who_when_and_what_come_first() -> None:
    """80 columns have the patient, the date and the description, 120 the Accession Number."""
    assert table([study()], 80)[0][0].split() == ["Patient", "ID", "Date", "Mod", "Description"]
    assert "Accession No." in table([study()], 120)[0][0]
    assert "Study Instance UID" in table([study()], 200)[0][0]


def test_attribute_asked_for_gets_room_first() -> None:
    lines, _ = table([study()], 80, ("StudyInstanceUID", *USUAL[:-1]), asked=1)
    assert lines[1].startswith(UID)


def test_name_keeps_its_family_part() -> None:
    lines, _ = table([study(PatientName="Wolfeschlegelsteinhausen^Hubert Blaine")], 40)
    assert lines[1].startswith("Wolfeschlegelsteinhausen…  ")


def test_later_longer_value_stays_whole() -> None:
    """A value that is never cut takes the room of others, or a line of its own."""
    long_id = "9" * 30
    matches = [study() for _ in range(3)] + [study(PatientID=long_id, PatientName="A^B"), study()]
    lines, _ = table(matches, 80)
    assert all(cell_len(line) <= 80 for line in lines)
    assert sum(long_id in line for line in lines) == 1
    assert lines[-1] == lines[1]
    lines, _ = table([*matches[:3], study(PatientID="9" * 64)], 80)
    assert lines[-1] == f"  Patient ID  {'9' * 64}"


def test_wide_characters_stay_in_line() -> None:
    lines, _ = table([study(PatientName="山田^太郎"), study(PatientName="Doe^Jo")], 80)
    assert {cell_len(line[: line.index("77654033")]) for line in lines[1:]} == {11}


def test_control_characters_and_markup_are_harmless() -> None:
    """Control characters and markup from a peer do no harm."""
    lines, _ = table([study(PatientName="[red]A\x1b[31mB[/red]")], None)
    assert lines[1].startswith("[red]A [31mB[/red]")


def test_first_rows_do_not_wait_for_the_next() -> None:
    """A slow peer's first match is shown before the second one comes."""
    shown = threading.Event()

    class Screen(io.StringIO):
        def flush(self) -> None:
            if "Doe" in self.getvalue():
                shown.set()

    def matches() -> Iterator[DataSet]:
        yield study()
        assert shown.wait(LONG)
        yield study()

    keys = tuple(parse_keys(USUAL))
    out = Screen()
    write_table(matches(), Page(keys, frozenset(), Level.STUDY, out, width=80))
    assert len(out.getvalue().strip().splitlines()) == 3


def test_failure_does_not_take_rows_along() -> None:
    def matches() -> Iterator[DataSet]:
        yield study()
        raise KeyboardInterrupt

    out = io.StringIO()
    with pytest.raises(KeyboardInterrupt):
        write_table(matches(), Page(tuple(parse_keys(USUAL)), frozenset(), Level.STUDY, out))
    assert "Doe^Archibald" in out.getvalue()


def test_record_has_an_attribute_a_line() -> None:
    out = io.StringIO()
    keys = tuple(parse_keys(["PatientName", "StudyDate", "StudyDescription", "StudyInstanceUID"]))
    page = Page(keys, frozenset(keys), Level.STUDY, out, width=70)
    write_records([study(PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう^^"), study()], page)
    first, second = out.getvalue().strip("\n").split("\n\n")
    assert first.splitlines() == [
        "Patient Name         Yamada^Tarou = 山田^太郎 = やまだ^たろう",
        "Study Date           2024-01-12",
        "Study Description    Abdomen with contrast, late phase, and a chest",
        "                     without",
        f"Study Instance UID   {UID}",
    ]
    assert second.startswith("Patient Name         Doe^Archibald\n")
