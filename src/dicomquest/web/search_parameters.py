"""The parameters of a search as the identifier of a query (PS3.18 8.3.4).

They become the same keys that C-FIND has, so one parser reads both, and both find the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import unquote_to_bytes

from pydicom.datadict import tag_for_keyword

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.query.identifier.key_arguments import (
    TAG,
    Key,
    KeyTextError,
    build_identifier,
    parse_key,
    vr_of,
)
from dicomquest.query.model import Page
from dicomquest.query.options import QueryOptions
from dicomquest.standard.attributes import level_of
from dicomquest.standard.models import STUDY_ROOT
from dicomquest.standard.tags import (
    QUERY_RETRIEVE_LEVEL,
    QUERY_RETRIEVE_VIEW,
    SPECIFIC_CHARACTER_SET,
    TIMEZONE_OFFSET_FROM_UTC,
    is_private,
)
from dicomquest.web.refusals import RefusalError
from dicomquest.web.search_resources import PATH_KEYS, REQUEST_ITEM, SearchResource

MOST_PARAMETERS = 1_000
"""Parameters of a request: ten times the keys of PS3.4 C.6."""

_BOOLEANS = {"true": True, "false": False}
_MATCHING = {
    "fuzzymatching": "fuzzy",
    "emptyvaluematching": "empty_value",
    "multiplevaluematching": "multiple_value",
    "ignorecase": "ignore_case",
}
_OF_MESSAGES = frozenset({"accept", "charset"})
"""Parameters that say how the answer is written (PS3.18 8.3.3)."""
_OF_THE_QUERY = frozenset({QUERY_RETRIEVE_LEVEL, QUERY_RETRIEVE_VIEW, SPECIFIC_CHARACTER_SET})
_REQUEST_ATTRIBUTES = 0x00400275
_UID = re.compile(r"[0-9.]{1,64}")
_UID_KEY = re.compile(r'[0-9.]{0,64}|\*|""')
_FIRST_TAG = re.compile(rf"{TAG}(?=[.:]|$)")
_LARGEST = 1 << 53
"""The largest number of a limit or an offset: no index has more rows."""


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search as it was asked for.

    - ``identifier`` and ``options`` are those of the same C-FIND.
    - ``optional`` are the tags that are left out of matches without a value.
    - ``warnings`` tell the caller what does not act as asked.
    """

    resource: SearchResource
    identifier: DataSet
    options: QueryOptions
    page: Page
    optional: frozenset[int] = frozenset()
    warnings: tuple[str, ...] = ()


def read_parameters(query: bytes) -> list[tuple[str, str]]:
    """Return the names and values of a query component, percent-decoded; ``+`` stays a plus."""
    pairs: list[tuple[str, str]] = []
    for part in query.split(b"&"):
        if part:
            name, _, value = part.partition(b"=")
            pairs.append((_decoded(name), _decoded(value)))
    if len(pairs) > MOST_PARAMETERS:
        raise RefusalError(400, f"{len(pairs)} parameters: at most {MOST_PARAMETERS}")
    return pairs


def _decoded(text: bytes) -> str:
    try:
        decoded = unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise RefusalError(
            400, "a parameter is not UTF-8: percent-encode the UTF-8 bytes of its text"
        ) from None
    if "\0" in decoded:
        raise RefusalError(400, "a parameter has a NUL: leave it out")
    return decoded


def check_uids(path: Mapping[str, str]) -> None:
    """Raise RefusalError 400 unless all UIDs of a path, by name, have the form of one."""
    for name, uid in path.items():
        if not _UID.fullmatch(uid):
            raise RefusalError(400, f"the {name} of the path is no UID: write digits and dots")


def read_search(
    resource: SearchResource,
    path: Mapping[str, str],
    parameters: Iterable[tuple[str, str]],
    options: QueryOptions,
    limit: int | None = None,
) -> SearchRequest:
    """Return the search of a request; RefusalError says what is wrong with it.

    ``path`` has the UIDs of the path by name, ``limit`` is the most matches of one answer.
    """
    check_uids(path)
    reading = _Reading(options, strict=options.strict)
    for name, uid in path.items():
        reading.keys.append(parse_key(f"{PATH_KEYS[name]:08X}={uid}"))
    given = list(parameters)
    # The matching parameters say how values are read, wherever they stand.
    for name, value in given:
        if name in _MATCHING:
            reading.options[name] = _boolean(name, value, reading.options)
    for name, value in given:
        reading.take(name, value)
    return reading.request(resource, limit)


def _boolean(name: str, value: str, before: Mapping[str, bool]) -> bool:
    if name in before:
        raise RefusalError(400, f"{name} is given twice: give it once")
    if value not in _BOOLEANS:
        raise RefusalError(400, f"{name}: write true or false")
    return _BOOLEANS[value]


@dataclass(slots=True)
class _Reading:
    """The search as it grows, parameter by parameter."""

    base: QueryOptions
    strict: bool
    options: dict[str, bool] = field(default_factory=dict)
    keys: list[Key] = field(default_factory=list)
    included: list[Key] = field(default_factory=list)
    includes: list[str] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def take(self, name: str, value: str) -> None:
        """Take one parameter in."""
        if name in _MATCHING or name in _OF_MESSAGES:
            return
        if name in {"limit", "offset"}:
            self._take_number(name, value)
        elif name == "includefield":
            self.includes += [each for each in value.split(",") if each]
        elif _is_attribute(name):
            self._take_key(name, value)
        else:
            self.warnings.append(f"The {_shown(name)} parameter is not supported")

    def _take_number(self, name: str, value: str) -> None:
        if name in self.numbers:
            raise RefusalError(400, f"{name} is given twice: give it once")
        if not (value.isascii() and value.isdecimal()):
            raise RefusalError(400, f"{name}: write a number from 0 on")
        # The digits first: Python takes no number of thousands of digits.
        self.numbers[name] = int(value) if len(value) < 17 else _LARGEST

    def _take_key(self, name: str, value: str) -> None:
        key = _key(name, value)
        if any(each.path == key.path for each in self.keys):
            raise RefusalError(400, f"{_shown(name)} is given twice: give each attribute once")
        if key.path[0].tag in _OF_THE_QUERY:
            self.warnings.append(f"The {_shown(name)} parameter is not supported")
            return
        try:
            vr = vr_of(key.path[-1])
        except KeyTextError:
            self.warnings.append(f"The attribute {_shown(name)} is not known")
            return
        if vr == "UI" or self.options.get("multiplevaluematching"):
            key = replace(key, value=value.replace(",", "\\"))
        if vr == "UI" and not all(map(_UID_KEY.fullmatch, key.value.split("\\"))):
            raise RefusalError(400, f"{_shown(name)}: write UIDs of digits and dots")
        self.keys.append(key)

    def request(self, resource: SearchResource, limit: int | None) -> SearchRequest:
        """Return the search of what was read."""
        included = self._included(resource)
        try:
            identifier = build_identifier([*self.keys, *included])
        except KeyTextError as error:
            raise RefusalError(400, str(error)) from error
        asked = frozenset(identifier)
        returned = resource.returned | resource.optional
        if "all" in self.includes:
            returned |= resource.supported
        for tag in sorted(returned - asked):
            identifier[tag] = _asked_for(tag)
        identifier[QUERY_RETRIEVE_LEVEL] = Element("CS", (resource.level.name,))
        options = replace(
            self.base,
            relational=True,
            combined_datetime=True,
            timezone_adjustment=TIMEZONE_OFFSET_FROM_UTC in identifier,
            fuzzy=self.options.get("fuzzymatching", False),
            empty_value=self.options.get("emptyvaluematching", False),
            multiple_value=self.options.get("multiplevaluematching", False),
            ignore_case=self.options.get("ignorecase", self.base.ignore_case),
        )
        wanted = self.numbers.get("limit")
        limits = [each for each in (wanted, limit) if each is not None]
        return SearchRequest(
            resource,
            dict(sorted(identifier.items())),
            options,
            Page(min(limits, default=None), self.numbers.get("offset", 0)),
            resource.optional - asked,
            tuple(self.warnings),
        )

    def _included(self, resource: SearchResource) -> list[Key]:
        """Return the keys of includefield without unknown ones and those of lower levels."""
        if "all" in self.includes and set(self.includes) != {"all"}:
            raise RefusalError(400, "includefield: write all, or a list of attributes, not both")
        paths = {key.path for key in self.keys}
        keys: list[Key] = []
        unknown: list[str] = []
        for name in self.includes:
            if name == "all":
                continue
            key = _known(name)
            if key is None:
                unknown.append(name)
                continue
            first = key.path[0].tag
            is_lower = not is_private(first) and level_of(first) > resource.level
            if key.path not in paths and not is_lower and first not in _OF_THE_QUERY:
                paths.add(key.path)
                keys.append(key)
        if unknown:
            more = f", and {len(unknown) - 1} more" if len(unknown) > 1 else ""
            self.warnings.append(f"The includefield {_shown(unknown[0])}{more} is not known")
        return keys


def _known(name: str) -> Key | None:
    """Return the key that a name means, None for an unknown attribute."""
    if not _is_attribute(name):
        return None
    try:
        key = parse_key(name)
        vr_of(key.path[-1])
    except KeyTextError:
        return None
    return key


def _key(name: str, value: str) -> Key:
    try:
        # The name alone: a value may have any character, its first ``=`` would end a name.
        return replace(parse_key(name), value=value)
    except KeyTextError as error:
        raise RefusalError(400, str(error)) from error


def _is_attribute(name: str) -> bool:
    """Tell whether a parameter's name begins with a tag or a keyword."""
    first = name.partition(".")[0]
    return bool(_FIRST_TAG.match(name)) or tag_for_keyword(first) is not None


def _asked_for(tag: int) -> Element:
    """Return a key without a value."""
    if tag == _REQUEST_ATTRIBUTES:
        item = {each: Element("SH", ()) for each in REQUEST_ITEM.values()}
        return Element("SQ", (dict(sorted(item.items())),))
    return Element(vr_of(parse_key(f"{tag:08X}").path[0]) or "UN", ())


def _shown(name: str) -> str:
    """Return a name for a header: short, and of characters that any header has."""
    return re.sub(r"[^A-Za-z0-9_.,:]", "?", name[:64])


MODEL = STUDY_ROOT
"""The information model of all searches: patients' attributes are those of studies."""
