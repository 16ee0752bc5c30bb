"""Keys of an identifier by their paths."""

from __future__ import annotations

from dicomquest.dataset.elements import Element
from dicomquest.query.identifier.key_paths import element_at, leaf_paths, with_element
from fixtures.worklists import request

STEPS, MODALITY, NAME = 0x00400100, 0x00080060, 0x00100010


def test_keys_of_the_item_have_paths() -> None:
    identifier = request({"PatientName": "DOE"}, Modality="CT")
    assert (STEPS, MODALITY) in set(leaf_paths(identifier, is_deep=True))
    assert (STEPS,) in set(leaf_paths(identifier, is_deep=False))
    assert element_at(identifier, (STEPS, MODALITY)).values == ("CT",)


def test_another_element_takes_the_place() -> None:
    identifier = request({"PatientName": "DOE"}, Modality="CT")
    changed = with_element(identifier, (STEPS, MODALITY), Element("CS", ("MR",)))
    assert element_at(changed, (STEPS, MODALITY)).values == ("MR",)
    assert element_at(identifier, (STEPS, MODALITY)).values == ("CT",)
    assert list(with_element(changed, (0x00080050,), Element("SH", ()))) == sorted(
        [*changed, 0x00080050]
    )
