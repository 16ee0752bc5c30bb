"""The models of objects without a patient beside the dictionaries of attributes and UIDs."""

from __future__ import annotations

from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.uid import UID

from dicomquest.standard.models import DEFINED_PROCEDURE_PROTOCOL, HANGING_PROTOCOL
from dicomquest.standard.object_keys import OBJECT_CLASSES, OBJECT_MODELS, OBJECT_MODELS_BY_UID


def test_rows_are_those_of_the_dictionary() -> None:
    for model in OBJECT_MODELS:
        for key in model.keys:
            assert (keyword_for_tag(key.tag), dictionary_VR(key.tag)) == (key.keyword, key.vr)


def test_sequences_of_items_are_keys_themselves() -> None:
    for model in OBJECT_MODELS:
        paths = {(*key.above, key.tag) for key in model.keys}
        assert len(paths) == len(model.keys)
        assert {key.above for key in model.keys if key.above} <= paths


def test_uids_are_those_of_the_dictionary() -> None:
    for model in (each.model for each in OBJECT_MODELS):
        assert UID(model.uid).name == model.name
        assert UID(model.move_uid).name == model.name.replace("FIND", "MOVE")
        assert UID(model.get_uid).name == model.name.replace("FIND", "GET")
    for uid, found in OBJECT_CLASSES.items():
        assert UID(uid).keyword.endswith("Storage")
        assert found.model.words.replace(" ", "") in UID(uid).keyword


def test_protocols_have_two_storage_classes() -> None:
    assert len(OBJECT_MODELS_BY_UID[DEFINED_PROCEDURE_PROTOCOL.uid].sop_classes) == 2


def test_descriptions_are_returned_only() -> None:
    unmatched = OBJECT_MODELS_BY_UID[HANGING_PROTOCOL.uid].never_matched
    assert 0x00720004 in unmatched
    assert 0x00720002 not in unmatched
