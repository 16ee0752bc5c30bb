"""The numbers of A-ABORT in words (PS3.8 9.3.8)."""

from dicomquest.pdu.reasons import ABORT_WORDS, AbortReason


def test_each_abort_reason_has_its_words() -> None:
    assert set(ABORT_WORDS) == set(AbortReason)
