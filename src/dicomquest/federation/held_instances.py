"""The instances of a retrieve and who holds them, found by queries (PS3.4 C.4.2.2, C.4.3.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import NamedTuple, TypeAlias

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.federation.asked_query import AskedQuery
from dicomquest.federation.shortfall import EndKind, SourceEnd, SourceError
from dicomquest.federation.sources import Source
from dicomquest.query.criteria import AnyOf, Criterion, SingleValue, UIDList
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.identifier.retrieve_identifier import RetrieveIdentifier
from dicomquest.query.options import QueryOptions
from dicomquest.scu.storage_proposal import classes_of_modality
from dicomquest.services.interruptible_source import TooManyInstancesError
from dicomquest.services.request import Run
from dicomquest.services.retrieve_source import StudyOfPatient
from dicomquest.standard.keys import KEYS_BY_KEYWORD, UNIQUE_KEYS
from dicomquest.standard.levels import Level
from dicomquest.standard.models import PATIENT_ROOT, STUDY_ROOT, InformationModel
from dicomquest.standard.tags import QUERY_RETRIEVE_LEVEL

MOST_IN_ORDER = 100
"""Instances that one C-GET names: with their UIDs the identifier has 6 KB."""

_PATIENT, _STUDY, _SERIES, _INSTANCE = (UNIQUE_KEYS[level].tag for level in Level)
_SOP_CLASS = KEYS_BY_KEYWORD["SOPClassUID"].tag
_RETURNED = {
    each.tag: Element(each.vr, ())
    for each in (
        KEYS_BY_KEYWORD["SOPClassUID"],
        KEYS_BY_KEYWORD["PatientName"],
        *UNIQUE_KEYS.values(),
    )
}
_NAME = KEYS_BY_KEYWORD["PatientName"].tag
_MODALITY = KEYS_BY_KEYWORD["Modality"].tag


class Held(NamedTuple):
    """An instance in one place; the patient and the study are empty where they are not known."""

    sop_class_uid: str
    series_uid: str
    belongs_to: StudyOfPatient


Order: TypeAlias = "tuple[DataSet, tuple[str, ...]]"
"""The identifier of a C-GET, and the instances that are wanted of what it brings."""


@dataclass(slots=True, eq=False)
class Holdings:
    """The instances by the place of their source, and how each source ended.

    ``classes`` are those that instances of a place may have: some archives do not tell them.
    ``is_chosen`` says that a filter of visibility has left some out.
    """

    by_place: dict[int, dict[str, Held]] = field(default_factory=dict)
    classes: dict[int, set[str]] = field(default_factory=dict)
    ends: dict[int, SourceEnd] = field(default_factory=dict)
    is_chosen: bool = False

    def first_places(self) -> dict[str, int]:
        """Return the first place of each instance."""
        places: dict[str, int] = {}
        for place in sorted(self.by_place):
            for uid in self.by_place[place]:
                places.setdefault(uid, place)
        return places

    def places_after(self, uid: str, place: int) -> list[int]:
        """Return the places behind one that hold an instance, too."""
        return [
            each for each in sorted(self.by_place) if each > place and uid in self.by_place[each]
        ]

    @property
    def short(self) -> list[SourceEnd]:
        """The ends of sources that did not answer to their end."""
        return [self.ends[place] for place in sorted(self.ends) if self.ends[place].kind.is_short]


def question_for(identifier: RetrieveIdentifier, model: InformationModel) -> AskedQuery:
    """Return the query for the instances of a retrieve, with their series and classes."""
    query = identifier.query
    keys = {**_RETURNED, QUERY_RETRIEVE_LEVEL: Element("CS", (Level.IMAGE.name,))}
    for each in query.criteria:
        keys[each.tag] = Element(each.vr, _values(each.criterion))
    data_set = dict(sorted(keys.items()))
    asked = parse_identifier(data_set, model.uid, QueryOptions(relational=True))
    return AskedQuery(data_set, replace(asked, visible=query.visible))


def _values(criterion: Criterion) -> tuple[str, ...]:
    match criterion:
        case SingleValue(value):
            return (value,)
        case UIDList(uids):
            return tuple(uids)
        case AnyOf(parts):
            return tuple(value for part in parts for value in _values(part))
        case _:
            raise AssertionError(f"a retrieve has no {type(criterion).__name__}")


def named_instances(identifier: RetrieveIdentifier) -> frozenset[str] | None:
    """Return the instances that a retrieve names one by one; None if it names upper entities."""
    for each in identifier.query.criteria:
        if each.tag == _INSTANCE:
            return frozenset(_values(each.criterion))
    return None


async def find_holdings(
    sources: Sequence[Source], identifier: RetrieveIdentifier, run: Run, most: int | None
) -> Holdings:
    """Ask all sources at once; TooManyInstancesError if there are more than ``most``."""
    holdings = Holdings(is_chosen=bool(identifier.query.visible))

    async def ask(place: int, source: Source) -> None:
        model = next(
            (each for each in (STUDY_ROOT, PATIENT_ROOT) if source.holds(each, Level.IMAGE)), None
        )
        if model is None:
            return
        began, kind, detail = monotonic(), EndKind.COMPLETE, ""
        here = holdings.by_place.setdefault(place, {})
        try:
            question = question_for(identifier, model)
            async with aclosing(source.answers(question, run)) as batches:
                async for found in batches:
                    here.update(_held(part.answer) for _, part in found)
                    if most is not None and len(here) > most:
                        raise TooManyInstancesError(f"more than {most} instances")
        except SourceError as error:
            kind, detail = error.kind, str(error)
        holdings.classes[place] = {held.sop_class_uid for held in here.values()} - {""}
        if not kind.is_gone:
            try:
                holdings.classes[place] = await _classes(here, source, identifier, model, run)
            except SourceError as error:
                kind, detail = error.kind, str(error)
        seconds = monotonic() - began
        holdings.ends[place] = SourceEnd(source.name, kind, detail, len(here), seconds)

    async with asyncio.TaskGroup() as group:
        for place, source in enumerate(sources):
            group.create_task(ask(place, source))
    return holdings


async def _classes(
    here: Mapping[str, Held],
    source: Source,
    identifier: RetrieveIdentifier,
    model: InformationModel,
    run: Run,
) -> set[str]:
    """Return the SOP classes of instances, by the modalities of series that do not tell them."""
    classes = {held.sop_class_uid for held in here.values()}
    if "" not in classes:
        return classes
    classes.discard("")
    question = question_for(identifier, model)
    untold = {
        (held.belongs_to.patient_id if model is PATIENT_ROOT else "",
         held.belongs_to.study_uid, held.series_uid)
        for held in here.values() if not held.sop_class_uid
    }  # fmt: skip
    for patient, study, series in sorted(untold):
        upper = {_PATIENT: patient, _STUDY: study, _SERIES: series}
        asked = {**_identifier(Level.SERIES, upper), _MODALITY: Element("CS", ())}
        answers = await source.related(dict(sorted(asked.items())), question, run)
        modality = _text(answers[0], _MODALITY) if answers else ""
        classes.update(classes_of_modality(modality))
    return classes


def _held(answer: DataSet) -> tuple[str, Held]:
    study = StudyOfPatient(_text(answer, _STUDY), _text(answer, _PATIENT), _text(answer, _NAME))
    held = Held(_text(answer, _SOP_CLASS), _text(answer, _SERIES), study)
    return _text(answer, _INSTANCE), held


def _text(answer: DataSet, tag: int) -> str:
    element = answer.get(tag)
    return str(element.values[0]) if element is not None and element.values else ""


def orders_of(
    here: Mapping[str, Held], uids: Sequence[str], level: Level | None, model: InformationModel
) -> Iterator[Order]:
    """Yield what to ask a place for: whole series where all of them is wanted, else instances.

    ``level`` is that of the retrieve; None if it is not for all that its keys name.
    """
    wanted: dict[tuple[str, str], list[str]] = {}
    for uid in uids:
        held = here[uid]
        wanted.setdefault((held.belongs_to.study_uid, held.series_uid), []).append(uid)
    total: dict[tuple[str, str], int] = {}
    for held in here.values():
        key = held.belongs_to.study_uid, held.series_uid
        total[key] = total.get(key, 0) + 1
    for (study, series), named in wanted.items():
        patient = here[named[0]].belongs_to.patient_id if model is PATIENT_ROOT else ""
        upper = {_PATIENT: patient, _STUDY: study, _SERIES: series}
        is_whole = len(named) == total[study, series] and level not in {None, Level.IMAGE}
        if is_whole and series:
            yield _identifier(Level.SERIES, upper), tuple(named)
            continue
        for start in range(0, len(named), MOST_IN_ORDER):
            some = tuple(named[start : start + MOST_IN_ORDER])
            yield _identifier(Level.IMAGE, upper, some), some


def _identifier(level: Level, upper: dict[int, str], uids: tuple[str, ...] = ()) -> DataSet:
    vr_of = {key.tag: key.vr for key in UNIQUE_KEYS.values()}
    identifier = {tag: Element(vr_of[tag], (value,)) for tag, value in upper.items() if value}
    if uids:
        identifier[_INSTANCE] = Element("UI", uids)
    identifier[QUERY_RETRIEVE_LEVEL] = Element("CS", (level.name,))
    return dict(sorted(identifier.items()))
