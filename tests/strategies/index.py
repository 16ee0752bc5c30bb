"""Hypothesis strategies for an index: queries made of stored values, so that they match."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.standard.models import MODELS, PATIENT_ROOT, STUDY_ROOT
from dicomquest.standard.tags import creator_tag
from dicomquest.standard.vr import VR, Kind
from fixtures.building import tag_of
from strategies.query import Asked, key_texts, query_options, wild_cards

if TYPE_CHECKING:
    from collections.abc import Sequence

_CONTROL = {tag_of("TimezoneOffsetFromUTC"), tag_of("SpecificCharacterSet")}


@st.composite
def questions(draw: st.DrawFn, corpus: Sequence[DataSet]) -> Asked:
    """An identifier with values of one stored instance as keys, some of them changed a little."""
    stored = draw(st.sampled_from(corpus))
    model = draw(st.sampled_from((*MODELS, PATIENT_ROOT, STUDY_ROOT)))
    level = draw(st.sampled_from(model.levels))
    tags = [tag for tag in stored if tag not in _CONTROL and not _is_creator(tag)]
    identifier = draw(
        _keys(stored, draw(st.lists(st.sampled_from(tags), min_size=1, max_size=3, unique=True)))
    )
    if draw(st.integers(0, 3)) == 0:
        identifier[tag_of("ModalitiesInStudy")] = Element("CS", draw(_modalities(corpus)))
    identifier[tag_of("QueryRetrieveLevel")] = Element("CS", (level.name,))
    if draw(st.integers(0, 4)) == 0:
        identifier[tag_of("TimezoneOffsetFromUTC")] = Element(
            "SH", (draw(st.sampled_from(("+0100", "-0500"))),)
        )
    return Asked(dict(sorted(identifier.items())), model, draw(query_options()))


def _is_creator(tag: int) -> bool:
    return bool(tag >> 16 & 1) and tag & 0xFFFF <= 0xFF


def _modalities(corpus: Sequence[DataSet]) -> st.SearchStrategy[tuple[str, ...]]:
    elements = [
        instance[tag_of("Modality")] for instance in corpus if tag_of("Modality") in instance
    ]
    values = [value for element in elements for value in element.values if value]
    return st.lists(st.sampled_from(values), max_size=2).map(tuple) if values else st.just(())


@st.composite
def _keys(draw: st.DrawFn, stored: DataSet, tags: Sequence[int]) -> DataSet:
    found: DataSet = {}
    for tag in tags:
        if tag >> 16 & 1:
            found[creator_tag(tag)] = stored[creator_tag(tag)]
        found[tag] = draw(_key(stored[tag]))
        if tag >> 16 & 1 and draw(st.booleans()):
            found[tag] = _unknown(found[tag])
    return dict(sorted(found.items()))


def _unknown(key: Element) -> Element:
    """A private key from an SCU that does not know its VR."""
    if VR[key.vr].kind in {Kind.TEXT, Kind.NUMBER}:
        return Element("LO", tuple(map(str, key.values)))
    return key


def _key(element: Element) -> st.SearchStrategy[Element]:
    """A key for a stored element."""
    vr, values = element
    if not any(value not in ("", b"") for value in values):
        return st.sampled_from(
            (Element(vr, ()), Element(vr, ('""',) if VR[vr].kind is Kind.TEXT else ()))
        )
    if vr == "SQ":
        items = [item for item in values if item]
        return st.sampled_from(items).flatmap(_item_key) if items else st.just(Element("SQ", ()))
    one = st.sampled_from([value for value in values if value != ""])
    if VR[vr].kind is not Kind.TEXT:
        return one.map(lambda value: Element(vr, (value,)))
    near = st.one_of(one, one.flatmap(lambda text: _near(vr, text)), st.just(values), key_texts(vr))
    return near.map(lambda found: Element(vr, found if isinstance(found, tuple) else (found,)))


def _item_key(item: DataSet) -> st.SearchStrategy[Element]:
    tags = st.lists(
        st.sampled_from([tag for tag in item if not _is_creator(tag)] or [0]),
        max_size=3,
        unique=True,
    )
    keys = tags.flatmap(lambda chosen: _keys(item, [tag for tag in chosen if tag]))
    return keys.map(lambda found: Element("SQ", (found,)))


def _near(vr: str, text: str) -> st.SearchStrategy[Any]:
    if vr in {"DA", "TM", "DT"}:
        return st.sampled_from((f"{text}-", f"-{text}", f"{text}-{text}", text[:4]))
    changed = [
        text.upper(),
        text.lower(),
        text + "*",
        "*" + text,
        "?" + text[1:],
        f"*{text[1:-1]}*",
    ]
    if vr == "PN":
        changed += [
            f"={text}",
            text.partition("=")[0],
            text.partition("=")[2] or text,
            text.partition("^")[2] or text,
        ]
    return st.one_of(st.sampled_from(changed), wild_cards(st.just(text)))
