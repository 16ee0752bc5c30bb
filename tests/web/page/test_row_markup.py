"""Rows as markup: stored values are text, and move nothing beside them (HTML 4.9)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from dicomquest.web.box import read_box
from dicomquest.web.page.hits import Hits
from dicomquest.web.page.row_markup import COLUMNS, RowMarkup
from dicomquest.web.page.shown_values import shown_name
from dicomquest.web.page.study_rows import StudyRow

NOW = datetime(2026, 11, 28, tzinfo=UTC)
EVIL = "\"'><script>alert(1)</script>&"
PLAIN = StudyRow(
    "1.2.3",
    shown_name("Citizen^Jan"),
    "P1",
    "P1",
    "1970-03-05",
    "F",
    "2024-03-05",
    "10:11",
    ("CT",),
    ("SR",),
    "Knee left",
    2,
    1204,
    "A77",
    shown_name("Doe^Ann"),
    "54 years",
    station="CT1",
    received="2024-03-05 10:30",
)


def written(row: StudyRow, question: str = "", offset: int | None = 0, opened: str = "") -> str:
    hits = Hits(read_box(question, NOW))
    return RowMarkup(hits, offset, "/?all&open=", "/?all", opened).row(row, 1)


def cells(markup: str) -> dict[str, str]:
    """The texts of the cells by their classes."""
    row = ET.fromstring(markup.replace('"></label>', '"/></label>'))
    return {each.attrib["class"]: "".join(each.itertext()) for each in row}


def test_each_value_stands_in_its_cell() -> None:
    found = cells(written(PLAIN))
    assert len(found) == COLUMNS
    assert found == {
        "tick": "",
        "patient": "Citizen, Jan",
        "id": "P1",
        "born": "1970-03-05",
        "date": "2024-03-05",
        "time": "10:11",
        "mod": "CT SR",
        "desc": "Knee left",
        "num": "2/1,204",
        "acc": "A77",
        "ref": "Doe, Ann",
        "sta": "CT1",
        "rec": "2024-03-05 10:30",
        "uid": "1.2.3",
    }


def test_a_narrow_row_lacks_the_columns_of_a_wide_one() -> None:
    found = cells(RowMarkup(Hits(read_box("", NOW)), 0, "", is_narrow=True).row(PLAIN, 1))
    assert "acc" in found
    assert not found.keys() & {"ref", "sta", "rec", "uid"}


@pytest.mark.parametrize(
    "field", ["uid", "patient_id", "born", "date", "time", "description", "accession", "station"]
)
def test_markup_in_a_value_is_text(field: str) -> None:
    changed: dict[str, Any] = {field: EVIL}
    found = written(replace(PLAIN, **changed))
    assert "<script" not in found
    assert EVIL in cells(found).values()


def test_markup_in_a_name_is_text() -> None:
    found = written(replace(PLAIN, name=shown_name(f"{EVIL}={EVIL}"), modalities=(EVIL,)), "alert")
    assert "<script" not in found
    assert EVIL in cells(found)["patient"]


def test_only_what_may_turn_is_isolated() -> None:
    assert written(PLAIN).count("<bdi") == 2
    arabic = replace(PLAIN, description="محمد", name=shown_name("=山田^太郎"))
    found = written(replace(arabic, description_language=""))
    assert '<bdi dir="auto">محمد</bdi>' in found
    assert '<bdi dir="auto" class="name" lang="ja">山田 太郎</bdi>' in found


def test_both_groups_of_a_name_are_markup() -> None:
    name = shown_name("Yamada^Taro=山田^太郎", alphabetic_first=True)
    found = written(replace(PLAIN, name=name))
    assert '<bdi dir="auto" class="name">Yamada, Taro</bdi> <bdi dir="auto" class="bel' in found
    assert cells(found)["patient"] == "Yamada, Taro 山田 太郎"


def test_a_row_says_its_place_if_it_is_known() -> None:
    assert 'aria-rowindex="102"' in written(PLAIN, offset=100)
    assert "aria-rowindex" not in written(PLAIN, offset=None)


def test_the_opener_opens_and_closes() -> None:
    assert 'aria-expanded="false" href="/?all&amp;open=1.2.3#s-1.2.3"' in written(PLAIN)
    assert 'aria-expanded="true" href="/?all#s-1.2.3"' in written(PLAIN, opened="1.2.3")


def test_missing_values_and_shared_ids_are_told() -> None:
    found = written(replace(PLAIN, name=shown_name(""), date="", names_of_id=2))
    assert 'aria-label="Tick no name, no date"' in found
    assert '<span class="dim none">no date</span>' in found
    assert found.count("ID shared by 2 names") == 3


def test_hits_are_marked() -> None:
    found = written(PLAIN, "citi knee")
    assert '<mark class="hit">Citi</mark>zen' in found
    assert '<mark class="hit">Knee</mark> left' in found
