"""Caches keep small arguments only, whatever a peer sends."""

from __future__ import annotations

from dicomquest.dataset.charset import charset_of
from dicomquest.dataset.dictionary import private_vr
from dicomquest.dataset.names import fold_name
from dicomquest.dataset.remembering import LONGEST_REMEMBERED, is_short, remembered


def test_small_arguments_are_remembered() -> None:
    calls: list[str] = []

    @remembered(2, is_short)
    def size(text: str) -> int:
        calls.append(text)
        return len(text)

    long = "x" * (LONGEST_REMEMBERED + 1)
    assert [size("a"), size("a"), size(long), size(long)] == [1, 1, len(long), len(long)]
    assert calls == ["a", long, long]


def test_long_texts_are_right_without_a_cache() -> None:
    long = "Ä" * 1000
    assert fold_name(long) == "a" * 1000
    assert private_vr(0x00091001, "x" * 1000) is None
    assert charset_of(("x" * 1000,)).unknown == ("x" * 1000,)
