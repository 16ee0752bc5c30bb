"""The conditions of a statement on the entities of one level, and the keys that Python matches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicomquest.index.search.predicates import predicate
from dicomquest.index.search.python_filter import FUNCTION
from dicomquest.index.search.residuals import Residual
from dicomquest.query.criteria import DateTimePairMatch
from dicomquest.standard.keys import KEYS_BY_TAG, Storage
from dicomquest.standard.tags import TIMEZONE_OFFSET_FROM_UTC

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dicomquest.index.search.condition import Sql
    from dicomquest.index.search.place import Place
    from dicomquest.index.search.residuals import Gathering
    from dicomquest.index.tables.dialects import Dialect
    from dicomquest.query.criteria import KeyCriterion
    from dicomquest.standard.levels import Level


def conditions(
    keys: Iterable[tuple[KeyCriterion, Place]],
) -> tuple[list[Sql], list[KeyCriterion]]:
    """Return what SQL says of the keys of one level, and the keys that are left to Python."""
    said: list[Sql] = []
    left: list[KeyCriterion] = []
    for key, place in keys:
        found = predicate(key, place)
        if found.sql is not None:
            said.append(found.sql)
        if not found.exact:
            left.append(key)
    return said, left


def residual_of(
    level: Level, keys: Sequence[KeyCriterion], gathered: tuple[Gathering, ...] = ()
) -> Residual:
    """Return what Python has to see to match these keys: elements, columns, the zone of times.

    ``gathered`` stand for the columns of their keys.
    """
    tags = dict.fromkeys(tag for key in keys for tag in _tags(key))
    instead = {each.key for each in gathered}
    stored = [KEYS_BY_TAG[tag] for tag in tags if tag in KEYS_BY_TAG]
    columns = tuple(
        key
        for key in stored
        if key.storage in {Storage.COLUMN, Storage.COMPUTED} and key not in instead
    )
    if any(key.path[0].creator is not None for key in keys):
        return Residual(level, None, columns, tuple(keys), gathered)
    return Residual(level, (*tags, TIMEZONE_OFFSET_FROM_UTC), columns, tuple(keys), gathered)


def called(residual: Residual, numbered: list[Residual], dialect: Dialect) -> Sql:
    """Return the call of Python by SQL, after the residual has got its number."""
    arguments = [str(len(numbered)), *residual.expressions(dialect)]
    numbered.append(residual)
    return f"{FUNCTION}({', '.join(arguments)})", residual.parameters


def _tags(key: KeyCriterion) -> tuple[int, ...]:
    if key.path[0].creator is not None:
        return ()
    if isinstance(key.criterion, DateTimePairMatch):
        return key.criterion.date, key.criterion.time
    return (key.path[0].tag,)
