from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from dicomquest.dataset.elements import Element
from dicomquest.errors import IdentifierError
from dicomquest.query.explain import KeyExplanation, explain_keys
from dicomquest.query.options import QueryOptions
from dicomquest.standard.keys import KeyType
from dicomquest.standard.levels import Level
from fixtures.building import ROOTS, data_set, tag_of
from strategies.query import Asked, queries


def explain(
    level: str, root: str = "study", options: Any = None, **keys: Any
) -> list[KeyExplanation]:
    identifier = data_set(QueryRetrieveLevel=level, **keys)
    return list(explain_keys(identifier, ROOTS[root], options or QueryOptions()))


def only(rows: list[KeyExplanation], keyword: str) -> KeyExplanation:
    (row,) = (row for row in rows if row.tag == tag_of(keyword))
    return row


def test_each_key_has_its_type_level_and_matching() -> None:
    rows = explain(
        "STUDY",
        PatientName="DOE*",
        StudyInstanceUID="",
        StudyDate="20240101-",
        StudyDescription="X",
        PatientID="1",
    )
    assert [(row.name, row.type, row.level, row.matching) for row in rows] == [
        ("Study Date", KeyType.REQUIRED, Level.STUDY, "Range"),
        ("Study Description", KeyType.OPTIONAL, Level.STUDY, "Single Value"),
        ("Patient's Name", KeyType.REQUIRED, Level.STUDY, "Single Value, Person Name"),
        ("Patient ID", KeyType.REQUIRED, Level.STUDY, "Single Value"),
        ("Study Instance UID", KeyType.UNIQUE, Level.STUDY, "Universal"),
    ]
    assert [row.remarks for row in rows if row.type is not KeyType.OPTIONAL] == [()] * 4


@pytest.mark.parametrize(
    ("keyword", "value", "remark"),
    [
        ("Modality", "CT", "of SERIES level in a STUDY query: not allowed"),
        ("SOPClassesInStudy", "1.2*", "no wild card matching for VR UI"),
        ("StudyDate", "2024-01-01", "not valid: "),
        ("StudyTime", "2200-0200", "not valid: "),
        ("PatientWeight", "7*", "no wild card matching for VR DS"),
        ("AccessionNumber", '""', '"" is a literal'),
        ("ModalitiesInStudy", "CT\\MR", "several values: undefined"),
        ("MedicalAlerts", "", "optional, in no table of keys"),
        ("StudyDescription", "", "optional: an SCP need not support it"),
        ("InstanceAvailability", "ONLINE", "not allowed in a request"),
    ],
)
def test_key_error_is_told(keyword: str, value: str, remark: str) -> None:
    row = only(explain("STUDY", StudyInstanceUID="", **{keyword: value}), keyword)
    assert any(remark in each for each in row.remarks), row.remarks


def test_upper_keys_need_one_value_or_relational() -> None:
    """Upper keys need one value, or relational queries."""
    rows = explain("SERIES", "patient", PatientID="P*", PatientName="DOE")
    assert "needs one value" in " ".join(only(rows, "PatientID").remarks)
    assert "needs relational queries" in " ".join(only(rows, "PatientName").remarks)
    assert "missing: without relational" in " ".join(only(rows, "StudyInstanceUID").remarks)
    assert "missing: the unique key" in " ".join(only(rows, "SeriesInstanceUID").remarks)
    relational = explain(
        "SERIES", "patient", QueryOptions(relational=True), PatientID="P*", PatientName="DOE"
    )
    assert [row.name for row in relational if row.remarks] == ["Series Instance UID"]


def test_private_keys_are_named_by_their_creator() -> None:
    identifier = data_set(QueryRetrieveLevel="IMAGE", SOPInstanceUID="") | {
        0x00090010: Element("LO", ("ACME",)),
        0x00091001: Element("LO", ("x*",)),
        0x00092001: Element("LO", ("x",)),
    }
    rows = explain_keys(identifier, ROOTS["study"], QueryOptions(relational=True))
    by_tag = {row.tag: row for row in rows}
    assert (by_tag[0x00091001].name, by_tag[0x00091001].matching) == (
        "(0009,xx01) of ACME",
        "Wild Card",
    )
    assert "without its creator" in by_tag[0x00092001].remarks[-1]


def test_level_or_sop_class_that_is_none_is_error() -> None:
    with pytest.raises(IdentifierError):
        explain("PATIENT")
    with pytest.raises(IdentifierError):
        explain_keys(data_set(QueryRetrieveLevel="STUDY"), "1.2.3", QueryOptions())


@given(queries())
def test_any_identifier_is_explained(asked: Asked) -> None:
    rows = explain_keys(asked.identifier, asked.model.uid, asked.options)
    assert all(row.name and row.matching for row in rows)
