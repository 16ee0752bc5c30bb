"""KEY=@FILE: the values of a key from lines of text, or from a column of a CSV."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicomquest.cli.asking.value_files import take_file
from dicomquest.query.identifier.key_arguments import KeyTextError, parse_keys


def values(tmp_path: Path, text: str, keyword: str = "StudyInstanceUID") -> tuple[str, ...]:
    path = tmp_path / "values.txt"
    path.write_text(text, encoding="utf-8")
    keys, found = take_file(parse_keys([f"{keyword}=@{path}", "PatientName"]))
    assert found is not None
    assert [key.value for key in keys] == [found.values[0], ""]
    return found.values


@pytest.mark.parametrize(
    "text",
    [
        "1.2\n1.3\n\n1.2\n",
        "# studies of the trial\n1.2 1.3\n",
        '"1.2", "1.3"\r\n',
        "StudyInstanceUID,PatientID\n1.2,A\n1.3,B\n",
        "Patient ID;Study Instance UID\nA;1.2\nB;1.3\n",
    ],
)
def test_uids_of_a_file(tmp_path: Path, text: str) -> None:
    assert values(tmp_path, text) == ("1.2", "1.3")


def test_other_values_are_lines(tmp_path: Path) -> None:
    assert values(tmp_path, "A 1\nB,2\n", "AccessionNumber") == ("A 1", "B,2")
    assert values(tmp_path, "AccessionNumber\nA 1\n", "AccessionNumber") == ("A 1",)


def test_keys_without_a_file_stay() -> None:
    keys = parse_keys(["PatientName=A", "PatientID=@"])
    assert take_file(keys) == (keys, None)


def test_wrong_files_are_named(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("# nothing\n", encoding="utf-8")
    for texts, words in (
        ([f"StudyInstanceUID=@{tmp_path}/none"], "cannot be read: No such file"),
        ([f"StudyInstanceUID=@{empty}"], "the file has no value"),
        ([f"StudyInstanceUID=@{empty}", f"PatientID=@{empty}"], "one key at most may name a file"),
        ([f"RequestAttributesSequence.RequestedProcedureID=@{empty}"], "in a sequence"),
    ):
        with pytest.raises(KeyTextError, match=words):
            take_file(parse_keys(texts))
