"""The instances of studies that a caller may see, with their files (PS3.4 C.4.2.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from dicomquest.dataset.elements import DataSet
from dicomquest.errors import StoredInstanceError
from dicomquest.services.retrieve_source import StudyOfPatient
from dicomquest.standard.levels import Level
from dicomquest.store.stored_instance import StoredInstance
from dicomquest.web.page.bounded_search import BoundedSearch
from dicomquest.web.page.study_list import Asker, entity_query
from dicomquest.web.page.study_rows import value

MOST_INSTANCES = 200_000
"""Instances of one download: their UIDs stay in memory, some 200 bytes each."""

_KEYS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
_ROWS = 512
_UNFIT = re.compile(r"[^0-9A-Za-z.]|^\.+")
_UNKNOWN = StudyOfPatient()


@dataclass(frozen=True, slots=True)
class ChosenInstance:
    """An instance by its UIDs; ``belongs_to`` is known once its files are."""

    study: str
    series: str
    uid: str
    belongs_to: StudyOfPatient = _UNKNOWN

    @property
    def path(self) -> str:
        """The path of its file in a download: UIDs alone, which name nobody."""
        # Another archive's UID may be none, and one with a path in it would leave the folder.
        uids = self.study, self.series, self.uid
        study, series, uid = (_UNFIT.sub("_", each) for each in uids)
        return f"{study}/{series}/{uid}.dcm"


def address_of(instance: ChosenInstance) -> str:
    """Return the path of an instance's pages."""
    uids = instance.study, instance.series, instance.uid
    study, series, uid = (quote(each, safe="") for each in uids)
    return f"/studies/{study}/series/{series}/instances/{uid}"


def chosen_instances(
    search: BoundedSearch, asker: Asker, studies: Sequence[str], **keys: str
) -> list[ChosenInstance]:
    """Return the instances of studies, series by series; blocking."""
    found: list[ChosenInstance] = []
    for study in studies:
        query = entity_query(Level.IMAGE, asker, _KEYS, StudyInstanceUID=study, **keys)
        query = replace(query, page=None, in_order=True)
        for matches in search.batches(query):
            found += [ChosenInstance(*_uids(match)) for match in matches]
            if len(found) > MOST_INSTANCES:
                return found
    return found


def _uids(match: DataSet) -> tuple[str, str, str]:
    study, series, uid = (value(match, key) for key in _KEYS)
    return study, series, uid


def with_paths(
    search: BoundedSearch, instances: Sequence[ChosenInstance]
) -> Iterator[tuple[ChosenInstance, tuple[str, ...]]]:
    """Return instances with the paths of their files, looked up some hundred at a time.

    A file of another archive is there until the next is asked for.
    """
    if search.is_federated:
        located = search.located([(each.study, each.series, each.uid) for each in instances])
        for each, (belongs_to, paths) in zip(instances, located, strict=True):
            yield replace(each, belongs_to=belongs_to), paths
        return
    for at in range(0, len(instances), _ROWS):
        some = instances[at : at + _ROWS]
        files = search.index.files([each.uid for each in some])
        for each in some:
            file = files.get(each.uid)
            if file is None:
                yield replace(each, belongs_to=StudyOfPatient(each.study)), ()
            else:
                yield replace(each, belongs_to=StudyOfPatient(*file[:3])), file.paths


def opened(instance: ChosenInstance, paths: Sequence[str]) -> StoredInstance:
    """Open the first file that still holds an instance; StoredInstanceError if none does."""
    failure = StoredInstanceError("the index knows no file of it")
    for path in paths:
        try:
            return StoredInstance.open(path, instance.uid)
        except StoredInstanceError as error:
            failure = error
    raise failure
