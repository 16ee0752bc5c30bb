"""Promoted attributes match like the reference, whenever they are promoted or dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from dicomquest.dataset.elements import DataSet
from dicomquest.errors import IndexDatabaseError
from dicomquest.index import Index
from dicomquest.index.upkeep import promotion
from dicomquest.index.upkeep.promotion import attribute_named
from dicomquest.query import reference
from dicomquest.standard.tags import creator_tag
from fixtures.reference_indexes import canonical, empty, parse
from strategies.index import questions
from strategies.query import corpora

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicomquest.index.tables.promoted import Attribute


class StoppedError(Exception):
    """The process that promotes ended here."""


def promotable(corpus: Sequence[DataSet]) -> list[Attribute]:
    """All attributes of the instances that have no column."""
    found = {}
    for instance in corpus:
        for tag, element in instance.items():
            creator = instance.get(creator_tag(tag)) if tag >> 16 & 1 else None
            try:
                text = str(creator.values[0]) if creator is not None else ""
                attribute = attribute_named(
                    f"{tag:08X}", creator=text, vr=element.vr if text else ""
                )
            except (ValueError, IndexError):
                continue
            found[attribute.path] = attribute
    return list(found.values())


def promote_partly(index: Index, attribute: Attribute, steps: int) -> None:
    """Promote an attribute, but stop after some transactions."""
    left = steps

    def stop(_: int, __: int) -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            raise StoppedError

    try:
        index.promote(attribute, stop)
    except (StoppedError, IndexDatabaseError) as error:
        event(type(error).__name__)


@pytest.mark.requirement("QR-054", "QR-062", "QR-105")
@settings(max_examples=settings().max_examples // 6)
@given(corpus=corpora(max_patients=2, again=True).filter(bool), drawn=st.data())
def test_promoted_attributes_match_like_reference(
    indexes: dict[int, Index], corpus: list[DataSet], drawn: st.DataObject
) -> None:
    """Promoted attributes are matched as the reference does."""
    index = indexes[0]
    empty(index)
    attributes = promotable(corpus)
    chosen = drawn.draw(st.lists(st.sampled_from(attributes), max_size=4)) if attributes else []
    cut = drawn.draw(st.integers(0, len(corpus)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(promotion, "BATCH", 1)
        index.ingest_data_sets(corpus[:cut])
        for attribute in chosen:
            promote_partly(index, attribute, drawn.draw(st.integers(1, 6)))
        index.ingest_data_sets(corpus[cut:])
        hold_equal(index, corpus, drawn)
        for attribute in chosen:
            index.promote(attribute)
        assert index.check().examples == []
        hold_equal(index, corpus, drawn)
        for attribute in chosen[:2]:
            index.demote(attribute)
        assert index.check().examples == []
        hold_equal(index, corpus, drawn)


def hold_equal(index: Index, corpus: list[DataSet], drawn: st.DataObject) -> None:
    for asked in drawn.draw(st.lists(questions(corpus), min_size=3, max_size=5)):
        query = parse(asked)
        if query is not None:
            assert canonical(index.find_data_sets(query)) == canonical(
                reference.find(corpus, query)
            ), asked
