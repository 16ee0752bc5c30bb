"""The lists of contexts are those of pynetdicom."""

from __future__ import annotations

import pynetdicom.sop_class
import pytest
from pydicom.uid import UID

from dicomquest.ae.context_lists import SERVICES, context_list, storage_sop_classes


@pytest.mark.parametrize("name", SERVICES)
def test_context_lists_are_those_of_services(name: str) -> None:
    """The lists of contexts are those of the services."""
    theirs = {context.abstract_syntax for context in getattr(pynetdicom, name)}
    assert {context.abstract_syntax for context in context_list(name)} == theirs


def test_storage_is_what_dictionary_calls_so() -> None:
    ours = set(storage_sop_classes())
    theirs = {
        UID(str(context.abstract_syntax)) for context in pynetdicom.AllStoragePresentationContexts
    }
    assert ours <= theirs
    # The others are missing in this version of pydicom's dictionary.
    assert {uid.keyword for uid in theirs - ours} == {""}
    assert len(context_list("StoragePresentationContexts")) == 120
