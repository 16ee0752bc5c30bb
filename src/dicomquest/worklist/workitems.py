"""The Unified Procedure Steps in the database of an index (PS3.4 CC.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicomquest.index.index import TIMEZONE_SETTING
from dicomquest.index.ingest.writes import insert
from dicomquest.index.tables.dialects import execute, rows
from dicomquest.index.tables.step_tables import WORKITEM, WORKITEM_COLUMNS
from dicomquest.worklist.entries import BATCH, Added

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dicomquest.index.database.pool import Database
    from dicomquest.worklist.workitem import Workitem

_TABLE = WORKITEM.name
_COLUMNS = (
    "id",
    "sop_instance_uid",
    "source",
    "received",
    *(name for names in WORKITEM_COLUMNS.values() for name in names),
    "attributes",
)


class Workitems:
    """The steps in a database; any number of processes may share it, and query it meanwhile."""

    def __init__(self, database: Database) -> None:
        """Use the database of an index."""
        self._database = database

    @property
    def zone_minutes(self) -> int:
        """The zone of date-times without an offset, that of the index."""
        return int(self._database.setting(TIMEZONE_SETTING, "0"))

    def add(self, items: Iterable[Workitem], received: int, *, source: str = "") -> Added:
        """Store steps; one with the UID of another takes its place.

        ``received`` is the time in seconds since 1970, ``source`` says where they come from.
        """
        batch = {item.uid: item for item in items}
        with self._database.begin() as connection:
            statement = f"DELETE FROM {_TABLE} WHERE sop_instance_uid {{in_values}} RETURNING id"
            replaced = len(rows(connection, statement, batch))
            last = execute(connection, f"SELECT max(id) FROM {_TABLE}").fetchone()[0] or 0
            made = [
                (number, item.uid, source, received, *item.columns, item.attributes)
                for number, item in enumerate(batch.values(), last + 1)
            ]
            if made:
                insert(connection, _TABLE, _COLUMNS, made)
        return Added(len(batch) - replaced, replaced)

    def remove(self, ids: Sequence[int]) -> int:
        """Remove steps by their ids; return how many were there."""
        removed = 0
        statement = f"DELETE FROM {_TABLE} WHERE id {{in_values}} RETURNING id"
        for start in range(0, len(ids), BATCH):
            with self._database.begin() as connection:
                removed += len(rows(connection, statement, ids[start : start + BATCH]))
        return removed

    def count(self) -> int:
        """Return the number of steps."""
        with self._database.connect() as connection:
            return int(execute(connection, f"SELECT count(*) FROM {_TABLE}").fetchone()[0])
