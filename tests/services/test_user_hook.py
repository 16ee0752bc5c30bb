"""A function of the operator verifies users."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicomquest import UserIdentityNegotiation
from dicomquest.errors import AccessError
from dicomquest.services.admission import AccessRules
from dicomquest.services.user_hook import load_hook
from dicomquest.services.user_verification import UserVerification
from fixtures.admitting import IN, NOT_BELIEVED, admitting, associate, outcome

HOOK = """
number = 7

def verify(*, identity_type, primary, secondary, ae_title, address):
    is_known = (identity_type, primary, ae_title, address) == (3, b"ticket", "SCU", "127.0.0.1")
    return "ann" if is_known and secondary == b"" else None
"""


@pytest.fixture
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hook_of_a_test.py").write_text(HOOK, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("_module")
def test_hook_decides_about_every_type() -> None:
    hook = load_hook("hook_of_a_test:verify")
    with admitting(AccessRules(), UserVerification([hook], penalty=0)) as port:
        for ticket, expected in {b"ticket": IN, b"forged": NOT_BELIEVED}.items():
            asked = UserIdentityNegotiation(3, ticket)
            assert outcome(associate(port, user=asked)) == expected


@pytest.mark.usefixtures("_module")
@pytest.mark.parametrize(
    "path",
    [
        "hook_of_a_test",
        "hook_of_a_test:absent",
        "absent_module:verify",
        ":",
        "hook_of_a_test:number",
    ],
)
def test_hook_that_is_none_is_told(path: str) -> None:
    with pytest.raises(AccessError, match="the hook"):
        load_hook(path)
