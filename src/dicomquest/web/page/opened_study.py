"""An opened study: its facts, its series, and the instances of one of them (PS3.4 C.6.2)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from pydicom.uid import UID

from dicomquest.dataset.elements import DataSet
from dicomquest.query.model import Page
from dicomquest.services.retrieve_source import StudyOfPatient
from dicomquest.standard.levels import Level
from dicomquest.web.box.box_tokens import quoted
from dicomquest.web.page.bounded_search import BoundedSearch
from dicomquest.web.page.chosen_instances import address_of, chosen_instances, with_paths
from dicomquest.web.page.shown_values import shown_size
from dicomquest.web.page.study_list import Asker, entity_query
from dicomquest.web.page.study_rows import (
    INSTANCE_KEYS,
    SERIES_KEYS,
    STUDY_KEYS,
    SeriesRow,
    StudyRow,
    instance_row,
    series_row,
    value,
)

MOST_SERIES = 2_000
INSTANCES_A_PAGE = 100
MOST_SIZED = 2_000
"""Instances of which the files are looked at for their size: some milliseconds."""


@dataclass(frozen=True, slots=True)
class OpenedStudy:
    """A study with its series; ``of_patient`` counts all studies of its patient ID.

    ``has_files`` is False if none of its files is there, of which there could be a picture.
    """

    row: StudyRow
    series: tuple[SeriesRow, ...]
    of_patient: str = ""
    of_patient_text: str = ""
    size: str = ""
    header: str = ""
    has_files: bool = True
    shortfalls: tuple[str, ...] = ()

    @property
    def study(self) -> StudyOfPatient:
        """The study and its patient, for the audit trail."""
        return StudyOfPatient(self.row.uid, self.row.raw_id, self.row.name.raw)


def open_study(
    search: BoundedSearch,
    asker: Asker,
    uid: str,
    opened_series: str = "",
    offset: int = 0,
) -> OpenedStudy | None:
    """Return a study with its series, and instances of one; None if the asker sees none."""
    wanted = entity_query(Level.STUDY, asker, STUDY_KEYS, StudyInstanceUID=uid)
    found = search.matches(wanted, 1)
    if not found:
        return None
    row = replace(asker.row(found[0]), holders=search.holders_of(wanted))
    asked = entity_query(Level.SERIES, asker, SERIES_KEYS, StudyInstanceUID=uid)
    series = [series_row(match) for match in search.matches(asked, MOST_SERIES)]
    if opened_series:
        if all(each.uid != opened_series for each in series):
            return None
        series = [
            _with_instances(search, asker, uid, each, offset) if each.uid == opened_series else each
            for each in series
        ]
    of_patient, text = _of_patient(search, asker, found[0])
    size, header = _files(search, asker, row, series)
    has_files = bool(header) or row.images > MOST_SIZED
    short = tuple(search.shortfalls)
    return OpenedStudy(row, tuple(series), of_patient, text, size, header, has_files, short)


def _files(
    search: BoundedSearch, asker: Asker, row: StudyRow, series: Sequence[SeriesRow]
) -> tuple[str, str]:
    """Return the size of all files in words, and the address of the first header."""
    if search.is_federated:
        # Files of other archives are fetched for those who ask for them.
        named = {"SeriesInstanceUID": series[0].uid} if series else {}
        first = chosen_instances(search, asker, [row.uid], **named)[:1]
        return "", "".join(f"{address_of(each)}/header" for each in first)
    if row.images > MOST_SIZED:
        return "", ""
    total = 0
    header = ""
    for instance, paths in with_paths(search, chosen_instances(search, asker, [row.uid])):
        header = header or f"{address_of(instance)}/header"
        for path in paths[:1]:
            with suppress(OSError):
                total += os.stat(path).st_size  # noqa: PTH116  a path of any bytes will do
    return shown_size(total) if total else "", header if total else ""


def _with_instances(
    search: BoundedSearch, asker: Asker, study: str, series: SeriesRow, offset: int
) -> SeriesRow:
    asked = entity_query(
        Level.IMAGE, asker, INSTANCE_KEYS, StudyInstanceUID=study, SeriesInstanceUID=series.uid
    )
    asked = replace(asked, page=Page(INSTANCES_A_PAGE + 1, offset))
    found = search.matches(asked, INSTANCES_A_PAGE + 1)
    rows = tuple(instance_row(match, _class_name(match)) for match in found[:INSTANCES_A_PAGE])
    words = f"{offset + 1:,} to {offset + len(rows):,} of {series.images:,}" if rows else ""
    href = ""
    if len(found) > INSTANCES_A_PAGE:
        href = f"/studies/{study}/series/{series.uid}?from={offset + INSTANCES_A_PAGE}"
    return replace(series, instances=rows, shown_words=words, next_href=href)


def _class_name(match: DataSet) -> str:
    name = UID(value(match, "SOPClassUID")).name
    return name.removesuffix(" Storage")


def _of_patient(search: BoundedSearch, asker: Asker, match: DataSet) -> tuple[str, str]:
    patient_id = value(match, "PatientID")
    if not patient_id or set(patient_id) & set('*?\\"'):
        return "", ""
    query = entity_query(Level.STUDY, asker, ("StudyInstanceUID",), PatientID=patient_id)
    found = search.overview.count(query, most=1000)
    return f"{found.studies:,}{'' if found.is_exact else '+'}", f"id:{quoted(patient_id)}"
