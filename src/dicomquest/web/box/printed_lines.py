"""A question as an address of QIDO-RS and as a command line, to learn from (PS3.18 10.6).

Each line is read as its program would read it. Where it asks something else, a remark says so.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from dicomquest.errors import DicomquestError
from dicomquest.query.criteria import AnyOf, CaseFree, MultipleValue
from dicomquest.query.identifier.key_arguments import build_identifier, parse_key
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.options import QueryOptions
from dicomquest.standard.models import STUDY_ROOT
from dicomquest.web.box.box_keys import Matching
from dicomquest.web.box.key_making import TEXTS, USUAL, criteria_of
from dicomquest.web.search_parameters import read_search
from dicomquest.web.search_resources import RESOURCES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dicomquest.query.criteria import KeyCriterion
    from dicomquest.web.box.box_keys import BoxKey
    from dicomquest.web.box.reading import Reading

_OF_FIND = QueryOptions(relational=True)
_NAMES = frozenset({Matching.WORDS, Matching.SOUND})


@dataclass(frozen=True, slots=True)
class PrintedLine:
    """A line to copy; ``remark`` says in what it differs from the question, "" if in nothing."""

    text: str
    remark: str = ""


def qido_line(reading: Reading, root: str = "/dicom-web") -> PrintedLine:
    """Return the address of the same search by QIDO-RS, below the root of the services."""
    keys, left_out = _once(reading.keys)
    ways = {key.matching for key in reading.keys}
    separator = "," if Matching.ALL_VALUES in ways else "\\"
    pairs = [
        (each.keyword, each.value.replace("\\", separator) if _is_list(each) else each.value)
        for each in keys
    ]
    pairs += [
        (name, "true")
        for name, is_needed in (
            ("fuzzymatching", bool(ways & _NAMES)),
            ("emptyvaluematching", Matching.EMPTY in ways),
            ("multiplevaluematching", Matching.ALL_VALUES in ways),
            ("ignorecase", _has_text(keys)),
        )
        if is_needed
    ]
    query = "&".join(f"{name}={quote(value, safe=',.:-_~*')}" for name, value in pairs)
    text = f"{root}/studies" + (f"?{query}" if query else "")
    return PrintedLine(text, _remark(keys, left_out, asked_by_qido(pairs)))


def asked_by_qido(pairs: Iterable[tuple[str, str]]) -> tuple[KeyCriterion, ...]:
    """Return what a search by QIDO-RS asks, nothing if it is refused."""
    try:
        search = read_search(RESOURCES[0], {}, pairs, USUAL)
        return parse_identifier(search.identifier, STUDY_ROOT.uid, search.options).criteria
    except DicomquestError:
        return ()


def find_line(reading: Reading, target: Sequence[str] = ("--index", "scans.sqlite")) -> PrintedLine:
    """Return the same search as a command; ``target`` are the words for a peer or an index."""
    keys, left_out = _once(reading.keys)
    written = [(each.keyword, each.value) for each in keys]
    words = [f"{name}={value}" for name, value in written]
    is_fuzzy = any(key.matching in _NAMES for key in keys)
    # A peer decides itself on case.
    has_text = _has_text(keys) and "--index" in target
    is_empty = any(key.matching is Matching.EMPTY for key in keys)
    switches = ["--fuzzy"] if is_fuzzy else []
    switches += ["--offer", "empty-value"] if is_empty else []
    switches += ["--ignore-case"] if has_text else []
    text = shlex.join(["dicomquest", "find", *target, *switches, *words])
    options = replace(_OF_FIND, fuzzy=is_fuzzy, empty_value=is_empty, ignore_case=has_text)
    return PrintedLine(text, _remark(keys, left_out, _asked_by_find(written, options)))


def _has_text(keys: Iterable[BoxKey]) -> bool:
    """Tell whether some text, besides names, is asked for without case."""
    ways = {key.matching for key in keys if key.keyword in TEXTS}
    return bool(ways & {Matching.PHRASE, Matching.PATTERN})


def _asked_by_find(
    written: Sequence[tuple[str, str]], options: QueryOptions
) -> tuple[KeyCriterion, ...]:
    try:
        keys = [parse_key(f"{name}={value}") for name, value in written]
        identifier = build_identifier([parse_key("QueryRetrieveLevel=STUDY"), *keys])
        return parse_identifier(identifier, STUDY_ROOT.uid, options).criteria
    except (DicomquestError, ValueError):
        return ()


def _once(keys: Iterable[BoxKey]) -> tuple[list[BoxKey], list[BoxKey]]:
    """Return the first key of each attribute, and the others: DICOM has one key an attribute."""
    first: dict[str, BoxKey] = {}
    others = [key for key in keys if first.setdefault(key.keyword, key) is not key]
    return list(first.values()), others


def _is_list(key: BoxKey) -> bool:
    return key.matching in {Matching.STANDARD, Matching.ALL_VALUES}


def _remark(
    keys: Iterable[BoxKey], left_out: Iterable[BoxKey], asked: Sequence[KeyCriterion]
) -> str:
    found = [f"It leaves out: {key.chip}." for key in left_out]
    for key in keys:
        own = criteria_of(key, USUAL)
        if not all(each in asked for each in own):
            found.append(_difference(key, asked))
    return " ".join(dict.fromkeys(found))


def _difference(key: BoxKey, asked: Sequence[KeyCriterion]) -> str:
    match key.matching:
        case Matching.WORDS:
            return "It also finds names that sound alike."
        case Matching.EMPTY:
            return f"It does not ask for this: {key.chip}."
        case Matching.ALL_VALUES:
            return "It also finds studies that have one of the modalities."
        case Matching.STANDARD if any(_has_no_case(each, key) for each in asked):
            return "It compares all text without case."
        case _:
            return f"It asks in another way: {key.chip}."


def _has_no_case(asked: KeyCriterion, key: BoxKey) -> bool:
    criterion = asked.criterion
    parts = criterion.parts if isinstance(criterion, AnyOf | MultipleValue) else (criterion,)
    (own, *_) = criteria_of(key, USUAL)
    return asked.path == own.path and any(isinstance(part, CaseFree) for part in parts)
