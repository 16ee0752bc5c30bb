"""Attributes get value rows while the index is in use, resume, and serve queries when filled."""

from __future__ import annotations

import pytest

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.errors import IndexDatabaseError
from dicomquest.index import Index
from dicomquest.index.search.compile import compile_query
from dicomquest.index.search.plan import Facts
from dicomquest.index.tables.schema import ALL_THERE, TOO_LONG
from dicomquest.index.upkeep import promotion
from dicomquest.index.upkeep.promotion import attribute_named
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.options import QueryOptions
from dicomquest.standard.levels import Level
from dicomquest.standard.models import STUDY_ROOT

FILTER = attribute_named("FilterType")
QUERY = parse_identifier(
    {0x00080052: Element("CS", ("IMAGE",)), 0x00181160: Element("SH", ("WEDGE",))},
    STUDY_ROOT.uid,
    QueryOptions(),
)


def instance(number: int, text: str = "WEDGE") -> DataSet:
    return {
        0x00080016: Element("UI", ("1.2.840.10008.5.1.4.1.1.2",)),
        0x00080018: Element("UI", (f"1.2.3.{number}",)),
        0x00100020: Element("LO", ("P1",)),
        0x00181160: Element("SH", (text,)),
        0x0020000D: Element("UI", ("1.2.4.1",)),
        0x0020000E: Element("UI", ("1.2.5.1",)),
    }


@pytest.mark.parametrize(
    ("name", "creator", "vr", "level", "message"),
    [
        ("PatientName", "", "", None, "indexed always"),
        ("RequestAttributesSequence", "", "", None, "indexed always"),
        ("Nonsense", "", "", None, "no attribute"),
        ("FilterType", "", "", Level.STUDY, "of IMAGE level, not of STUDY"),
        ("RedPaletteColorLookupTableData", "", "", None, "binary"),
        ("PixelData", "", "", None, "not matched"),
        ("TimezoneOffsetFromUTC", "", "", None, "not matched"),
        ("0029,1008", "", "", None, "private creator"),
        ("0029,1008", "NOBODY", "", None, "expected its VR"),
        ("0029,1008", "NOBODY", "XY", None, "no VR"),
        ("FilterType", "NOBODY", "", None, "standard attribute"),
    ],
)
def test_unpromotable_attribute_is_refused(
    name: str, creator: str, vr: str, level: Level | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        attribute_named(name, creator=creator, vr=vr, level=level)


def test_it_goes_on_where_it_ended(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promotion, "BATCH", 2)
    index.ingest_data_sets(map(instance, range(6)))
    seen: list[int] = []

    def stop(done: int, _: int) -> None:
        seen.append(done)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.promote(FILTER, stop)
    [listed] = index.promoted()
    assert (listed.state, listed.rows, listed.is_used) == ("filling", 4, False)
    assert listed.share == pytest.approx(4 / 6)
    assert len(index.find_data_sets(QUERY)) == 6
    index.promote(FILTER, lambda done, _: seen.append(done))
    assert seen == [2, 4, 6, 6]
    [listed] = index.promoted()
    assert (listed.state, listed.rows, listed.is_used) == ("ready", 6, True)
    assert len(index.find_data_sets(QUERY)) == 6


def test_promotion_tells_of_a_drop_meanwhile(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promotion, "BATCH", 2)
    index.ingest_data_sets(map(instance, range(6)))

    def drop(_: int, __: int) -> None:
        index.demote(FILTER)

    with pytest.raises(IndexDatabaseError, match="dropped meanwhile"):
        index.promote(FILTER, drop)
    assert index.promoted() == []
    assert not index.demote(FILTER)


def test_value_too_long_for_index_is_found(index: Index) -> None:
    """A value too long for an index is found without it."""
    index.promote(FILTER)
    assert index.promoted()[0].is_used
    index.ingest_data_sets([instance(1), instance(2, "X" * 5000)])
    assert not index.promoted()[0].is_used
    assert len(index.find_data_sets(QUERY)) == 1
    assert index.check().examples == []


@pytest.mark.parametrize(
    "key", [Element("LO", ("1.5",)), Element("UN", (b"1.50",))], ids=["LO", "UN"]
)
def test_key_of_unknown_vr_takes_promoted_vr(index: Index, key: Element) -> None:
    """A private key of unknown VR has the promoted VR, as elements of implicit VR have."""
    creator = {0x00210010: Element("LO", ("ACME 1",))}
    values = {1: Element("DS", ("1.50",)), 2: Element("UN", (b"1.500",)), 3: Element("DS", ("2",))}
    index.ingest_data_sets(
        [instance(number) | creator | {0x00211002: value} for number, value in values.items()]
    )
    identifier = {0x00080052: Element("CS", ("IMAGE",))} | creator | {0x00211002: key}
    query = parse_identifier(identifier, STUDY_ROOT.uid, QueryOptions())
    assert len(index.find_data_sets(query)) == 1
    index.promote(attribute_named("0021,1002", creator="ACME 1", vr="DS"))
    assert len(index.find_data_sets(query)) == 2
    with index.search(query) as cursor:
        cursor.fetch(10)
        assert "instance_value" in cursor.plan.sql
    index.demote(attribute_named("0021,1002", creator="ACME 1", vr="DS"))
    assert len(index.find_data_sets(query)) == 1


@pytest.mark.parametrize("vr", ["IS", "DT"])
def test_key_unfit_for_promoted_vr_uses_stored_vr(index: Index, vr: str) -> None:
    """A key that the promoted VR does not take is read with the stored one."""
    creator = {0x00210010: Element("LO", ("ACME 1",))}
    index.ingest_data_sets([instance(1) | creator | {0x00211002: Element("LO", ("A B",))}])
    index.promote(attribute_named("0021,1002", creator="ACME 1", vr=vr))
    identifier = (
        {0x00080052: Element("CS", ("IMAGE",))} | creator | {0x00211002: Element("LO", ("A?B",))}
    )
    assert (
        len(index.find_data_sets(parse_identifier(identifier, STUDY_ROOT.uid, QueryOptions()))) == 1
    )


def test_queries_use_rows_only_when_all_are_there() -> None:
    ready, too_long = (FILTER.path, ALL_THERE), (FILTER.path, TOO_LONG)
    rows = (
        "instance.id IN (SELECT owner FROM instance_value "
        "WHERE path = '00181160' AND (part = 0 AND search = ?))"
    )
    assert rows in compile_query(QUERY, Facts(occurrences=frozenset({ready}))).sql
    assert "residual(" not in compile_query(QUERY, Facts(occurrences=frozenset({ready}))).sql
    for occurrences in (frozenset[tuple[str, int]](), frozenset({ready, too_long})):
        assert "residual(" in compile_query(QUERY, Facts(occurrences=occurrences)).sql
    guarded = compile_query(QUERY, Facts("postgresql", frozenset({ready}), trigrams=False)).sql
    assert "EXISTS (SELECT 1 FROM occurrence WHERE path = ? AND part = -1)" in guarded
