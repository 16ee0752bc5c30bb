"""The filter in Python for entities that SQL cannot decide, row by row, chain by chain."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dicomquest.index.search.compile import compile_query
from dicomquest.index.search.plan import Facts, Plan
from dicomquest.index.search.python_filter import accepted
from dicomquest.query.options import QueryOptions
from fixtures.building import query

RELATIONAL = QueryOptions(relational=True)
POSTGRESQL = Facts("postgresql", trigrams=False)


def plan_of(**keys: Any) -> Plan:
    return compile_query(
        query("STUDY", options=RELATIONAL, StudyInstanceUID="", **keys), POSTGRESQL
    )


def element(vr: str, *values: object) -> str:
    return json.dumps({"vr": vr, "Value": values})


def test_rows_without_filter_stay_as_they_are() -> None:
    rows = [("1.2",), ("1.3",)]
    assert accepted(plan_of(), rows) == rows


def test_passing_rows_lose_the_columns_seen() -> None:
    """Rows that pass lose the columns that the filter saw."""
    plan = plan_of(MedicalAlerts="PENICILLIN")
    rows = [
        (None, "1.1", element("LO", "PENICILLIN"), None),
        (None, "1.2", element("LO", "LATEX"), None),
        (None, "1.3", None, None),
        (None, "1.4", element("LO", "LATEX", "PENICILLIN"), element("SH", "+0100")),
    ]
    assert accepted(plan, rows) == [(None, "1.1"), (None, "1.4")]


@pytest.mark.requirement("QR-008")
def test_one_chain_of_descendants_meets_all_keys() -> None:
    plan = plan_of(GantryID="G", Rows=(512,))
    this, other = element("LO", "G"), element("LO", "H")
    right, wrong = element("US", 512), element("US", 256)
    chains: dict[str, list[list[str | None]] | None] = {
        "1.1": [[other, None, wrong, None], [this, None, right, None]],
        "1.2": [[this, None, wrong, None], [other, None, right, None]],
        "1.3": [],
        "1.4": None,
    }
    rows = [(uid, None if chain is None else json.dumps(chain)) for uid, chain in chains.items()]
    assert accepted(plan, rows) == [("1.1",)]
