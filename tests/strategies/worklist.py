"""Hypothesis strategies for worklist entries and the queries that look for them."""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.standard.levels import Level
from dicomquest.standard.tags import SCHEDULED_PROCEDURE_STEP_SEQUENCE, TIMEZONE_OFFSET_FROM_UTC
from dicomquest.standard.worklist_keys import WORKLIST_KEYS
from fixtures.building import tag_of
from strategies.query import CREATOR, Attribute, elements, key_elements

_OF_STEP = (
    *(
        Attribute(key.tag, key.vr, Level.IMAGE, "code" if key.vr == "SQ" else "")
        for key in WORKLIST_KEYS
        if key.is_of_step
    ),
    Attribute(tag_of("CommentsOnTheScheduledProcedureStep"), "LT", Level.IMAGE),
    Attribute(tag_of("ScheduledProcedureStepEndDate"), "DA", Level.IMAGE),
    Attribute(tag_of("ScheduledProcedureStepEndTime"), "TM", Level.IMAGE),
)
_AROUND = (
    *(
        Attribute(key.tag, key.vr, Level.IMAGE, "code" if key.vr == "SQ" else "")
        for key in WORKLIST_KEYS
        if not key.is_of_step
    ),
    Attribute(tag_of("OtherPatientIDsSequence"), "SQ", Level.IMAGE, "patient"),
    Attribute(0x00090001, "LO", Level.IMAGE, "", CREATOR),
)
# Those of which SQL has columns, more often than the others.
_USUAL = tuple(
    each
    for each in (*_OF_STEP, *_AROUND)
    if each.tag in {key.tag for key in WORKLIST_KEYS if key.is_required}
)
_ZONES = ("+0100", "-0500", "bad")


@st.composite
def _some(draw: st.DrawFn, attributes: tuple[Attribute, ...], *, are_keys: bool) -> DataSet:
    usual = [each for each in _USUAL if each in attributes]
    chosen = draw(st.lists(st.sampled_from(usual), max_size=4, unique=True))
    chosen += draw(st.lists(st.sampled_from(attributes), max_size=3, unique=True))
    found: DataSet = {}
    for attribute in chosen:
        tag = attribute.tag
        if attribute.creator is not None:
            tag |= 0x1000
            found[tag & 0xFFFF0000 | 0x10] = Element("LO", (attribute.creator,))
        found[tag] = draw((key_elements if are_keys else elements)(attribute))
    return dict(sorted(found.items()))


@cache
@st.composite
def worklist_data_sets(draw: st.DrawFn) -> DataSet:
    """The data set of an entry, or of several steps; not all are fit."""
    steps = draw(st.lists(_some(_OF_STEP, are_keys=False), min_size=1, max_size=2))
    found = draw(_some(_AROUND, are_keys=False))
    found[SCHEDULED_PROCEDURE_STEP_SEQUENCE] = Element("SQ", tuple(steps))
    if draw(st.integers(0, 3)) == 0:
        found[TIMEZONE_OFFSET_FROM_UTC] = Element("SH", (draw(st.sampled_from(_ZONES)),))
    return dict(sorted(found.items()))


@cache
@st.composite
def worklist_identifiers(draw: st.DrawFn) -> DataSet:
    """An identifier; not all make sense."""
    found = draw(_some(_AROUND, are_keys=True))
    items = draw(st.lists(_some(_OF_STEP, are_keys=True), max_size=1))
    is_there: bool = draw(st.booleans())
    if items or is_there:
        found[SCHEDULED_PROCEDURE_STEP_SEQUENCE] = Element("SQ", tuple(items))
    if draw(st.integers(0, 3)) == 0:
        found[TIMEZONE_OFFSET_FROM_UTC] = Element("SH", (draw(st.sampled_from(_ZONES)),))
    return dict(sorted(found.items()))


def worklist_answers() -> st.SearchStrategy[bytes]:
    """Answers to a worklist's negotiation."""
    return st.sampled_from((b"", b"\1\1\0", b"\1\1\1", b"\1\1\0\1", b"\1\1\1\1"))
