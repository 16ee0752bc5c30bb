"""The demographics of each study: the row of a patient that it shows (PS3.4 C.3.2, C.6.2).

Two persons may have the same Patient ID, mostly where its issuer is missing. So a study shows the
demographics that it received itself, the last ones. Only the patient's main row has the last ones
of all studies. ``schema.PATIENT_LINKS`` says how the rows of a patient hang together.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from dicomquest.index.ingest.merged_entity import variant_identity
from dicomquest.index.ingest.writes import COLUMNS
from dicomquest.index.tables.dialects import execute, rows, words_of
from dicomquest.index.tables.partitioned import PATIENT_KEY, is_partitioned
from dicomquest.index.tables.rows import Record, record_from_row
from dicomquest.index.tables.schema import LATEST, OWN
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from dicomquest.index.ingest.loaded import Loaded
    from dicomquest.index.ingest.merged_entity import Patient, Study
    from dicomquest.index.tables.dialects import Driven

LOGGER = logging.getLogger("dicomquest.index")


class _Wanted(NamedTuple):
    """A variant that studies are to show: those of the batch, and the ids of ``others``."""

    main: Patient
    record: Record
    demographics: int | None
    studies: Sequence[Study]
    others: Sequence[int] = ()


def settle(
    connection: Driven, loaded: Loaded, studies: Collection[Study], gone: Collection[int]
) -> set[int]:
    """Find the row that each study of a batch shows, and keep what all other studies show.

    ``studies`` are those of the batch that stay, ``gone`` the ids of studies that do not. The ids
    of rows that other studies show from now on are returned.
    """
    of_main: dict[int, list[Study]] = defaultdict(list)
    for study in studies:
        of_main[study.main.id].append(study)
    mains = [each for each in loaded.rows.values() if each.last is not None]
    agreeing = {
        main.id
        for main in mains
        if all(study.own.record == main.record for study in of_main[main.id])
    }
    doubtful = {
        main.id
        for main in mains
        if not (main.is_new or main.demographics == LATEST)
        and (main.demographics is None or main.record != main.was or main.id not in agreeing)
    }
    others = _others(connection, doubtful, {study.id for study in studies} | {*gone})
    wanted: list[_Wanted] = []
    for main in mains:
        if main.demographics != LATEST and main.id in agreeing and not others[main.id]:
            main.demographics = OWN
            for study in of_main[main.id]:
                study.parent = main.id
            continue
        main.demographics = LATEST
        wanted += [_Wanted(main, study.own.record, OWN, [study]) for study in of_main[main.id]]
        if others[main.id]:
            wanted.append(_Wanted(main, main.was, main.were, (), others[main.id]))
    return _show(connection, loaded, wanted) if wanted else set()


def _others(connection: Driven, mains: set[int], but: Collection[int]) -> Mapping[int, list[int]]:
    """Return the other studies that show a main row, by the row's id."""
    found: dict[int, list[int]] = defaultdict(list)
    if mains:
        statement = "SELECT id, parent FROM study WHERE parent {in_values}"
        for study, parent in rows(connection, statement, mains):
            if study not in but:
                found[parent].append(study)
    return found


def _show(connection: Driven, loaded: Loaded, wanted: Sequence[_Wanted]) -> set[int]:
    """Let studies show variants; make those that are not there."""
    keys = [variant_identity(each.main.key, each.record, each.demographics) for each in wanted]
    if missing := {*keys} - loaded.patients.keys():
        loaded.load_patients(missing)
    shown_by_others = set()
    differing: dict[int, set[str]] = defaultdict(set)
    for key, each in zip(keys, wanted, strict=True):
        variant = loaded.patients.get(key)
        if variant is None:
            variant = loaded.new_patient(key, each.main.id)
            variant.record = each.record
            variant.demographics = each.demographics
            differing[each.main.id] |= _differing(each)
        for study in each.studies:
            study.parent = variant.id
        if each.others:
            shown_by_others.add(variant.id)
            words = words_of(connection)
            statement = f"UPDATE study SET parent = ? WHERE id {words.in_values}"
            execute(connection, statement, (variant.id, words.as_list(each.others)))
    for main, columns in differing.items():
        if columns:
            names = ", ".join(sorted(columns))
            LOGGER.info("patient %d: studies disagree on %s: each shows its own", main, names)
    return shown_by_others


def _differing(wanted: _Wanted) -> set[str]:
    """Return the columns of a new variant that contradict what other studies say."""
    return {
        column
        for known in (wanted.main.was, wanted.main.record)
        for column, text in wanted.record.texts.items()
        if known.texts.get(column, text) != text
    }


def keep_supported(connection: Driven, mains: Iterable[Patient]) -> None:
    """Drop what no study says any more from main rows that lost a study.

    Of such an attribute the newest study that has it counts, as nobody knows the order in which
    the others received it.
    """
    names = COLUMNS[Level.PATIENT]
    # All of the primary key, as the other columns depend on that.
    key = f", patient.{PATIENT_KEY}" if is_partitioned(connection) else ""
    statement = (
        f"SELECT {', '.join(f'patient.{name}' for name in names)} "
        "FROM patient JOIN study ON study.parent = patient.id WHERE patient.variant_of = ? "
        f"GROUP BY patient.id{key} ORDER BY max(study.id) DESC"
    )
    for main in mains:
        if main.demographics == LATEST:
            found = [
                record_from_row(Level.PATIENT, dict(zip(names, row, strict=True)))
                for row in execute(connection, statement, (main.id,))
            ]
            main.record = Record(
                *(
                    _supported(part, [record[at] for record in found])
                    for at, part in enumerate(main.record)
                )
            )


def _supported(
    latest: Mapping[str, str], newest_first: Iterable[Mapping[str, str]]
) -> dict[str, str]:
    supported: dict[str, str] = {}
    for each in newest_first:
        for name, value in each.items():
            if name in latest:
                supported.setdefault(name, value)
                if value == latest[name]:
                    supported[name] = value
    return supported
