"""The levels of the Query/Retrieve information models (PS3.4 C.3.1)."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Level(IntEnum):
    """An entity of the hierarchy, top first; ``name`` is the value of QueryRetrieveLevel."""

    PATIENT = 1
    STUDY = 2
    SERIES = 3
    IMAGE = 4

    @property
    def entity(self) -> str:
        """The word for one entity of this level in a sentence."""
        return _ENTITIES[self][0]

    @property
    def entities(self) -> str:
        """The word for several entities of this level in a sentence."""
        return _ENTITIES[self][1]


# IMAGE is any composite object instance, not only an image (PS3.4 C.3.1).
_ENTITIES = {
    Level.PATIENT: ("patient", "patients"),
    Level.STUDY: ("study", "studies"),
    Level.SERIES: ("series", "series"),
    Level.IMAGE: ("instance", "instances"),
}


class Noun(NamedTuple):
    """The words for one and for several of what a query without levels finds."""

    entity: str
    entities: str


SCHEDULED_STEPS = Noun("scheduled procedure step", "scheduled procedure steps")
UNIFIED_STEPS = Noun("unified procedure step", "unified procedure steps")
