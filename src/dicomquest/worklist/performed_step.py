"""One performed procedure step, as N-CREATE makes it and N-SET changes it (PS3.4 F.7.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.errors import LONGEST_COMMENT, DicomquestError
from dicomquest.index.tables.rows import stored_text
from dicomquest.query.search_forms import is_empty, search_form
from dicomquest.standard import statuses
from dicomquest.standard.attributes import attribute_name
from dicomquest.standard.step_attributes import (
    DATES_AND_TIMES,
    NEEDED,
    NEEDED_AT_END,
    NEVER_SET,
    SCHEDULED_STEP_ATTRIBUTES,
    STATUS,
    StepStatus,
)
from dicomquest.standard.tags import SPECIFIC_CHARACTER_SET
from dicomquest.worklist.entry import LONGEST_COLUMN, kept_elements

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

STUDY_INSTANCE_UID = 0x0020000D
ACCESSION_NUMBER = 0x00080050
SCHEDULED_PROCEDURE_STEP_ID = 0x00400009

_ROOM_FOR_NAMES = LONGEST_COMMENT - len("no value of ")

MAY_NOT_BE_UPDATED = 0xA710
"""The Error ID of an N-SET that comes after the end of its step (PS3.4 Table F.7.2-2)."""


class StepError(DicomquestError):
    """A request about a step that fails: its status, and the elements that explain it."""

    def __init__(
        self,
        status: int,
        comment: str = "",
        attributes: tuple[int, ...] = (),
        error_id: int | None = None,
    ) -> None:
        super().__init__(comment)
        self.status = status
        self.comment = comment
        self.attributes = attributes
        self.error_id = error_id


class Reference(NamedTuple):
    """A scheduled step that is performed, by the numbers of its order; None is no number."""

    study_instance_uid: str
    accession_number: str | None = None
    step_id: str | None = None

    def means(self, study: str | None, accession: str | None, step: str | None) -> bool:
        """Tell whether it means the entry with these numbers.

        Without the ID of a step it means all steps of its study. An entry without a study is known
        by its Accession Number.
        """
        if self.step_id is not None and self.step_id != step:
            return False
        if study is None:
            return accession is not None and accession == self.accession_number
        return study == self.study_instance_uid


@dataclass(frozen=True, slots=True)
class PerformedStep:
    """A step with its attributes, those of N-CREATE and all that N-SET changed since."""

    status: StepStatus
    attributes: DataSet

    @property
    def references(self) -> tuple[Reference, ...]:
        """The scheduled steps that it performs."""
        items = self.attributes[SCHEDULED_STEP_ATTRIBUTES].values
        return tuple(dict.fromkeys(map(_reference, items)))


def new_step(data_set: DataSet) -> PerformedStep:
    """Return the step of an N-CREATE; StepError if the Standard does not allow it."""
    _check_needed(data_set, NEEDED)
    kept = _checked(data_set)
    status = _status(kept)
    if status is not StepStatus.IN_PROGRESS:
        raise StepError(
            statuses.INVALID_ATTRIBUTE_VALUE,
            f"a new step is IN PROGRESS, not {status.value}",
            (STATUS,),
        )
    if any(is_empty(item.get(STUDY_INSTANCE_UID)) for item in _items(kept)):
        raise StepError(
            statuses.MISSING_ATTRIBUTE_VALUE,
            "an item without Study Instance UID",
            (SCHEDULED_STEP_ATTRIBUTES,),
        )
    return PerformedStep(status, kept)


def changed_step(step: PerformedStep, changes: DataSet) -> tuple[PerformedStep, tuple[int, ...]]:
    """Return a step after an N-SET, and the attributes that it may not change.

    StepError if the step is over, or the Standard does not allow its new values.
    """
    if step.status.is_final:
        raise StepError(
            statuses.PROCESSING_FAILURE,
            "Performed Procedure Step Object may no longer be updated",
            error_id=MAY_NOT_BE_UPDATED,
        )
    kept = _checked(changes)
    refused = tuple(
        tag for tag in kept if tag in NEVER_SET and kept[tag] != step.attributes.get(tag)
    )
    emptied = changes.keys() - kept.keys() - NEVER_SET
    attributes = {
        **{tag: element for tag, element in step.attributes.items() if tag not in emptied},
        **{tag: element for tag, element in kept.items() if tag not in NEVER_SET},
    }
    status = _status(attributes)
    if status.is_final:
        _check_needed(attributes, NEEDED_AT_END)
    return PerformedStep(status, dict(sorted(attributes.items()))), refused


def _check_needed(data_set: DataSet, needed: Iterable[int]) -> None:
    """Raise StepError for attributes that are missing, or that have no value."""
    if missing := tuple(tag for tag in needed if tag not in data_set):
        raise StepError(statuses.MISSING_ATTRIBUTE, f"no {_names(missing)}", missing)
    if empty := tuple(tag for tag in needed if is_empty(data_set[tag])):
        raise StepError(statuses.MISSING_ATTRIBUTE_VALUE, f"no value of {_names(empty)}", empty)


def _names(tags: Sequence[int]) -> str:
    """Name attributes as far as an Error Comment has room; the Attribute List has them all."""
    names = list(map(attribute_name, tags))
    for count in range(len(names), 0, -1):
        rest = len(names) - count
        words = ", ".join(names[:count]) + (f" and {rest} more" if rest else "")
        if len(words) <= _ROOM_FOR_NAMES:
            break
    return words


def _checked(data_set: DataSet) -> DataSet:
    """Return the attributes that have values; StepError for one that cannot be."""
    kept = dict(kept_elements(data_set))
    kept.pop(SPECIFIC_CHARACTER_SET, None)
    for tag, vr in (NEEDED | NEEDED_AT_END).items():
        element = kept.get(tag)
        if element is not None and element.vr != vr:
            raise _invalid(tag)
    for tag, vr in DATES_AND_TIMES.items():
        element = kept.get(tag)
        if element is not None and search_form(vr, str(element.values[0]), 0)[0] is None:
            raise _invalid(tag)
    return kept


def _invalid(tag: int) -> StepError:
    name = attribute_name(tag)
    return StepError(statuses.INVALID_ATTRIBUTE_VALUE, f"{name} cannot be read", (tag,))


def _status(attributes: DataSet) -> StepStatus:
    element = attributes.get(STATUS)
    try:
        return StepStatus("" if element is None else "\\".join(map(str, element.values)))
    except ValueError:
        raise StepError(
            statuses.INVALID_ATTRIBUTE_VALUE,
            f"status is none of {', '.join(each.value for each in StepStatus)}",
            (STATUS,),
        ) from None


def _items(attributes: DataSet) -> tuple[DataSet, ...]:
    items: tuple[DataSet, ...] = attributes[SCHEDULED_STEP_ATTRIBUTES].values
    return items


def _reference(item: DataSet) -> Reference:
    study, accession, step = (
        _number(item.get(tag))
        for tag in (STUDY_INSTANCE_UID, ACCESSION_NUMBER, SCHEDULED_PROCEDURE_STEP_ID)
    )
    return Reference(study or "", accession, step)


def _number(element: Element | None) -> str | None:
    """Return a number as the columns of entries have it."""
    if element is None or is_empty(element):
        return None
    return stored_text(str(element.values[0]))[:LONGEST_COLUMN]
