"""The visibility filter: a stored query for instances, ANDed into all that a peer may see.

An instance is visible if it meets each key of the filter: a key of an upper level by its series,
its study, or the patient as that study shows it. A series, study or patient is visible if one of
its instances is. The keys themselves see the whole index: with ``ModalitiesInStudy=CT`` all of a
study is visible that has a CT series.

A patient of whom some study is hidden shows the demographics of the newest study that is visible,
because the latest ones may be those of a hidden study.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from dicomquest.errors import DicomquestError, IdentifierError
from dicomquest.query.criteria import KeyCriterion
from dicomquest.query.identifier.identifier_keys import KeyReader, is_key
from dicomquest.query.identifier.key_arguments import (
    Key,
    KeyTextError,
    build_identifier,
    parse_key,
    parse_keys,
)
from dicomquest.query.options import QueryOptions
from dicomquest.standard.attributes import level_of
from dicomquest.standard.levels import Level


class VisibilityError(DicomquestError, ValueError):
    """A visibility filter that makes no sense; the message names the key."""


def parse_visible(
    texts: Iterable[str], timezone_offset_minutes: int = 0
) -> tuple[KeyCriterion, ...]:
    r"""Return the criteria of a filter, for ``Query.visible``; VisibilityError if it has none.

    Each text is ``KEY=VALUE`` as on the command line: wild cards, ranges, a backslash between
    values of which any will do, ``""`` for no value. All keys must be met.
    ``timezone_offset_minutes``, east of UTC, is the zone of date-times without an offset.
    """
    given = [unicodedata.normalize("NFC", text) for text in texts]
    for text in given:
        # Alone first, so that the message has the text that is wrong.
        _criteria(text, [_key(text)], timezone_offset_minutes)
    try:
        keys = parse_keys(given)
        return _criteria(" and ".join(given), keys, timezone_offset_minutes) if keys else ()
    except KeyTextError as error:
        raise VisibilityError(f"visibility filter: {error}") from error


def _key(text: str) -> Key:
    if text.partition("=")[0].endswith("!"):
        raise _wrong(text, "no filter excludes values: name those that are visible")
    try:
        key = parse_key(text)
    except KeyTextError as error:
        raise VisibilityError(f"visibility filter: {error}") from error
    if not is_key(key.path[0].tag):
        raise _wrong(text, f"{key.name} is no attribute that instances are matched by")
    if not key.value:
        raise _wrong(text, f'asks for nothing: write {key.name}=VALUE, or {key.name}="" for none')
    return key


def _criteria(text: str, keys: list[Key], zone_minutes: int) -> tuple[KeyCriterion, ...]:
    options = QueryOptions(relational=True, empty_value=True, timezone_offset_minutes=zone_minutes)
    found: list[KeyCriterion] = []
    try:
        read = KeyReader(options, zone_minutes, adjusts=False).read(build_identifier(keys))
    except (IdentifierError, KeyTextError) as error:
        raise _wrong(text, str(error)) from error
    for key in read:
        for _, reason in key.troubles():
            raise _wrong(text, reason)
        level = level_of(key.tag) if key.step.creator is None else Level.IMAGE
        criteria = key.key_criteria((), level, or_unknown=False)
        if not criteria:
            raise _wrong(text, "every value matches it: write one that restricts")
        found += criteria
    return tuple(found)


def _wrong(text: str, reason: str) -> VisibilityError:
    return VisibilityError(f"visibility filter {text!r}: {reason}")
