"""Presentation contexts as scripts build them."""

from __future__ import annotations

import pytest

from dicomquest import build_context
from fixtures.faces import VERIFICATION


@pytest.mark.parametrize("uid", ["", "PatientRoot", "1.2.", "1." * 40 + "1"])
def test_abstract_syntax_must_be_a_uid(uid: str) -> None:
    with pytest.raises(ValueError, match="no UID"):
        build_context(uid)


def test_context_needs_a_transfer_syntax() -> None:
    with pytest.raises(ValueError, match="at least one"):
        build_context(VERIFICATION, [])
