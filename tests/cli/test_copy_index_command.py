"""``dicomquest copy-index`` as a program."""

from __future__ import annotations

from pathlib import Path

from dicomquest.index import Index
from fixtures.building import instance
from peers import ours


def test_copy_is_told_and_answers(tmp_path: Path) -> None:
    source, target = str(tmp_path / "a.sqlite"), str(tmp_path / "b.sqlite")
    with Index(source) as index:
        index.ingest_data_sets([instance(PatientName="CITIZEN^Jan")])
    done = ours.run("copy-index", source, target)
    assert done.status == 0
    assert "instance                    1 rows, equal" in done.out
    assert "all equal to their source" in done.err
    assert Path(target).stat().st_mode & 0o777 == 0o600
    with Index(target, create=False) as copy:
        assert [str(each.PatientName) for each in copy.find(PatientName="")] == ["CITIZEN^Jan"]


def test_copy_into_an_index_is_refused(tmp_path: Path) -> None:
    source, target = str(tmp_path / "a.sqlite"), str(tmp_path / "b.sqlite")
    for path in (source, target):
        with Index(path) as index:
            index.ingest_data_sets([instance(PatientName="CITIZEN^Jan")])
    done = ours.run("copy-index", source, target)
    assert done.status == 1
    assert "has an index already: name an empty database" in done.err


def test_missing_source_is_told(tmp_path: Path) -> None:
    done = ours.run("copy-index", str(tmp_path / "a.sqlite"), str(tmp_path / "b.sqlite"))
    assert done.status == 1
    assert "`dicomquest index PATH...` makes one" in done.err
    assert list(tmp_path.iterdir()) == []
