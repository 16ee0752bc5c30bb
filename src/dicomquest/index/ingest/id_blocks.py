"""The ids of new rows where several write at a time: blocks of a sequence, one connection's each.

A connection keeps the rest of its block for its next transaction. So ids grow with time only
roughly, and some are never used.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from dicomquest.index.tables.dialects import execute
from dicomquest.index.tables.schema import ID_BLOCK, ID_SEQUENCES, TABLES
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from dicomquest.index.tables.dialects import Driven

_NAME = "id blocks"


def take_from_block(connection: Driven, level: Level) -> int:
    """Return the id of a new row."""
    kept = _kept(connection, level)
    if not kept:
        statement = f"SELECT nextval('{ID_SEQUENCES[level]}')"
        keep_block(connection, level, execute(connection, statement).fetchone()[0])
    return kept.popleft()


def kept_ids(connection: Driven, level: Level, number: int) -> list[int]:
    """Return the next ids, fewer if the block has no more, and leave them where they are."""
    return list(islice(_kept(connection, level), number))


def keep_block(connection: Driven, level: Level, first: int) -> None:
    """Keep a block of the sequence behind what is kept."""
    _kept(connection, level).extend(range(first, first + ID_BLOCK))


def _kept(connection: Driven, level: Level) -> deque[int]:
    blocks: dict[Level, deque[int]] = connection.info.setdefault(_NAME, {})
    return blocks.setdefault(level, deque())


def renew_blocks(connection: Driven) -> None:
    """Give the kept blocks up, and begin the next ones after all rows.

    Somebody may have written rows with ids of his own: a copy, or an older program. Call this in a
    transaction that writes alone.
    """
    connection.info.pop(_NAME, None)
    for level in Level:
        sequence = ID_SEQUENCES[level]
        execute(
            connection,
            f"SELECT setval('{sequence}', greatest(last_value, greatest_id),"
            " is_called OR greatest_id IS NOT NULL)"
            f" FROM {sequence}, (SELECT max(id) AS greatest_id FROM {TABLES[level]}) AS found",
        )
