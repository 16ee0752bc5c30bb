"""The models without levels as people ask them: words, usual keys, places (PS3.4 K, CC, U, X).

One row a model serves the command line and ``dicomquest.find``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from dicomquest.standard.levels import SCHEDULED_STEPS, Level, Noun
from dicomquest.standard.models import MODALITY_WORKLIST, InformationModel
from dicomquest.standard.object_keys import OBJECT_MODELS, MatchingKey, ObjectModel
from dicomquest.standard.tags import SCHEDULED_PROCEDURE_STEP_SEQUENCE
from dicomquest.standard.workitem_keys import WORKITEM_MODELS
from dicomquest.standard.worklist_keys import (
    NEVER_MATCHED,
    STEP_TAGS,
    WORKLIST_KEYS,
    ReturnType,
)

ENTRY = Level.IMAGE
"""The level in the criteria of an entry, which is all of one level; no identifier names it."""

TagPath: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EntryModel:
    """A model without levels: the word that people type, and what they need not type.

    ``kind`` names the model in a sentence, ``noun`` what it finds. ``usual`` are the keywords that
    are asked for where a user names nothing to return, ``unique`` is its unique key if it has one.
    ``places`` has the sequences that an attribute stands in, for those with one place below the
    root. ``rows`` says of each key what the Standard says; ``needed`` are the keys of type 1.
    """

    word: str
    kind: str
    model: InformationModel
    noun: Noun
    usual: tuple[str, ...]
    unique: str
    places: Mapping[int, TagPath]
    rows: Mapping[TagPath, str]
    needed: frozenset[TagPath]
    never_matched: frozenset[int]


_MATCHING = {
    MatchingKey.UNIQUE: "unique key",
    MatchingKey.REQUIRED: "required key",
    MatchingKey.NONE: "returned only",
}

_WORKLIST = EntryModel(
    word="worklist",
    kind="a worklist",
    model=MODALITY_WORKLIST,
    noun=SCHEDULED_STEPS,
    usual=(
        "PatientName",
        "PatientID",
        "AccessionNumber",
        "StudyInstanceUID",
        "RequestedProcedureID",
        "ScheduledStationAETitle",
        "ScheduledProcedureStepStartDate",
        "ScheduledProcedureStepStartTime",
        "Modality",
        "ScheduledProcedureStepDescription",
        "ScheduledProcedureStepID",
    ),
    unique="",
    places=dict.fromkeys(STEP_TAGS, (SCHEDULED_PROCEDURE_STEP_SEQUENCE,)),
    rows={
        key.path: f"{'required' if key.is_required else 'optional'} key"
        f"{' of the step' * key.is_of_step}, return type {key.return_type.value}"
        for key in WORKLIST_KEYS
    },
    needed=frozenset(key.path for key in WORKLIST_KEYS if key.return_type is ReturnType.VALUE),
    never_matched=NEVER_MATCHED,
)


def _object_model(row: ObjectModel) -> EntryModel:
    root = {key.tag for key in row.keys if not key.above}
    below: dict[int, set[TagPath]] = {}
    for key in row.keys:
        if key.above and key.tag not in root:
            below.setdefault(key.tag, set()).add(key.above)
    entities = row.model.entities
    return EntryModel(
        word=row.word,
        kind=f"model {row.word}",
        model=row.model,
        noun=Noun(entities.removesuffix("s"), entities),
        usual=tuple(
            key.keyword
            for key in row.keys
            if not key.above
            and key.vr != "SQ"
            # That of a model with one class says nothing.
            and (key.keyword != "SOPClassUID" or len(row.sop_classes) > 1)
        ),
        unique="SOPInstanceUID",
        places={tag: next(iter(paths)) for tag, paths in below.items() if len(paths) == 1},
        rows={
            (*key.above, key.tag): _MATCHING[key.matching]
            + (f", return type {key.return_type.value}" if key.return_type is not None else "")
            for key in row.keys
        },
        needed=frozenset(
            (*key.above, key.tag) for key in row.keys if key.return_type is ReturnType.VALUE
        ),
        never_matched=row.never_matched,
    )


ENTRY_MODELS: Mapping[str, EntryModel] = {
    each.word: each for each in (_WORKLIST, *map(_object_model, (*WORKITEM_MODELS, *OBJECT_MODELS)))
}
"""The models without levels by the word that people type."""

ENTRY_MODELS_BY_UID: Mapping[str, EntryModel] = {
    each.model.uid: each for each in ENTRY_MODELS.values()
}
"""The same by the SOP classes of C-FIND."""
