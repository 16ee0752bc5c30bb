"""The query of a caller, and the identifier that each source gets for it (PS3.4 C.4.1.1.3.1).

A source is asked for all that answers are compared by, and never for less than the caller asks: a
key that it would read otherwise goes out without a value, and its answers are sifted here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.query.criteria import (
    CaseFree,
    Criterion,
    DateTimePairMatch,
    EmptyValue,
    KeyCriterion,
    MultipleValue,
)
from dicomquest.query.identifier.identifier_keys import is_key
from dicomquest.query.model import IgnoredKey
from dicomquest.standard import statuses
from dicomquest.standard.keys import KEYS_BY_KEYWORD, KEYS_BY_TAG, UNIQUE_KEYS, Storage
from dicomquest.standard.levels import Level
from dicomquest.standard.tags import (
    QUERY_RETRIEVE_LEVEL,
    TIMEZONE_OFFSET_FROM_UTC,
    is_private,
)

if TYPE_CHECKING:
    from dicomquest.query.model import Query
    from dicomquest.query.options import QueryOptions

_WITH_WILD_CARDS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_DOUBTFUL = re.compile(r"[*?]*(?:\?|[^ -~])(?:[*?]|[^ -~])*")
"""Characters that take several bytes in some sets, and the wild card for one of them."""

ISSUER = KEYS_BY_KEYWORD["IssuerOfPatientID"].tag
MODALITY = KEYS_BY_KEYWORD["Modality"].tag
MODALITIES = KEYS_BY_KEYWORD["ModalitiesInStudy"].tag


@dataclass(frozen=True, slots=True)
class AskedQuery:
    """A query as its caller asked it; ``identifier`` is the decoded one of the request."""

    identifier: DataSet
    query: Query


def asked(identifier: DataSet, query: Query, visible: tuple[KeyCriterion, ...] = ()) -> AskedQuery:
    """Return a query for several sources: no source knows what to count above the query level."""
    query = replace(query, visible=visible) if visible else query
    above = [
        key.tag
        for key in query.return_keys
        if key.level < query.level
        and key.tag in KEYS_BY_TAG
        and KEYS_BY_TAG[key.tag].storage is Storage.COMPUTED
    ]
    if not above:
        return AskedQuery(identifier, query)
    reason = "counted in all archives, so not returned below its own level"
    kept = replace(
        query,
        return_keys=tuple(key for key in query.return_keys if key.tag not in above),
        ignored=(*query.ignored, *(IgnoredKey((tag,), reason) for tag in above)),
        pending_status=statuses.PENDING_WITH_UNSUPPORTED_KEYS,
    )
    return AskedQuery(identifier, kept)


def request_for(
    question: AskedQuery,
    accepted: QueryOptions,
    *,
    has_issuer: bool = False,
    is_exact: bool = True,
) -> DataSet:
    """Return the identifier for a source that accepted these options.

    ``has_issuer`` says that the issuer of its patients is known here, not there; ``is_exact`` that
    it reads times, and characters beyond ASCII, as the Standard does.
    """
    query = question.query
    returned = {key.tag for key in query.return_keys}
    criteria = (*query.criteria, *query.visible)
    restricted = {tag for key in query.criteria for tag in _tags(key)}
    request: DataSet = {}
    for tag, element in question.identifier.items():
        if tag == TIMEZONE_OFFSET_FROM_UTC or is_private(tag):
            request[tag] = element
        elif is_key(tag) and (tag in returned or tag in restricted):
            above = query.model.query_level(_level(question, tag)) < query.level
            if accepted.relational or not above or tag in restricted or _is_unique(tag):
                request[tag] = element
    for key in query.return_keys:
        if key.level <= query.level and _is_unique(key.tag):
            request.setdefault(key.tag, Element(key.vr, ()))
    for each in criteria:
        if len(each.path) == 1 and each.path[0].creator is None and each.level <= query.level:
            request.setdefault(each.tag, Element(each.vr, ()))
    if query.level is Level.PATIENT:
        request.setdefault(ISSUER, Element("LO", ()))
    for each in query.criteria:
        for tag in _unsure(each, question.identifier, accepted):
            if tag in request:
                request[tag] = request[tag]._replace(values=())
    if not is_exact:
        request = {tag: _widened(element) for tag, element in request.items()}
    if has_issuer and ISSUER in request:
        request[ISSUER] = Element("LO", ())
    if query.level is Level.STUDY and MODALITY in restricted:
        request.setdefault(MODALITIES, Element("CS", ()))
        if not accepted.relational:
            del request[MODALITY]
    request[QUERY_RETRIEVE_LEVEL] = Element("CS", (query.level.name,))
    return dict(sorted(request.items()))


def _widened(element: Element) -> Element:
    """Return a key that finds no less where an archive compares bytes, or times as text."""
    if element.vr == "TM" and not any("-" in str(value) for value in element.values):
        return element._replace(values=())
    if element.vr not in _WITH_WILD_CARDS or not any(map(_DOUBTFUL.search, element.values)):
        return element
    return element._replace(values=tuple(_DOUBTFUL.sub("*", value) for value in element.values))


def _is_unique(tag: int) -> bool:
    return any(tag == key.tag for key in UNIQUE_KEYS.values())


def _level(question: AskedQuery, tag: int) -> Level:
    """Return the level of a key; a key below the query level is only among the criteria."""
    query = question.query
    for key in query.return_keys:
        if key.tag == tag:
            return key.level
    return next((key.level for key in query.criteria if tag in _tags(key)), query.level)


def _tags(key: KeyCriterion) -> tuple[int, ...]:
    """Return the elements of the identifier that a criterion was read from."""
    if isinstance(key.criterion, DateTimePairMatch):
        return (key.criterion.date, key.criterion.time)
    return (key.path[0].tag,)


def _unsure(key: KeyCriterion, identifier: DataSet, accepted: QueryOptions) -> tuple[int, ...]:
    """Return the elements that a source would read otherwise than the caller means them."""
    criterion: Criterion = key.criterion
    if isinstance(criterion, DateTimePairMatch):
        if criterion.zone_minutes is not None and not accepted.timezone_adjustment:
            return (criterion.date, criterion.time)
        if criterion.combined is not None and not accepted.combined_datetime:
            return (criterion.time,)
        return ()
    tag = key.path[0].tag
    if isinstance(criterion, EmptyValue):
        return () if accepted.empty_value else (tag,)
    if isinstance(criterion, CaseFree):
        return () if accepted.ignore_case else (tag,)
    element = identifier.get(tag)
    several = element is not None and len(element.values) > 1 and element.vr not in {"UI", "SQ"}
    if isinstance(criterion, MultipleValue) or several:
        return () if accepted.multiple_value and several else (tag,)
    return ()
