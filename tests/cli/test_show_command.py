"""``dicomquest show``: the header of a file or a stored instance (PS3.10 7)."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from pydicom import dcmread
from pydicom.data import get_testdata_file

from dicomquest.cli import main
from dicomquest.index import open_index

CT = Path(str(get_testdata_file("CT_small.dcm")))


def test_show_prints_the_header_of_a_file() -> None:
    done = CliRunner().invoke(main, ["show", str(CT)])
    assert done.exit_code == 0
    assert (
        "(0010,0010)  PN  Patient's Name                        CompressedSamples^CT1"
        in done.stdout
    )
    assert "(0002,0010)  UI  Transfer Syntax UID" in done.stdout
    assert "(7FE0,0010)" not in done.stdout


def test_show_finds_a_stored_instance_by_uid(tmp_path: Path) -> None:
    with open_index(tmp_path / "i.sqlite", create=True) as index:
        index.ingest([CT])
    uid = dcmread(CT, stop_before_pixels=True).SOPInstanceUID
    done = CliRunner().invoke(main, ["show", "--index", str(tmp_path / "i.sqlite"), uid])
    assert done.exit_code == 0
    assert uid in done.stdout
    unknown = CliRunner().invoke(main, ["show", "--index", str(tmp_path / "i.sqlite"), "1.2.3"])
    assert unknown.exit_code == 1
    assert "has no instance with the SOP Instance UID 1.2.3" in unknown.stderr


@pytest.mark.parametrize("content", [b"no DICOM file at all", b""])
def test_show_says_what_is_no_dicom_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.txt").write_bytes(content)
    done = CliRunner().invoke(main, ["show", str(tmp_path / "x.txt")])
    assert done.exit_code == 1
    assert "Error:" in done.stderr
    assert "x.txt" in done.stderr


def test_show_escapes_what_a_file_says(tmp_path: Path) -> None:
    read = dcmread(CT)
    read.SpecificCharacterSet = "ISO_IR 192"
    read.StudyDescription = "\u202ered"
    read.save_as(tmp_path / "red.dcm")
    done = CliRunner().invoke(main, ["show", str(tmp_path / "red.dcm")])
    assert "\u202e" not in done.stdout
    assert "\\u202ered" in done.stdout
