"""Promotion of attributes, and its reverse, while the index is in use.

A promoted attribute has value rows, by which queries find it. From the transaction that registers
it on, every writer adds them for new rows. Further transactions fill the older rows, some at a
time, from the lowest id up; the last one lets queries use them. Dropping goes the other way round.
Either can be interrupted, and goes on where it ended.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from pydicom.datadict import keyword_for_tag, tag_for_keyword

from dicomquest.dataset.dictionary import private_vr
from dicomquest.errors import IndexDatabaseError
from dicomquest.index.ingest.writes import INSERT_OCCURRENCE, VALUE_COLUMNS, insert_statement
from dicomquest.index.search.residuals import element_sql
from dicomquest.index.tables.dialects import dialect_of, execute
from dicomquest.index.tables.migrations import NEWEST_REVISION
from dicomquest.index.tables.partitioned import PATIENT_KEY, stored_keys
from dicomquest.index.tables.promoted import (
    DROPPING,
    FILLING,
    READY,
    Attribute,
    Promoted,
    promoted_forms,
    read_promoted,
    standard_key_vr,
)
from dicomquest.index.tables.schema import (
    ALL_THERE,
    ATTRIBUTES,
    OLDEST_REVISION_SETTING,
    TABLES,
    TOO_LONG,
)
from dicomquest.query.identifier.request_rules import OF_NO_LEVEL
from dicomquest.query.search_forms import BINARY_VRS
from dicomquest.standard.attributes import level_of
from dicomquest.standard.keys import KEYS_BY_TAG, Storage
from dicomquest.standard.levels import Level
from dicomquest.standard.tags import (
    FIRST_TAG,
    TIMEZONE_OFFSET_FROM_UTC,
    is_private,
    private_tag_text,
    tag_text,
    without_block,
)
from dicomquest.standard.vr import VR

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from dicomquest.index.database.pool import Database

BATCH = 1000
"""Rows of one transaction, so that others can write between two."""

_PIXEL_DATA_GROUP = 0x7FE00000
# Private tags as well in the form of `attribute list`, with xx for their block.
_TAG = re.compile(r"\(?([0-9A-Fa-f]{4}),?\s?([0-9A-Fa-f]{4}|xx[0-9A-Fa-f]{2})\)?")
_BY_NAME = "tag = ? AND creator = ? AND level = ?"


class Listed(NamedTuple):
    """A promoted attribute as users see it; ``share`` (0 to 1) of its level is filled.

    ``rows`` counts its value rows. Queries use them (``is_used``) when all are there, and none has
    a value too long for an index.
    """

    attribute: Attribute
    state: str
    share: float
    rows: int
    is_used: bool


def attribute_named(
    name: str, *, creator: str = "", vr: str = "", level: Level | None = None
) -> Attribute:
    """Return the attribute of a keyword or tag; ValueError if it cannot be promoted.

    A private attribute needs its creator, and its VR if the dictionary does not know it.
    """
    written = _TAG.fullmatch(name)
    tag = (
        int("".join(written.groups()).lower().replace("xx", "00"), 16)
        if written
        else tag_for_keyword(name)
    )
    if tag is None:
        raise ValueError(
            f"{name!r} is no attribute: expected a keyword, or a tag such as 0018,1030"
        )
    attribute = _private(tag, creator, vr) if is_private(tag) else _standard(tag, creator, vr)
    if attribute.vr in BINARY_VRS:
        raise ValueError(
            f"{attribute.keyword} has VR {attribute.vr}: binary values are not matched"
        )
    if level is not None and level is not attribute.level:
        raise ValueError(
            f"{attribute.keyword} is of {attribute.level.name} level, not of {level.name}"
        )
    return attribute


def _standard(tag: int, creator: str, vr: str) -> Attribute:
    known = standard_key_vr(tag)
    if known is None:
        raise ValueError(f"{tag_text(tag)} is no attribute of PS3.6")
    keyword = keyword_for_tag(tag) or tag_text(tag)
    if creator:
        raise ValueError(f"{keyword} is a standard attribute, which has no private creator")
    if vr not in {"", known}:
        raise ValueError(f"{keyword} has VR {known}, not {vr}")
    key = KEYS_BY_TAG.get(tag)
    if key is not None and key.storage is not Storage.JSON:
        raise ValueError(f"{keyword} is indexed always")
    if not FIRST_TAG <= tag < _PIXEL_DATA_GROUP or tag & 0xFFFF == 0 or tag in OF_NO_LEVEL:
        raise ValueError(f"{keyword} is not matched in queries")
    return Attribute(tag, "", level_of(tag), keyword, known)


def _private(tag: int, creator: str, vr: str) -> Attribute:
    text = tag_text(tag)
    if not creator:
        raise ValueError(f"{text} is a private attribute: expected its private creator, too")
    tag = without_block(tag)
    name = private_tag_text(tag)
    vr = vr or private_vr(tag, creator) or ""
    if not vr:
        raise ValueError(f"{name} of {creator!r} is not in the dictionary: expected its VR, too")
    if vr not in VR:
        raise ValueError(f"{vr!r} is no VR: expected one of PS3.5 6.2")
    if vr == "SQ":
        raise ValueError(f"{name} of {creator!r} is a private sequence, which cannot be promoted")
    return Attribute(tag, creator, Level.IMAGE, name, vr)


def promote(
    database: Database,
    attribute: Attribute,
    default_zone: int,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Promote an attribute, or go on where an earlier call ended.

    ``progress`` is called with the greatest id that is filled, and the greatest of all.
    IndexDatabaseError if somebody drops the attribute meanwhile.
    """
    with database.begin() as connection:
        current = _current(connection, attribute)
        if current is None:
            _register(connection, attribute)
        else:
            _expect_same(current, attribute)
            if current.state == DROPPING:
                raise IndexDatabaseError(
                    f"{attribute.keyword} is being dropped: `attribute drop` has to end first"
                )
    is_ready = False
    while not is_ready:
        with database.begin() as connection:
            current = _current(connection, attribute)
            if current is None or current.state == DROPPING:
                raise IndexDatabaseError(f"{attribute.keyword} was dropped meanwhile")
            _expect_same(current, attribute)
            is_ready = current.state == READY
            done = (
                current.done
                if is_ready
                else _fill(connection, attribute, current.done, default_zone)
            )
            if done is None:
                _set(connection, attribute, READY, current.done)
                execute(connection, INSERT_OCCURRENCE, (attribute.path, ALL_THERE))
                is_ready, done = True, current.done
            greatest = _greatest(connection, attribute)
        if progress is not None:
            progress(done, greatest)


def _expect_same(current: Promoted, attribute: Attribute) -> None:
    if current.attribute.vr != attribute.vr:
        was = current.attribute.vr
        raise IndexDatabaseError(
            f"{attribute.keyword} is promoted with VR {was}, not {attribute.vr}: drop it first"
        )


def _register(connection: Connection, attribute: Attribute) -> None:
    execute(
        connection,
        "INSERT INTO promoted_attribute (tag, creator, level, keyword, vr, path, state) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*_name(attribute), attribute.keyword, attribute.vr, attribute.path, FILLING),
    )
    # From now on older programs must not open the index: they do not know of promoted attributes,
    # and would store rows without their values.
    statement = "UPDATE setting SET value = ? WHERE name = ? AND value < ?"
    execute(connection, statement, (NEWEST_REVISION, OLDEST_REVISION_SETTING, NEWEST_REVISION))


def _fill(connection: Connection, attribute: Attribute, done: int, default_zone: int) -> int | None:
    """Fill the next rows, and return the greatest id among them; None if there are no more."""
    table = TABLES[attribute.level]
    name = dialect_of(connection)
    tags = (attribute.tag, TIMEZONE_OFFSET_FROM_UTC)
    wanted = (
        [f"{table}.{ATTRIBUTES}"]
        if attribute.creator
        else [element_sql(attribute.level, tag, name) for tag in tags]
    )
    statement = (
        f"SELECT id, {', '.join(wanted)} FROM {table} WHERE id > ? ORDER BY id LIMIT {BATCH}"
    )
    found = list(execute(connection, statement, (done,)))
    if not found:
        return None
    values: list[tuple[Any, ...]] = []
    occurrences: set[tuple[str, int]] = set()
    for identifier, *texts in found:
        if attribute.creator:
            elements = {
                tag: json.dumps(value) for tag, value in json.loads(texts[0] or "{}").items()
            }
        else:
            elements = {
                f"{tag:08X}": text
                for tag, text in zip(tags, texts, strict=True)
                if text is not None
            }
        forms = promoted_forms((attribute,), elements, default_zone)
        values += [(*value, identifier) for value in forms.values]
        occurrences |= forms.occurrences
    if values:
        # A row that was written since the attribute was registered has its values already.
        columns: tuple[str, ...] = VALUE_COLUMNS
        keyed = values
        if keys := stored_keys(connection, table, {value[-1] for value in values}):
            columns = (*VALUE_COLUMNS, PATIENT_KEY)
            keyed = [(*value, keys[value[-1]]) for value in values]
        statement = f"{insert_statement(f'{table}_value', columns)} ON CONFLICT DO NOTHING"
        execute(connection, statement, keyed)
    if occurrences:
        execute(connection, INSERT_OCCURRENCE, sorted(occurrences))
    last: int = found[-1][0]
    _set(connection, attribute, FILLING, last)
    return last


def demote(
    database: Database, attribute: Attribute, *, progress: Callable[[int], None] | None = None
) -> bool:
    """Drop a promoted attribute, or go on where an earlier call ended; return False if it is none.

    ``progress`` is called with the number of value rows deleted so far.
    """
    with database.begin() as connection:
        current = _current(connection, attribute)
        if current is None:
            return False
        _set(connection, attribute, DROPPING, current.done)
        # Before any row goes: running queries have their snapshot, and later ones do without.
        execute(
            connection,
            "DELETE FROM occurrence WHERE path = ? AND part = ?",
            (current.attribute.path, ALL_THERE),
        )
    table, (condition, parameters) = f"{TABLES[attribute.level]}_value", _rows_of(current.attribute)
    columns = "path, part, search, owner"
    statement = (
        f"DELETE FROM {table} WHERE ({columns}) IN "
        f"(SELECT {columns} FROM {table} WHERE {condition} LIMIT {BATCH})"
    )
    gone, removed = 0, BATCH
    while removed:
        with database.begin() as connection:
            removed = execute(connection, statement, parameters).rowcount
            if not removed:
                execute(
                    connection, f"DELETE FROM promoted_attribute WHERE {_BY_NAME}", _name(attribute)
                )
                statement = "DELETE FROM occurrence WHERE path = ? AND part = ?"
                execute(connection, statement, (current.attribute.path, TOO_LONG))
        gone += removed
        if progress is not None:
            progress(gone)
    return True


def listed(database: Database) -> list[Listed]:
    """Return all promoted attributes in the order of their promotion."""
    found = []
    with database.connect() as connection:
        occurrences = {
            tuple(row)
            for row in execute(connection, "SELECT path, part FROM occurrence WHERE part < 0")
        }
        for attribute, state, done in read_promoted(connection):
            condition, parameters = _rows_of(attribute)
            count = f"SELECT count(*) FROM {TABLES[attribute.level]}_value WHERE {condition}"
            rows = next(iter(execute(connection, count, parameters)))[0]
            greatest = _greatest(connection, attribute)
            share = (
                min(1.0, done / greatest)
                if state == FILLING and greatest
                else float(state == READY)
            )
            is_used = (attribute.path, ALL_THERE) in occurrences and (
                attribute.path,
                TOO_LONG,
            ) not in occurrences
            found.append(Listed(attribute, state, share, rows, is_used))
    return found


def _rows_of(attribute: Attribute) -> tuple[str, tuple[str, ...]]:
    """Return the condition of an attribute's value rows; a sequence has those of its items."""
    if attribute.vr == "SQ":
        return "path > ? AND path < ?", (f"{attribute.path}.", f"{attribute.path}/")
    return "path = ?", (attribute.path,)


def _name(attribute: Attribute) -> tuple[str, str, int]:
    return f"{attribute.tag:08X}", attribute.creator, int(attribute.level)


def _current(connection: Connection, attribute: Attribute) -> Promoted | None:
    names = _name(attribute)
    return next(
        (each for each in read_promoted(connection) if _name(each.attribute) == names), None
    )


def _set(connection: Connection, attribute: Attribute, state: str, done: int) -> None:
    statement = f"UPDATE promoted_attribute SET state = ?, done = ? WHERE {_BY_NAME}"
    execute(connection, statement, (state, done, *_name(attribute)))


def _greatest(connection: Connection, attribute: Attribute) -> int:
    statement = f"SELECT coalesce(max(id), 0) FROM {TABLES[attribute.level]}"
    found: int = next(iter(execute(connection, statement)))[0]
    return found
