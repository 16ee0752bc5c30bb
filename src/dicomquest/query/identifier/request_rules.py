"""The rules for the identifier of a request, for its sender (PS3.4 C.4.1.1.3.1, C.4.1.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydicom.datadict import keyword_for_tag

from dicomquest.errors import DicomquestError
from dicomquest.standard.attributes import level_of
from dicomquest.standard.keys import UNIQUE_KEYS
from dicomquest.standard.tags import (
    INSTANCE_AVAILABILITY,
    MAXIMUM_NUMBER_OF_RECORDS,
    PRIOR_RECORD_KEY,
    QUERY_RETRIEVE_LEVEL,
    QUERY_RETRIEVE_VIEW,
    RECORD_KEY,
    REMOVED_FROM_OPERATIONAL_USE,
    RETRIEVE_AE_TITLE,
    RETRIEVE_LOCATION_UID,
    RETRIEVE_URL,
    SPECIFIC_CHARACTER_SET,
    STORAGE_MEDIA_FILE_SET_ID,
    STORAGE_MEDIA_FILE_SET_UID,
    TIMEZONE_OFFSET_FROM_UTC,
    tag_text,
)

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet
    from dicomquest.query.options import QueryOptions
    from dicomquest.standard.levels import Level
    from dicomquest.standard.models import InformationModel

OF_NO_LEVEL = frozenset(
    {
        SPECIFIC_CHARACTER_SET,
        QUERY_RETRIEVE_LEVEL,
        TIMEZONE_OFFSET_FROM_UTC,
        QUERY_RETRIEVE_VIEW,
        RECORD_KEY,
        PRIOR_RECORD_KEY,
        MAXIMUM_NUMBER_OF_RECORDS,
        REMOVED_FROM_OPERATIONAL_USE,
    }
)
"""Attributes of a request that belong to no level."""

OF_ALL_LEVELS = frozenset(
    {
        RETRIEVE_AE_TITLE,
        INSTANCE_AVAILABILITY,
        RETRIEVE_URL,
        RETRIEVE_LOCATION_UID,
        STORAGE_MEDIA_FILE_SET_ID,
        STORAGE_MEDIA_FILE_SET_UID,
    }
)
"""Attributes of an answer that says where its entity is (PS3.4 C.4.1.1.3.2)."""

_ZONE = re.compile(r"[+-]\d{4}")
_SEVERAL = re.compile(r"[\\*?]")


class RequestError(DicomquestError, ValueError):
    """An identifier that must not be sent; ``option`` is the field of QueryOptions to allow it."""

    def __init__(self, message: str, option: str = "") -> None:
        super().__init__(message)
        self.option = option


def check_request(
    data_set: DataSet, model: InformationModel, level: Level, options: QueryOptions
) -> None:
    """Check an identifier by the options of its sender; RequestError names the first breach."""
    if INSTANCE_AVAILABILITY in data_set:
        raise RequestError("InstanceAvailability must not be in a request (PS3.4 C.4.1.1.3.2)")
    if TIMEZONE_OFFSET_FROM_UTC in data_set and not _ZONE.fullmatch(
        offset := _text(data_set, TIMEZONE_OFFSET_FROM_UTC)
    ):
        raise RequestError(f"TimezoneOffsetFromUTC={offset!r}: expected +HHMM or -HHMM")
    if not model.levels:
        return
    if QUERY_RETRIEVE_VIEW in data_set and not options.enhanced_multiframe:
        raise RequestError(
            "QueryRetrieveView is for converted multi-frame images only", "enhanced_multiframe"
        )
    if options.relational:
        return
    uppers = [UNIQUE_KEYS[upper] for upper in model.levels if upper < level]
    for unique in uppers:
        value = _text(data_set, unique.tag)
        if not value or _SEVERAL.search(value):
            got = repr(value) if unique.tag in data_set else "none"
            needed = (
                f"a query at {level.name} level needs {unique.keyword} with one value (got {got})"
            )
            raise RequestError(f"{needed}: add {unique.keyword}=VALUE", "relational")
    for tag in data_set.keys() - OF_NO_LEVEL - {unique.tag for unique in uppers}:
        of_level = model.query_level(level_of(tag))
        if of_level < level:
            name = keyword_for_tag(tag) or tag_text(tag)
            raise RequestError(
                f"{name} belongs to {of_level.name} level, which is above {level.name}",
                "relational",
            )


def _text(data_set: DataSet, tag: int) -> str:
    element = data_set.get(tag)
    return "" if element is None else "\\".join(map(str, element.values))
