"""The plain meaning of a query: instances in, response identifiers out (PS3.4 C.4.1.3).

It has no database, no index and no speed: tests hold the engine to it. Entities come of instances
as in the index: of conflicting attributes the instance received last wins, and an empty attribute
erases nothing. A study shows the demographics that it received itself, as two persons may have one
Patient ID; a patient has the last ones of all its studies (C.3.2, C.6.2).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.query.computed_values import anatomic_regions, distinct
from dicomquest.query.evaluate import matches_data_set, response_element
from dicomquest.query.search_forms import is_empty, own_zone
from dicomquest.standard.attributes import level_of
from dicomquest.standard.keys import KEYS, KEYS_BY_KEYWORD, Storage
from dicomquest.standard.levels import Level
from dicomquest.standard.tags import (
    ANATOMIC_REGION_SEQUENCE,
    QUERY_RETRIEVE_LEVEL,
    TIMEZONE_OFFSET_FROM_UTC,
    TRANSFER_SYNTAX_UID,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dicomquest.query.criteria import KeyCriterion
    from dicomquest.query.model import Query

_COMPUTED = frozenset(key.tag for key in KEYS if key.storage is Storage.COMPUTED)
_TAGS = {keyword: key.tag for keyword, key in KEYS_BY_KEYWORD.items()}

_Identity: TypeAlias = tuple[str, str, str]


@dataclass(slots=True)
class _Entity:
    """``number`` counts studies as received; ``patient`` has the attributes of one's patient."""

    level: Level
    attributes: DataSet = field(default_factory=dict)
    children: dict[object, _Entity] = field(default_factory=dict)
    number: int = 0
    patient: DataSet = field(default_factory=dict)

    def below(self, level: Level) -> list[_Entity]:
        """Return all descendants of a level; the entity itself if it is of that level."""
        if self.level is level:
            return [self]
        return [entity for child in self.children.values() for entity in child.below(level)]


def find(instances: Sequence[DataSet], query: Query) -> list[DataSet]:
    """Return the identifiers of all Pending responses, in any order.

    They have the level, but not the elements of the service: RetrieveAETitle, InstanceAvailability,
    SpecificCharacterSet.
    """
    default_zone = query.options.timezone_offset_minutes
    by_level = {level: [key for key in query.criteria if key.level is level] for level in Level}
    responses = []
    patients = _build(instances)
    if query.visible:
        patients = _visible(patients, query)
    for chain in _chains(patients, query.level):
        above = all(
            matches_data_set(each.attributes, by_level[each.level], default_zone) for each in chain
        )
        if above and _has_descendants(chain[-1], by_level, default_zone):
            responses.append(_response(chain, query, default_zone))
    return responses


def _text(data_set: DataSet, keyword: str) -> str:
    element = data_set.get(_TAGS[keyword])
    return "\\".join(str(value) for value in element.values) if element is not None else ""


class _Archive:
    """Entities made of instances, in the order received."""

    def __init__(self) -> None:
        self.patients: dict[_Identity, _Entity] = {}
        # The parent of each study and instance: one received again may move, as it has one (C.3.1).
        self._patient_of: dict[str, _Identity] = {}
        self._series_of: dict[str, _Entity] = {}

    def add(self, instance: DataSet) -> None:
        """Take one instance in, unless it lacks the single UID of some level (C.2.2.1.1)."""
        study, series, image = (
            _text(instance, keyword)
            for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
        )
        if not all(uid and "\\" not in uid for uid in (study, series, image)):
            return
        identity = self._identity(instance, study)
        patient = self.patients.setdefault(identity, _Entity(Level.PATIENT))
        before = self._patient_of.get(study, identity)
        if before != identity:
            patient.children[study] = moving = self.patients[before].children.pop(study)
            moving.patient = {}
        self._patient_of[study] = identity
        if image in self._series_of:
            del self._series_of[image].children[image]
        chain = [patient]
        for level, uid in ((Level.STUDY, study), (Level.SERIES, series), (Level.IMAGE, image)):
            new = _Entity(level, number=len(self._patient_of))
            chain.append(chain[-1].children.setdefault(uid, new))
        self._series_of[image] = chain[-2]
        for entity in chain:
            _merge(entity.attributes, entity.level, instance)
        _merge(chain[1].patient, Level.PATIENT, instance)

    def _identity(self, instance: DataSet, study: str) -> _Identity:
        """Return the patient; a missing ID or issuer leaves a known study at its patient."""
        patient_id, issuer = _text(instance, "PatientID"), _text(instance, "IssuerOfPatientID")
        current = self._patient_of.get(study)
        if current is not None and (not patient_id or (not issuer and current[0] == patient_id)):
            return current
        # Nothing tells patients without an ID apart: each of their studies gets one of its own.
        return (patient_id, issuer, "") if patient_id else ("", "", study)


def _build(instances: Sequence[DataSet]) -> list[_Entity]:
    archive = _Archive()
    for instance in instances:
        archive.add(instance)
    patients = [patient for patient in archive.patients.values() if patient.below(Level.IMAGE)]
    for patient in patients:
        _without_childless(patient)
        _keep_supported(patient)
        _compute(patient)
    return patients


def _visible(patients: list[_Entity], query: Query) -> list[_Entity]:
    """Return the patients without what the filter hides (see ``query.visibility``)."""
    zone = query.options.timezone_offset_minutes
    for chain in list(_chains(patients, Level.IMAGE)):
        *_, series, image = chain
        if not all(
            matches_data_set(
                each.attributes, [key for key in query.visible if key.level is each.level], zone
            )
            for each in chain
        ):
            series.children = {
                uid: child for uid, child in series.children.items() if child is not image
            }
    shown = [patient for patient in patients if patient.below(Level.IMAGE)]
    for patient in shown:
        number = len(patient.children)
        _without_childless(patient)
        if len(patient.children) < number:
            newest = max(patient.children.values(), key=lambda study: study.number)
            patient.attributes = dict(newest.patient)
        _compute(patient)
    return shown


def _without_childless(entity: _Entity) -> None:
    """Remove the entities that have no instances left."""
    for uid, child in list(entity.children.items()):
        if child.below(Level.IMAGE):
            _without_childless(child)
        else:
            del entity.children[uid]


def _keep_supported(patient: _Entity) -> None:
    """Replace attributes that no study has any more by those of the newest study that has them."""
    newest_first = sorted(patient.children.values(), key=lambda study: -study.number)
    for tag, element in list(patient.attributes.items()):
        found = [study.patient[tag] for study in newest_first if tag in study.patient]
        if not found:
            del patient.attributes[tag]
        elif element not in found:
            patient.attributes[tag] = found[0]


def _merge(attributes: DataSet, level: Level, instance: DataSet) -> None:
    for tag, element in instance.items():
        if tag in _COMPUTED or is_empty(element):
            continue
        if tag == TIMEZONE_OFFSET_FROM_UTC or level_of(tag) is level:
            attributes[tag] = element
    if level is Level.IMAGE:
        syntax = instance.get(TRANSFER_SYNTAX_UID)
        if syntax is not None:
            attributes[_TAGS["AvailableTransferSyntaxUID"]] = syntax


def _compute(patient: _Entity) -> None:
    """Compute the attributes of PS3.4 C.3.4 from the entities below."""
    studies, series, images = (
        patient.below(level) for level in (Level.STUDY, Level.SERIES, Level.IMAGE)
    )
    _count(patient, NumberOfPatientRelatedStudies=studies, NumberOfPatientRelatedSeries=series)
    _count(patient, NumberOfPatientRelatedInstances=images)
    for study in studies:
        series, images = study.below(Level.SERIES), study.below(Level.IMAGE)
        _count(study, NumberOfStudyRelatedSeries=series, NumberOfStudyRelatedInstances=images)
        modalities = distinct(_values(series, _TAGS["Modality"]))
        study.attributes[_TAGS["ModalitiesInStudy"]] = Element("CS", modalities)
        study.attributes[_TAGS["SOPClassesInStudy"]] = Element(
            "UI", distinct(_values(images, _TAGS["SOPClassUID"]))
        )
        regions = anatomic_regions(_values(images, ANATOMIC_REGION_SEQUENCE))
        study.attributes[_TAGS["AnatomicRegionsInStudyCodeSequence"]] = Element("SQ", regions)
        for each in series:
            _count(each, NumberOfSeriesRelatedInstances=each.below(Level.IMAGE))


def _count(entity: _Entity, **counted: list[_Entity]) -> None:
    for keyword, entities in counted.items():
        entity.attributes[_TAGS[keyword]] = Element("IS", (str(len(entities)),))


def _values(entities: list[_Entity], tag: int) -> list[object]:
    empty = Element("UN", ())
    return [value for entity in entities for value in entity.attributes.get(tag, empty).values]


def _chains(patients: list[_Entity], level: Level) -> Iterator[tuple[_Entity, ...]]:
    """Give each entity of the query level behind its ancestors, the patient as its study shows."""
    if level is Level.PATIENT:
        yield from ((patient,) for patient in patients)
        return
    chains: list[tuple[_Entity, ...]] = [
        (_shown(patient, study), study)
        for patient in patients
        for study in patient.children.values()
    ]
    for _ in range(level - Level.STUDY):
        chains = [(*chain, child) for chain in chains for child in chain[-1].children.values()]
    yield from chains


def _shown(patient: _Entity, study: _Entity) -> _Entity:
    """Return the patient as a study shows it: what is counted is counted of all its studies."""
    counts = {tag: element for tag, element in patient.attributes.items() if tag in _COMPUTED}
    return _Entity(Level.PATIENT, study.patient | counts)


def _has_descendants(entity: _Entity, by_level: dict[Level, list[KeyCriterion]], zone: int) -> bool:
    """Tell whether one chain of descendants meets all keys below the query level."""
    if not any(keys for level, keys in by_level.items() if level > entity.level):
        return True
    return any(
        matches_data_set(child.attributes, by_level[child.level], zone)
        and _has_descendants(child, by_level, zone)
        for child in entity.children.values()
    )


def _response(chain: tuple[_Entity, ...], query: Query, default_zone: int) -> DataSet:
    response = {QUERY_RETRIEVE_LEVEL: Element("CS", (query.level.name,))}
    for tag, creator in query.private_creators:
        response[tag] = Element("LO", (creator,))
    for key in query.return_keys:
        owner = chain[key.level - Level.PATIENT].attributes
        response[key.tag] = response_element(owner, key, own_zone(owner, default_zone))
    return dict(sorted(response.items()))
