"""Hypothesis strategies for Unified Procedure Steps and the queries that look for them."""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.standard.levels import Level
from dicomquest.standard.tags import TIMEZONE_OFFSET_FROM_UTC
from dicomquest.standard.workitem_keys import WORKITEM_KEYS
from fixtures.building import tag_of
from fixtures.workitems import workitem
from strategies.query import CREATOR, Attribute, elements, key_elements

_KEYS = tuple(
    Attribute(key.tag, key.vr, Level.IMAGE, "code" if key.vr == "SQ" else "")
    for key in WORKITEM_KEYS
    if not key.above and key.keyword != "SOPInstanceUID"
)
_ATTRIBUTES = (
    *_KEYS,
    Attribute(tag_of("ReferencedRequestSequence"), "SQ", Level.IMAGE, "request"),
    Attribute(tag_of("CommentsOnTheScheduledProcedureStep"), "LT", Level.IMAGE),
    Attribute(tag_of("StudyInstanceUID"), "UI", Level.IMAGE),
    Attribute(0x00090001, "LO", Level.IMAGE, "", CREATOR),
)
_ZONES = ("+0100", "-0500", "bad")
_STATE = tag_of("ProcedureStepState")
_STATES = ("SCHEDULED", "IN PROGRESS", "CANCELED", "COMPLETED")


@st.composite
def _some(draw: st.DrawFn, *, are_keys: bool) -> DataSet:
    found: DataSet = {}
    for attribute in draw(st.lists(st.sampled_from(_ATTRIBUTES), max_size=5, unique=True)):
        tag = attribute.tag
        if attribute.creator is not None:
            tag |= 0x1000
            found[tag & 0xFFFF0000 | 0x10] = Element("LO", (attribute.creator,))
        found[tag] = draw((key_elements if are_keys else elements)(attribute))
    if draw(st.integers(0, 3)) == 0:
        found[TIMEZONE_OFFSET_FROM_UTC] = Element("SH", (draw(st.sampled_from(_ZONES)),))
    return found


@cache
@st.composite
def workitem_data_sets(draw: st.DrawFn) -> DataSet:
    """A step; not all are fit."""
    some = draw(_some(are_keys=False))
    some[_STATE] = Element("CS", (draw(st.sampled_from(_STATES)),))
    return dict(sorted((workitem(draw(st.integers(1, 3))) | some).items()))


@cache
@st.composite
def workitem_identifiers(draw: st.DrawFn) -> DataSet:
    """An identifier; not all make sense."""
    return dict(sorted(draw(_some(are_keys=True)).items()))
