"""A patient, study or series as the instances of one batch make it (PS3.4 C.3.1)."""

from __future__ import annotations

import json
import logging
from hashlib import sha256
from typing import TYPE_CHECKING

from dicomquest.index.tables.rows import Record
from dicomquest.index.tables.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dicomquest.index.ingest.instance import Received
    from dicomquest.index.ingest.writes import Stored
    from dicomquest.standard.levels import Level

LOGGER = logging.getLogger("dicomquest.index")

# Characters: the Standard allows an ID 64, but some have more than a PostgreSQL index can hold.
_LONGEST_IDENTITY = 600


class Entity:
    """A patient, study or series of a batch; ``key`` is the patient's identity, or the UID."""

    __slots__ = ("conflicts", "id", "is_new", "key", "last", "parent", "record", "was")

    def __init__(self, identifier: int, key: str, parent: int, was: Record | None) -> None:
        self.id = identifier
        self.key = key
        self.parent = parent
        self.is_new = was is None
        self.was = was or Record({}, {})
        self.record = self.was.copy()
        self.last: Record | None = None
        self.conflicts: set[str] = set()

    def merge(self, received: Record) -> None:
        """Take over the attributes that an instance has for it."""
        # Instances come series by series, and most say the same as the one before.
        if received == self.last:
            return
        texts = self.record.texts
        for column, text in received.texts.items():
            if texts.setdefault(column, text) != text:
                texts[column] = text
                self.conflicts.add(column)
        self.record.elements.update(received.elements)
        self.last = received

    def is_changed(self, stored: Mapping[int, Stored]) -> bool:
        """Tell whether its row changes in more than the computed columns."""
        return self.is_new or self.record != self.was or self.parent != stored[self.id].parent

    def log_conflicts(self, level: Level) -> None:
        """Log the attributes that changed; their values, which are patient data, for DEBUG only."""
        if not self.conflicts:
            return
        table, columns = TABLES[level], sorted(self.conflicts)
        names = ", ".join(columns)
        LOGGER.info("%s %d: conflicting %s: the instance received last wins", table, self.id, names)
        for column in columns:
            LOGGER.debug("%s %d: %s is now %r", table, self.id, column, self.record.texts[column])


def patient_identity(received: Received) -> str:
    """Return the identity of an instance's patient.

    Without a Patient ID, nobody can tell patients apart: then each study has a patient of its own.
    """
    patient_id, issuer = received.patient
    identity = [patient_id, issuer] if patient_id else ["", "", received.study_uid]
    text = json.dumps(identity, ensure_ascii=False)
    if len(text) > _LONGEST_IDENTITY:
        return json.dumps(
            [patient_id[:64], issuer[:64], sha256(text.encode()).hexdigest()], ensure_ascii=False
        )
    return text
