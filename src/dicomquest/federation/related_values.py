"""Modalities and SOP classes of a study in a place that does not tell them (PS3.4 C.3.4).

Such a place is asked one level lower, or two. ``learned`` is without I/O, as the counting is.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.federation.merged_answer import Part
from dicomquest.federation.related_counts import Answers, Ask
from dicomquest.query.computed_values import distinct
from dicomquest.query.search_forms import is_empty
from dicomquest.standard.keys import KEYS_BY_KEYWORD, UNIQUE_KEYS
from dicomquest.standard.levels import Level
from dicomquest.standard.tags import QUERY_RETRIEVE_LEVEL

if TYPE_CHECKING:
    from dicomquest.query.model import Query
    from dicomquest.standard.models import InformationModel

Values: TypeAlias = "dict[int, Element]"

Learning: TypeAlias = "Generator[list[Ask], Answers, Values]"

_BELOW = {
    KEYS_BY_KEYWORD[computed].tag: (level, KEYS_BY_KEYWORD[own])
    for computed, level, own in (
        ("ModalitiesInStudy", Level.SERIES, "Modality"),
        ("SOPClassesInStudy", Level.IMAGE, "SOPClassUID"),
    )
}
"""The keys that are made of another one below, with its level."""


def learning_of(query: Query, parts: Sequence[Part]) -> dict[int, Learning]:
    """Return what is to learn of each place of a study, by place; nothing for one place alone."""
    if query.level is not Level.STUDY or len(parts) == 1:
        return {}
    asked = [
        key.tag
        for key in query.return_keys
        if key.tag in _BELOW and _BELOW[key.tag][0] in query.model.levels
    ]
    return {
        part.source: learned(query.model, part, lacking)
        for part in parts
        # Each series has a modality, so an empty value is one that the place does not know.
        if (lacking := [tag for tag in asked if is_empty(part.answer.get(tag))])
    }


def learned(model: InformationModel, part: Part, tags: Sequence[int]) -> Learning:
    """Ask a place for the values below a study; those that it does not tell are left out."""
    answers = yield [Ask(part.source, _identifier(model, part.answer, tag)) for tag in tags]
    values: Values = {}
    for tag, found in zip(tags, answers, strict=True):
        own = _BELOW[tag][1]
        elements = [answer.get(own.tag) for answer in found or ()]
        known = [each for each in elements if each is not None and each.values]
        if known and len(known) == len(elements):
            values[tag] = Element(own.vr, distinct(each.values[0] for each in known))
    return values


def _identifier(model: InformationModel, study: DataSet, tag: int) -> DataSet:
    level, own = _BELOW[tag]
    upper = [UNIQUE_KEYS[each].tag for each in model.levels if each <= Level.STUDY]
    unique = UNIQUE_KEYS[level]
    return dict(
        sorted(
            {
                QUERY_RETRIEVE_LEVEL: Element("CS", (level.name,)),
                own.tag: Element(own.vr, ()),
                unique.tag: Element(unique.vr, ()),
                **{each: study[each] for each in upper if not is_empty(study.get(each))},
            }.items()
        )
    )
