"""Identifiers of C-GET and C-MOVE for objects: one key, and what is refused beside it."""

from __future__ import annotations

import pytest

from dicomquest.errors import IdentifierError
from dicomquest.query.identifier.object_retrieve_identifier import parse_object_retrieve
from dicomquest.query.options import QueryOptions
from dicomquest.standard.models import HANGING_PROTOCOL
from dicomquest.standard.object_keys import OBJECT_MODELS_BY_UID
from fixtures.building import data_set

CLASS = OBJECT_MODELS_BY_UID[HANGING_PROTOCOL.uid].sop_classes[0]


def _parsed(keys: dict[str, str], *, strict: bool = False) -> list[int]:
    """The tags that the read identifier selects by."""
    model, options = HANGING_PROTOCOL.get_uid, QueryOptions(strict=strict)
    found = parse_object_retrieve(data_set(**keys), model, options)
    return [key.tag for key in found.query.criteria]


def test_what_a_find_returned_may_be_sent_back() -> None:
    asked = {"SOPClassUID": CLASS, "HangingProtocolName": "", "QueryRetrieveLevel": "IMAGE"}
    assert _parsed({"SOPInstanceUID": "1.2", **asked}) == [0x00080018]
    with pytest.raises(IdentifierError, match="no key of this retrieve"):
        _parsed({"SOPInstanceUID": "1.2", **asked}, strict=True)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"SOPInstanceUID": "1.2", "HangingProtocolName": "X"}, "no key of this retrieve"),
        ({"SOPInstanceUID": "1.2", "SOPClassUID": "1.2.3"}, "no key of this retrieve"),
        ({"SOPInstanceUID": "1.*"}, "a wild card"),
        ({"HangingProtocolName": ""}, "the only key: no value"),
    ],
)
def test_key_that_would_be_ignored_is_refused(keys: dict[str, str], words: str) -> None:
    with pytest.raises(IdentifierError, match=words):
        _parsed(keys)
