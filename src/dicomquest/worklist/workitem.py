"""One Unified Procedure Step, made of a data set (PS3.4 CC.2.5, PS3.3 B.26)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dicomquest.dataset.charset import UTF_8
from dicomquest.dataset.elements import Element
from dicomquest.dataset.encoder import encode
from dicomquest.errors import DataSetError, ValueFormatError
from dicomquest.index.tables.rows import stored_text
from dicomquest.index.tables.step_tables import WORKITEM_COLUMNS
from dicomquest.query.search_forms import is_empty, own_zone, search_form
from dicomquest.standard.attributes import attribute_name
from dicomquest.standard.tags import SOP_CLASS_UID, SOP_INSTANCE_UID
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from dicomquest.standard.workitem_keys import (
    NEEDED,
    PROCEDURE_STEP_STATE,
    SCHEDULED_START,
    TRANSACTION_UID,
    UPS_PUSH,
    WORKITEM_KEYS,
    StepState,
)
from dicomquest.worklist.entry import (
    LONGEST_COLUMN,
    WorklistEntryError,
    json_of,
    kept_elements,
)

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet

_KEYS = {key.keyword: key for key in WORKITEM_KEYS}
_STATES = frozenset(state.value for state in StepState)


@dataclass(frozen=True, slots=True)
class Workitem:
    """One step as the table holds it: its UID, the search forms of its columns, its JSON."""

    uid: str
    columns: tuple[str | None, ...]
    attributes: str


def is_workitem(data_set: DataSet) -> bool:
    """Tell whether a data set is a Unified Procedure Step, and no entry of a worklist."""
    sop_class = data_set.get(SOP_CLASS_UID)
    if sop_class is not None and sop_class.values:
        return str(sop_class.values[0]) == UPS_PUSH
    return PROCEDURE_STEP_STATE in data_set


def workitem_of(data_set: DataSet, zone_minutes: int = 0, *, may_lack: bool = False) -> Workitem:
    """Return the step of a data set; WorklistEntryError if it is not fit.

    ``zone_minutes`` is the zone of date-times without an offset. ``may_lack`` takes steps without
    attributes of type 1, which responses then have empty.
    """
    kept = dict(kept_elements(data_set))
    kept.pop(TRANSACTION_UID, None)
    kept[SOP_CLASS_UID] = Element("UI", (UPS_PUSH,))
    kept = dict(sorted(kept.items()))
    _check(kept, may_lack=may_lack)
    try:
        # A step that no response can hold would spoil the whole list.
        encode(kept, EXPLICIT_VR_LITTLE_ENDIAN, UTF_8)
    except (DataSetError, ValueFormatError) as error:
        raise WorklistEntryError(f"a value cannot be sent: {error}") from error
    zone = own_zone(kept, zone_minutes)
    columns = [form for keyword in WORKITEM_COLUMNS for form in _forms(kept, keyword, zone)]
    return Workitem(
        stored_text(str(kept[SOP_INSTANCE_UID].values[0])), tuple(columns), json_of(kept)
    )


def _check(kept: DataSet, *, may_lack: bool) -> None:
    """Raise WorklistEntryError for a step without what it needs."""
    for key in NEEDED:
        if is_empty(kept.get(key.tag)) and (not may_lack or key.tag == SOP_INSTANCE_UID):
            remedy = "" if key.tag == SOP_INSTANCE_UID else ", or take it with --incomplete"
            raise WorklistEntryError(
                f"{attribute_name(key.tag)} has no value, and PS3.4 Table CC.2.5-3 wants one: add "
                f"it{remedy}"
            )
    state = kept.get(PROCEDURE_STEP_STATE)
    if state is not None and _STATES.isdisjoint(map(str, state.values)):
        raise WorklistEntryError(
            f"{attribute_name(PROCEDURE_STEP_STATE)} is {state.values[0]!r}: write "
            f"{', '.join(sorted(_STATES))}"
        )


def _forms(kept: DataSet, keyword: str, zone: int) -> tuple[str | None, ...]:
    """Return the search forms of the one value of an attribute."""
    key, names = _KEYS[keyword], WORKITEM_COLUMNS[keyword]
    element = kept.get(key.tag)
    if element is None or is_empty(element):
        return (None,) * len(names)
    values = [value for value in element.values if value]
    name = attribute_name(key.tag)
    if element.vr != key.vr or len(values) != 1:
        raise WorklistEntryError(
            f"{name} has {len(values)} values of VR {element.vr}: write one of VR {key.vr}"
        )
    if len(str(values[0])) > LONGEST_COLUMN:
        raise WorklistEntryError(f"{name} has more than {LONGEST_COLUMN} characters")
    form = search_form(key.vr, values[0], zone)
    if key.tag == SCHEDULED_START and form[0] is None:
        raise WorklistEntryError(f"{name} {values[0]!r} cannot be read: write it as 202601051430")
    return tuple(None if each is None else stored_text(each) for each in form)
