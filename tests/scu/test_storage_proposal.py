"""The presentation contexts of a C-GET: at most 128, with every class in it."""

from __future__ import annotations

import pytest

from dicomquest.scu.storage_proposal import (
    COMMON_CLASSES,
    MOST_CONTEXTS,
    UNCOMPRESSED,
    USUAL_SYNTAXES,
    storage_pairs,
)
from dicomquest.services.storage_classes import stored_sop_classes, stored_transfer_syntaxes

CT = "1.2.840.10008.5.1.4.1.1.2"


def test_each_syntax_has_a_context_of_its_own() -> None:
    assert storage_pairs([CT]) == [
        (CT, UNCOMPRESSED), *((CT, (syntax,)) for syntax in USUAL_SYNTAXES)
    ]  # fmt: skip


@pytest.mark.requirement("RT-062")
@pytest.mark.parametrize("count", [0, 1, 7, 30, 64, 127, 150])
def test_contexts_find_room_on_an_association(count: int) -> None:
    pairs = storage_pairs(stored_sop_classes()[:count])
    assert len(pairs) <= MOST_CONTEXTS
    plain = {uid for uid, syntaxes in pairs if syntaxes == UNCOMPRESSED}
    assert len(plain) == min(count or len(COMMON_CLASSES), MOST_CONTEXTS)


def test_unknown_classes_are_the_common_ones() -> None:
    assert {uid for uid, _ in storage_pairs([])} == set(COMMON_CLASSES)
    assert set(COMMON_CLASSES) <= set(map(str, stored_sop_classes()))
    assert len(set(COMMON_CLASSES)) == len(COMMON_CLASSES)


def test_syntaxes_are_known_transfer_syntaxes() -> None:
    assert set(USUAL_SYNTAXES) <= set(map(str, stored_transfer_syntaxes()))
