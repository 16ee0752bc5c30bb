"""The tables of defined terms (PS3.3 C.12.1.1.2)."""

from __future__ import annotations

import codecs

import pytest

from dicomquest.standard.character_sets import (
    ALONE,
    CODE_ELEMENTS,
    DEFAULT_TERM,
    JIS_X_0201,
    MISSPELT,
    SINGLE_SETS,
)


@pytest.mark.requirement("EN-021", "EN-022")
def test_every_set_has_a_codec() -> None:
    for codec in {row.codec for row in (*SINGLE_SETS, *CODE_ELEMENTS)} - {JIS_X_0201}:
        codecs.lookup(codec)


@pytest.mark.requirement("EN-022")
def test_escapes_differ_and_none_begins_another() -> None:
    escapes = [row.escape for row in CODE_ELEMENTS]
    assert len(set(escapes)) == len(escapes)
    assert not [(a, b) for a in escapes for b in escapes if a != b and b.startswith(a)]


def test_extended_single_byte_sets_equal_plain_ones() -> None:
    """Single-byte sets with code extension are those without."""
    alone = {row.term: row.codec for row in SINGLE_SETS if row.term not in ALONE}
    extended = {
        row.term.replace("ISO 2022 IR", "ISO_IR"): row.codec
        for row in CODE_ELEMENTS
        if row.size == 1
    }
    assert extended == alone
    assert DEFAULT_TERM.replace("ISO 2022 IR", "ISO_IR") in alone


def test_misspelling_is_no_defined_term() -> None:
    assert not set(MISSPELT) & {row.term for row in (*SINGLE_SETS, *CODE_ELEMENTS)}
