"""The request identifier of the keys of the command line (PS3.4 C.4.1.1.3.1, C.4.1.2.1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dicomquest.dataset.charset import (
    charset_of,
    choose,
    normalise_terms,
)
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.query.identifier.entry_models import EntryModel
from dicomquest.query.identifier.foreign_keys import foreign_to_archives
from dicomquest.query.identifier.key_arguments import (
    Key,
    KeyTextError,
    PathStep,
    build_identifier,
    label,
)
from dicomquest.query.identifier.request_rules import (
    OF_ALL_LEVELS,
    OF_NO_LEVEL,
    RequestError,
    check_request,
)
from dicomquest.query.options import QueryOptions
from dicomquest.standard.attributes import level_of
from dicomquest.standard.keys import KEYS_BY_KEYWORD, UNIQUE_KEYS
from dicomquest.standard.levels import Level
from dicomquest.standard.models import MODELS, REPOSITORY_QUERY, InformationModel
from dicomquest.standard.tags import (
    INSTANCE_AVAILABILITY,
    QUERY_RETRIEVE_LEVEL,
    SPECIFIC_CHARACTER_SET,
)

MODEL_NAMES = dict(
    zip(("patient", "study", "psonly", "repository"), (*MODELS, REPOSITORY_QUERY), strict=True)
)

# Attributes of a request that the user cannot give as a key, and the reason.
NOT_TO_GIVE = {
    SPECIFIC_CHARACTER_SET: "the command chooses the character set; --charset names another one",
    QUERY_RETRIEVE_LEVEL: "give the level by the option -L",
    INSTANCE_AVAILABILITY: "a request must not contain it (PS3.4 C.4.1.1.3.2); leave it out",
}

# The command asks for these where the user names no attribute to return.
USUAL_KEYS = {
    Level.PATIENT: (
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
        "NumberOfPatientRelatedStudies",
    ),
    Level.STUDY: (
        "StudyDate",
        "AccessionNumber",
        "ModalitiesInStudy",
        "StudyDescription",
        "StudyInstanceUID",
    ),
    Level.SERIES: (
        "Modality",
        "SeriesNumber",
        "SeriesDescription",
        "NumberOfSeriesRelatedInstances",
        "SeriesInstanceUID",
    ),
    Level.IMAGE: ("InstanceNumber", "SOPClassUID", "SOPInstanceUID"),
}


@dataclass(frozen=True, slots=True)
class Request:
    """A request to send: its identifier, the keys to show in order, and remarks for the user."""

    level: Level
    identifier: DataSet
    columns: tuple[Key, ...]
    notes: tuple[str, ...] = ()


def build_request(
    keys: Sequence[Key],
    model: InformationModel,
    level: Level,
    options: QueryOptions,
    *,
    as_is: bool = False,
    charset: str | None = None,
) -> Request:
    """Complete the keys and check them against the options on offer; KeyTextError if wrong."""
    if level not in model.levels:
        allowed = ", ".join(each.name for each in model.levels)
        raise KeyTextError(f"{model.words} has no level {level.name}; -L takes {allowed} there")
    for key in keys:
        if len(key.path) == 1 and key.path[0].tag in NOT_TO_GIVE:
            raise KeyTextError(f"{key.name}: {NOT_TO_GIVE[key.path[0].tag]}")
    columns = list(keys)
    if all(key.value for key in keys):
        columns += _absent(_usual_names(model, level), columns)
    columns += _absent((UNIQUE_KEYS[level].keyword,), columns)
    notes = [] if as_is else check(columns, model, level, options)
    identifier = build_identifier(columns)
    identifier[QUERY_RETRIEVE_LEVEL] = Element("CS", (level.name,))
    terms = character_set(identifier, charset)
    if terms:
        identifier[SPECIFIC_CHARACTER_SET] = Element("CS", terms)
    return Request(level, dict(sorted(identifier.items())), tuple(columns), tuple(notes))


def check_entry_keys(keys: Iterable[Key], row: EntryModel, *, as_is: bool = False) -> None:
    """Raise KeyTextError for an attribute that is no key of any model without levels."""
    for key in keys:
        if key.path[0].tag == QUERY_RETRIEVE_LEVEL:
            raise KeyTextError(f"{key.name}: {row.kind} has no levels; leave it out")
        if key.path[0].tag == SPECIFIC_CHARACTER_SET:
            raise KeyTextError(f"{key.name}: {NOT_TO_GIVE[SPECIFIC_CHARACTER_SET]}")
        if key.value.startswith("@") and len(key.value) > 1 and not as_is:
            raise KeyTextError(
                f"{key.name}={key.value}: a query of {row.kind} takes no file of values; ask for "
                "one value at a time"
            )


def character_set(identifier: DataSet, charset: str | None) -> tuple[str, ...]:
    """Return the character set of a request, that of --charset if it is given."""
    if charset is None:
        return choose(identifier)
    given = tuple(charset.split("\\"))
    if unknown := charset_of(given).unknown:
        raise KeyTextError(
            f"--charset: {' and '.join(map(repr, unknown))} is not a character set; "
            "write a defined term such as 'ISO_IR 100'"
        )
    terms = normalise_terms(given)
    chosen = choose(identifier, terms, terms)
    if chosen not in {(), terms}:
        raise KeyTextError(
            f"--charset {charset!r} lacks characters of the keys; 'ISO_IR 192' (UTF-8) has all"
        )
    return chosen


def _usual_names(model: InformationModel, level: Level) -> Iterator[str]:
    # Under Study Root the attributes of a patient are keys of the study (PS3.4 C.6.2.1.2).
    levels = [entity for entity in Level if model.query_level(entity) == level]
    return (
        name
        for entity in levels
        for name in USUAL_KEYS[entity]
        if entity == level or "NumberOf" not in name
    )


def _absent(names: Iterable[str], present: Sequence[Key]) -> list[Key]:
    paths = {key.path for key in present}
    absent = [Key(name, (PathStep(KEYS_BY_KEYWORD[name].tag),), "") for name in names]
    return [key for key in absent if key.path not in paths]


def check(
    keys: Sequence[Key], model: InformationModel, level: Level, options: QueryOptions
) -> list[str]:
    """Return remarks on the keys; KeyTextError if the options do not allow one."""
    try:
        check_request(build_identifier(keys), model, level, options)
    except RequestError as error:
        option = error.option.replace("_", "-") if error.option else ""
        offer = f"--offer {option} asks the peer to allow it, " if option else ""
        if option == "relational" and level > Level.STUDY:
            offer = f"--tree asks study by study, {offer}"
        raise KeyTextError(f"{error}; {offer}--as-is sends it all the same") from error
    notes = []
    for key in keys:
        tag = key.path[0].tag
        of_level = model.query_level(level_of(tag))
        if word := foreign_to_archives(tag):
            option = "-W" if word == "worklist" else f"-m {word}"
            may = "may find nothing" if key.value else "may come back empty"
            name = label(key.path[0])
            notes.append(f"{name} is hardly ever in an archive, so it {may}; {option} asks for it")
        elif tag not in OF_NO_LEVEL | OF_ALL_LEVELS and of_level > level:
            name = label(key.path[0])
            instead = ""
            if name == "Modality" and level is Level.STUDY:
                instead = (
                    f". ModalitiesInStudy{f'={key.value}' * bool(key.value)} is the study's key"
                )
            notes.append(
                f"{name} is an attribute of {of_level.name} level, below {level.name}: "
                f"the peer may ignore it{instead}"
            )
    return notes
