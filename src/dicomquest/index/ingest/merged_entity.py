"""A patient, study or series as the instances of one batch make it (PS3.4 C.3.1)."""

from __future__ import annotations

import json
import logging
from hashlib import sha256
from typing import TYPE_CHECKING

from dicomquest.index.tables.rows import Record
from dicomquest.index.tables.schema import OWN, PATIENT_LINKS, TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dicomquest.index.ingest.instance import Received
    from dicomquest.index.ingest.writes import Stored
    from dicomquest.standard.levels import Level

LOGGER = logging.getLogger("dicomquest.index")

_NOTHING = Record({}, {})

# Characters: the Standard allows an ID 64, but some have more than a PostgreSQL index can hold.
_LONGEST_IDENTITY = 600


class Merged:
    """The attributes that some instances have together; ``conflicts`` are columns that changed."""

    __slots__ = ("_is_shared", "conflicts", "last", "record")

    def __init__(self, record: Record) -> None:
        self.record = record
        # Most entities have what their first instance says, so the record is copied only to change.
        self._is_shared = True
        self.last: Record | None = None
        self.conflicts: set[str] = set()

    def merge(self, received: Record) -> None:
        """Take over the attributes of an instance."""
        # Instances come series by series, and most say the same as the one before.
        if received == self.last:
            return
        self.last = received
        if self.record == _NOTHING:
            self.record = received
            return
        if self._is_shared:
            self.record = self.record.copy()
            self._is_shared = False
        texts = self.record.texts
        for column, text in received.texts.items():
            if texts.setdefault(column, text) != text:
                texts[column] = text
                self.conflicts.add(column)
        self.record.elements.update(received.elements)


class Entity(Merged):
    """A patient, study or series of a batch; ``key`` is the patient's identity, or the UID."""

    __slots__ = ("id", "is_new", "key", "parent", "was")

    def __init__(self, identifier: int, key: str, parent: int, was: Record | None) -> None:
        self.id = identifier
        self.key = key
        self.parent = parent
        self.is_new = was is None
        self.was = was or _NOTHING
        super().__init__(self.was)

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


class Patient(Entity):
    """The main row of an identity, or with its id as ``parent`` a variant (``PATIENT_LINKS``)."""

    __slots__ = ("demographics", "latest", "were")

    def __init__(
        self,
        identifier: int,
        key: str,
        parent: int,
        was: Record | None,
        demographics: int | None = OWN,
    ) -> None:
        super().__init__(identifier, key, parent, was)
        self.demographics = self.were = demographics
        self.latest: Study | None = None

    @property
    def links(self) -> dict[str, int | None]:
        """The columns of ``PATIENT_LINKS``."""
        return dict(zip(PATIENT_LINKS, (self.parent or None, self.demographics), strict=True))

    def is_changed(self, stored: Mapping[int, Stored]) -> bool:
        """Tell whether its row changes in more than the computed columns."""
        return super().is_changed(stored) or self.demographics != self.were

    def log_conflicts(self, level: Level) -> None:
        """Log the attributes that changed, unless studies show what they were before."""
        if self.demographics == OWN:
            super().log_conflicts(level)


class Study(Entity):
    """A study with its patient: ``main`` is its identity's main row, ``own`` its demographics."""

    __slots__ = ("main", "own")

    def __init__(
        self,
        identifier: int,
        key: str,
        parent: int,
        was: Record | None,
        *,
        main: Patient,
        own: Merged,
    ) -> None:
        super().__init__(identifier, key, parent, was)
        self.main = main
        self.own = own

    def move_to(self, main: Patient) -> None:
        """Make it the study of another patient, of whom it has received nothing yet."""
        self.main = main
        self.own = Merged(_NOTHING)
        main.latest = None

    def receive_patient(self, received: Record) -> None:
        """Take over the attributes of an instance for its demographics, and for its patient's."""
        main = self.main
        # One comparison for both: see ``merge``.
        if main.latest is self and received == main.last:
            return
        main.latest = self
        main.merge(received)
        self.own.merge(received)


def variant_identity(main: str, record: Record, demographics: int | None) -> str:
    """Return the identity of the variant with these attributes; ``main`` is its main row's.

    Like any other it begins with the Patient ID, on which an older program may rely.
    """
    content = [sorted(part.items()) for part in record]
    digest = sha256(json.dumps([content, demographics]).encode()).hexdigest()
    return json.dumps([*json.loads(main), "variant", digest], ensure_ascii=False)


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
