"""From the keys of the command line to a request identifier that the Standard allows (PS3.4 C.4.1.1.3.1, C.4.1.2.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dicomquest.cli.keys import Key, KeyTextError, PathStep, build_identifier, label
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.standard.attributes import level_of
from dicomquest.standard.keys import KEYS_BY_KEYWORD, UNIQUE_KEYS
from dicomquest.standard.levels import Level
from dicomquest.standard.models import MODELS, InformationModel

MODEL_NAMES = dict(zip(("patient", "study", "psonly"), MODELS, strict=True))

SPECIFIC_CHARACTER_SET = 0x00080005
QUERY_RETRIEVE_LEVEL = 0x00080052
TIMEZONE_OFFSET = 0x00080201

# Attributes of a request that are no keys, and why they cannot be given as one.
NO_KEYS = {
    SPECIFIC_CHARACTER_SET: "the character set follows from the keys; --charset names another one",
    QUERY_RETRIEVE_LEVEL: "the level is the option -L",
    0x00080053: "views of enhanced multi-frame images are not supported",
    0x00080056: "a request must not contain it (PS3.4 C.4.1.1.3.2)",
}

# Asked for where the user names no attribute to return.
USUAL_KEYS = {
    Level.PATIENT: ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "NumberOfPatientRelatedStudies"),
    Level.STUDY: ("StudyDate", "AccessionNumber", "ModalitiesInStudy", "StudyDescription", "StudyInstanceUID"),
    Level.SERIES: (
        "Modality",
        "SeriesNumber",
        "SeriesDescription",
        "NumberOfSeriesRelatedInstances",
        "SeriesInstanceUID",
    ),
    Level.IMAGE: ("InstanceNumber", "SOPClassUID", "SOPInstanceUID"),
}
UNICODE = "ISO_IR 192"


@dataclass(frozen=True, slots=True)
class Request:
    """A request to send: its identifier, the keys that are asked to be returned (in order), and remarks on it."""

    identifier: DataSet
    columns: tuple[Key, ...]
    charset: str | None
    notes: tuple[str, ...] = ()


def build_request(
    keys: Sequence[Key],
    model: InformationModel,
    level: Level,
    *,
    relational: bool = False,
    as_is: bool = False,
    charset: str | None = None,
) -> Request:
    """Complete the keys and check them; KeyTextError says what the Standard does not allow."""
    if level not in model.levels:
        allowed = ", ".join(each.name for each in model.levels)
        raise KeyTextError(f"{model.words} has no level {level.name}; its levels are {allowed}")
    for key in keys:
        if len(key.path) == 1 and key.path[0].tag in NO_KEYS:
            raise KeyTextError(f"{key.name}: {NO_KEYS[key.path[0].tag]}")
    columns = list(keys)
    if all(key.value for key in keys):
        columns += _absent(_usual_names(model, level), columns)
    columns += _absent((UNIQUE_KEYS[level].keyword,), columns)
    notes = [] if as_is else _check(columns, model, level, relational=relational)
    identifier = build_identifier(columns)
    identifier[QUERY_RETRIEVE_LEVEL] = Element("CS", (level.name,))
    if not all(text.isascii() for text in _texts(identifier)):
        charset = charset or UNICODE
        identifier[SPECIFIC_CHARACTER_SET] = Element("CS", tuple(charset.split("\\")))
    else:
        charset = None
    return Request(dict(sorted(identifier.items())), tuple(columns), charset, tuple(notes))


def _usual_names(model: InformationModel, level: Level) -> Iterator[str]:
    # Under Study Root a patient's attributes are keys of the study (PS3.4 C.6.2.1.2).
    levels = [entity for entity in Level if model.query_level(entity) == level]
    return (name for entity in levels for name in USUAL_KEYS[entity] if entity == level or "NumberOf" not in name)


def _absent(names: Iterable[str], present: Sequence[Key]) -> list[Key]:
    paths = {key.path for key in present}
    absent = [Key(name, (PathStep(KEYS_BY_KEYWORD[name].tag),), "") for name in names]
    return [key for key in absent if key.path not in paths]


def _check(keys: Sequence[Key], model: InformationModel, level: Level, *, relational: bool) -> list[str]:
    """Hold the keys against the baseline: hierarchical, unless relational queries are going to be offered."""
    values = {key.path[0].tag: key.value for key in keys if len(key.path) == 1}
    offset = values.get(TIMEZONE_OFFSET)
    if offset is not None and not re.fullmatch(r"[+-]\d{4}", offset):
        raise KeyTextError(f"TimezoneOffsetFromUTC={offset!r}: expected +HHMM or -HHMM")
    way_out = "--offer relational asks the peer to allow it, --as-is sends it all the same"
    uppers = [UNIQUE_KEYS[upper] for upper in model.levels if upper < level]
    for unique in uppers:
        value = values.get(unique.tag)
        if not relational and (not value or re.search(r"[\\*?]", value)):
            got = "it is missing" if value is None else f"got {value!r}"
            raise KeyTextError(
                f"a query at {level.name} level needs {unique.keyword} with one value ({got}): "
                f"add {unique.keyword}=VALUE; {way_out}"
            )
    notes = []
    allowed = {unique.tag for unique in uppers} | {TIMEZONE_OFFSET}
    for key in keys:
        tag = key.path[0].tag
        of_level = model.query_level(level_of(tag))
        if tag in allowed or of_level == level:
            continue
        name = label(key.path[0])
        if of_level > level:
            notes.append(f"{name} belongs to {of_level.name} level: below {level.name} level the peer may ignore it")
        elif not relational:
            raise KeyTextError(f"{name} belongs to {of_level.name} level, which is above {level.name}: {way_out}")
    return notes


def _texts(data_set: DataSet) -> Iterator[str]:
    for element in data_set.values():
        for value in element.values:
            if isinstance(value, str):
                yield value
            elif element.vr == "SQ":
                yield from _texts(value)
