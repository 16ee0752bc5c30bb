"""Filters of what a caller may see, drawn from a corpus."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dicomquest.standard.models import PATIENT_ROOT
from fixtures.building import data_set
from fixtures.reference_indexes import parse
from strategies.index import questions

if TYPE_CHECKING:
    from hypothesis import strategies as st

    from dicomquest.dataset.elements import DataSet
    from dicomquest.query.criteria import KeyCriterion
    from strategies.query import Asked


def filters(corpus: list[DataSet]) -> st.SearchStrategy[tuple[KeyCriterion, ...]]:
    """Filters of one to four keys of any level, most of which some stored instance meets."""
    return questions(corpus).map(_criteria).filter(bool)


def _criteria(asked: Asked) -> tuple[KeyCriterion, ...]:
    read = parse(
        asked._replace(
            model=PATIENT_ROOT,
            identifier=asked.identifier | data_set(QueryRetrieveLevel="IMAGE"),
            options=replace(asked.options, relational=True),
        )
    )
    return () if read is None else read.criteria
