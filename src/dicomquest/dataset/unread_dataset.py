"""A pydicom Dataset whose elements are made when somebody looks at them (PS3.5 7.1).

Who counts matches, or wants one value of each, does not pay for all elements of all of them. An
``UnreadDataset`` keeps the parts of its data set. Its first use of any kind makes it a Dataset like
any other, by class and content.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

Elements: TypeAlias = dict[BaseTag, DataElement | RawDataElement]

# The attributes of an empty Dataset: values that all may share, and containers of its own.
_SHARED = {name: each for name, each in vars(Dataset()).items() if not isinstance(each, dict)}
_OWN = [(name, each.copy) for name, each in vars(Dataset()).items() if name not in _SHARED]

_UNREAD = "_unread"
_attributes = object.__getattribute__
_set = object.__setattr__


def dataset_of(elements: Elements) -> Dataset:
    """Return ``Dataset(elements)``, whose constructor takes as long as all the rest."""
    made = Dataset.__new__(Dataset)
    _fill(made.__dict__, elements)
    return made


def _fill(attributes: dict[str, Any], elements: Elements) -> None:
    attributes.update(_SHARED)
    for name, copy in _OWN:
        attributes[name] = copy()
    attributes["_dict"] = elements


class UnreadDataset(Dataset):
    """A Dataset until its first use."""

    def __getattribute__(self, name: str) -> Any:
        # All uses come here: operators, ``copy``, ``pickle`` and ``vars`` ask for an attribute
        # before they do anything, and pydicom's methods for ``_dict``.
        return getattr(_read(self), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(_read(self), name, value)


def unread(make: Callable[[Any, bytes], Elements], parts: Any) -> Dataset:
    """Return the Dataset of ``make(parts, b"")``, which is called at its first use."""
    made = Dataset.__new__(UnreadDataset)
    _set(made, _UNREAD, (make, parts))
    return made


def _read(dataset: UnreadDataset) -> Dataset:
    """Make it a Dataset; threads that use it for the first time together get the same elements."""
    attributes: dict[str, Any] = _attributes(dataset, "__dict__")
    if (kept := attributes.get(_UNREAD)) is not None:
        make, parts = kept
        blank: dict[str, Any] = {}
        _fill(blank, make(parts, b""))
        # The elements first: with them, other threads find all.
        for name, value in blank.items():
            attributes.setdefault(name, value)
        _set(dataset, "__class__", Dataset)
        attributes.pop(_UNREAD, None)
    return dataset
