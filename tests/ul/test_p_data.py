"""The P-DATA that an association may carry (PS3.8 9.3.5)."""

from __future__ import annotations

import pytest

from dicomquest.errors import LocalProtocolError, RemoteProtocolError
from dicomquest.pdu.pdus import COMMAND, LAST, PresentationDataValue
from dicomquest.ul.p_data import check_received, check_sent

PDV = PresentationDataValue(1, COMMAND | LAST, b"ab")


@pytest.mark.requirement("UL-045")
def test_pdvs_that_fit_may_be_sent() -> None:
    check_sent([PDV, PresentationDataValue(3, 0, b"abcd")], {1, 3}, 18)
    check_sent([PDV] * 1000, {1}, 0)


@pytest.mark.requirement("UL-045")
@pytest.mark.parametrize(
    ("pdvs", "words"),
    [
        ([PresentationDataValue(5, LAST, b"ab")], "context 5 was not accepted"),
        ([PresentationDataValue(1, 0x04, b"ab")], "control header 04H"),
        ([PresentationDataValue(1, LAST, b"")], "fragment of 0 bytes"),
        ([PresentationDataValue(1, LAST, b"abc")], "fragment of 3 bytes"),
        ([], "without a PDV"),
        ([PDV, PDV], "of 16 bytes: the peer receives at most 15"),
    ],
)
def test_other_pdvs_are_refused(pdvs: list[PresentationDataValue], words: str) -> None:
    with pytest.raises(LocalProtocolError, match=words):
        check_sent(pdvs, {1}, 15)


@pytest.mark.requirement("UL-045")
def test_received_context_must_be_accepted() -> None:
    check_received([PDV, PDV], {1})
    with pytest.raises(RemoteProtocolError, match="context 1, which was not accepted") as raised:
        check_received([PDV], {3})
    assert raised.value.reason == 6
