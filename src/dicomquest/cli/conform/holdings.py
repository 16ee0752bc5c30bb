"""Holdings of a peer, learnt by a few questions without a condition (PS3.4 C.2.2.2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dicomquest.cli.conform.questioner import Negotiated, Reply, models_of, values_of
from dicomquest.cli.conform.worklist_holdings import Worklist, learn_worklist
from dicomquest.standard.keys import UNIQUE_KEYS
from dicomquest.standard.levels import Level
from dicomquest.standard.models import MODELS, PATIENT_ROOT, STUDY_ROOT, InformationModel

if TYPE_CHECKING:
    from dicomquest.cli.conform.questioner import Asks

MOST_LEARNT = 300
"""Answers to a question without a condition after which it is cancelled."""

MOST_LOOKED_AT = 5
"""Studies, or series, whose contents are asked for to find one with several."""

LEARNT_KEYS: Mapping[Level, tuple[str, ...]] = {
    Level.PATIENT: ("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate"),
    Level.STUDY: (
        "StudyInstanceUID", "StudyDate", "StudyTime", "AccessionNumber", "StudyID",
        "StudyDescription", "ModalitiesInStudy", "NumberOfStudyRelatedSeries",
    ),
    Level.SERIES: (
        "SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription", "BodyPartExamined",
    ),
    Level.IMAGE: ("SOPInstanceUID", "SOPClassUID", "InstanceNumber"),
}  # fmt: skip
PATIENT_KEYS = ("PatientName", "PatientID")
"""The keys of a patient that are keys of STUDY level under Study Root (PS3.4 C.6.2.1.2)."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A patient, study, series or instance: its unique key and the values that it returned."""

    uid: str
    values: Mapping[str, tuple[str, ...]]

    def value(self, keyword: str) -> str:
        """Return the first value of an attribute, or nothing."""
        return next(iter(self.values.get(keyword, ())), "")


@dataclass(frozen=True, slots=True)
class Room:
    """The entities of one level, below one entity of each level above.

    ``above`` are the unique keys of the levels above, ``keys`` the attributes that were asked for.
    """

    level: Level
    model: InformationModel
    above: Mapping[str, str]
    keys: tuple[str, ...]
    reply: Reply
    entities: tuple[Entity, ...] = ()

    @property
    def unique(self) -> str:
        """The keyword of the unique key."""
        return UNIQUE_KEYS[self.level].keyword


@dataclass(frozen=True, slots=True)
class Holdings:
    """Everything learnt of a peer: the models that it accepts, and a room of each level.

    ``worklist`` is there if the worklist is checked, which has no levels.
    """

    negotiated: Negotiated | None
    models: tuple[InformationModel, ...]
    rooms: Mapping[Level, Room] = field(default_factory=dict)
    worklist: Worklist | None = None

    @property
    def named(self) -> Room | None:
        """The room whose keys include Patient's Name: of studies if they may, else of patients."""
        if STUDY_ROOT in self.models:
            return self.rooms.get(Level.STUDY)
        return self.rooms.get(Level.PATIENT)


def learn(peer: Asks) -> Holdings:
    """Ask for the models, patients, studies, series of a study and instances of a series."""
    negotiated = peer.negotiate([model.uid for model in MODELS], {})
    models = models_of(negotiated)
    rooms: dict[Level, Room] = {}
    if PATIENT_ROOT in models:
        rooms[Level.PATIENT] = look(peer, Level.PATIENT, PATIENT_ROOT, {})
    model = STUDY_ROOT if STUDY_ROOT in models else PATIENT_ROOT
    if model not in models:
        return Holdings(negotiated, models, rooms)
    above: dict[str, str] = {}
    if model is PATIENT_ROOT:
        patients = rooms[Level.PATIENT].entities
        if not patients:
            return Holdings(negotiated, models, rooms)
        above = {"PatientID": patients[0].uid}
    rooms[Level.STUDY] = look(peer, Level.STUDY, model, above)
    for level in (Level.SERIES, Level.IMAGE):
        upper = rooms[Level(level - 1)]
        if not upper.entities:
            break
        rooms[level] = max(
            (
                look(peer, level, model, {**upper.above, upper.unique: each.uid})
                for each in _fullest(upper.entities)[:MOST_LOOKED_AT]
            ),
            key=lambda room: len(room.entities),
        )
    return Holdings(negotiated, models, rooms)


def learn_steps(peer: Asks) -> Holdings:
    """Ask for the steps of a worklist."""
    worklist = learn_worklist(peer)
    return Holdings(worklist.negotiated, (), worklist=worklist)


def look(peer: Asks, level: Level, model: InformationModel, above: Mapping[str, str]) -> Room:
    """Ask for all entities of a level below the entities of ``above``."""
    keys = LEARNT_KEYS[level]
    if level is Level.STUDY and model is STUDY_ROOT:
        keys = (*PATIENT_KEYS, *keys)
    question = {**dict.fromkeys(keys, ""), **above}
    reply = peer.ask(level.name, question, model=model, cancel_after=MOST_LEARNT)
    unique = UNIQUE_KEYS[level].keyword
    found: dict[str, Entity] = {}
    for answer in reply.answers:
        uid = "".join(values_of(answer, unique)[:1])
        if uid and uid not in found:
            values = {keyword: values_of(answer, keyword) for keyword in keys}
            found[uid] = Entity(uid, values)
    return Room(level, model, above, keys, reply, tuple(found.values()))


def _fullest(entities: tuple[Entity, ...]) -> list[Entity]:
    """Return the entities, those with several modalities or series first."""
    return sorted(
        entities,
        key=lambda each: (
            -len(each.values.get("ModalitiesInStudy", ())),
            each.value("NumberOfStudyRelatedSeries") in {"", "0", "1"},
        ),
    )
