"""``dicomquest find --get``: the matches of a query, fetched (PS3.4 C.4.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dicomquest.cli.file_rights import PRIVATE, new_files_without
from dicomquest.cli.retrieving.get_portions import get_portions
from dicomquest.cli.retrieving.object_selection import with_class
from dicomquest.cli.retrieving.portions import CLASSES, COUNTS, portion_of
from dicomquest.cli.retrieving.retrieval import Retrieval, landing_in
from dicomquest.cli.settings.retrieve_settings import KeepingSettings, PaceSettings
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.standard.keys import KEYS_BY_KEYWORD, UNIQUE_KEYS
from dicomquest.standard.levels import Level
from dicomquest.standard.tags import QUERY_RETRIEVE_LEVEL

if TYPE_CHECKING:
    from dicomquest.cli.find_target import TargetSettings
    from dicomquest.cli.peer import PeerSettings
    from dicomquest.cli.retrieving.portions import Portion
    from dicomquest.standard.models import InformationModel


def asked_to_retrieve(identifier: DataSet, model: InformationModel) -> DataSet:
    """Return a request that asks also for number and SOP classes, which a retrieve needs."""
    level = _level(identifier)
    names = [table[level] for table in (COUNTS, CLASSES) if level in table]
    added = {KEYS_BY_KEYWORD[name].tag: KEYS_BY_KEYWORD[name] for name in names}
    if level is not model.top:
        added |= {UNIQUE_KEYS[level].tag: UNIQUE_KEYS[level]}
    elements = {tag: Element(key.vr, ()) for tag, key in added.items()}
    return dict(sorted({**elements, **identifier}.items()))


def fetch_matches(
    place: tuple[str, int, PeerSettings],
    model: InformationModel,
    identifier: DataSet,
    matches: Sequence[DataSet],
    target: TargetSettings,
) -> None:
    """Fetch the matches into the folder of --get; raise click's Exit unless all came."""
    level = _level(identifier)
    uppers = {
        each: (str(element.values[0]),)
        for each in model.levels
        if each < level
        and (element := identifier.get(UNIQUE_KEYS[each].tag)) is not None
        and len(element.values) == 1
    }
    found = [portion_of(match, level, uppers) for match in matches]
    portions = [portion for portion in found if portion is not None]
    _fetch(place, model, portions, target)


def fetch_objects(
    place: tuple[str, int, PeerSettings],
    model: InformationModel,
    matches: Sequence[DataSet],
    target: TargetSettings,
) -> None:
    """Fetch objects without a patient as ``fetch_matches`` does; they have one key (PS3.4 U.4)."""
    found = [portion_of(match, Level.IMAGE, {}) for match in matches]
    portions = [with_class(portion, model) for portion in found if portion is not None]
    _fetch(place, model, portions, target)


def _fetch(
    place: tuple[str, int, PeerSettings],
    model: InformationModel,
    portions: Sequence[Portion],
    target: TargetSettings,
) -> None:
    if not portions:
        return
    with (
        new_files_without(PRIVATE),
        landing_in(KeepingSettings(output=target.get), PRIVATE) as landing,
    ):
        get_portions(Retrieval(*place, model, PaceSettings(jobs=target.jobs), landing), portions)


def _level(identifier: DataSet) -> Level:
    return Level[str(identifier[QUERY_RETRIEVE_LEVEL].values[0])]
