"""Media types of the Accept header (PS3.18 8.7)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.web.media_types import MULTIPART, quality_of, read_ranges, search_type


@pytest.mark.requirement("QI-038")
@pytest.mark.parametrize(
    "text",
    [
        'multipart/related; type="application/octet-stream"; transfer-syntax=1.2',
        'Multipart/Related;TYPE=application/octet-stream;Transfer-Syntax="1.2"',
        'multipart/related; type="application/octet-stream; transfer-syntax=1.2"',
        'multipart/related ;type="application/octet-stream" ; transfer-syntax="1.2" ; q=1.0',
    ],
)
def test_spellings_of_a_multipart_range_are_equal(text: str) -> None:
    [found] = read_ranges([text])
    assert (found.kind, found.part, found.quality) == (MULTIPART, "application/octet-stream", 1)
    assert found.parameters["transfer-syntax"] == "1.2"


def test_ranges_are_split_outside_quotes() -> None:
    found = read_ranges(['a/b; x="1,2;3"; q=0.5, c/d', "e/f;q=0.7"])
    assert [(each.kind, each.quality) for each in found] == [("c/d", 1), ("e/f", 0.7), ("a/b", 0.5)]
    assert found[2].parameters == {"x": "1,2;3"}


@pytest.mark.requirement("QI-038")
def test_the_most_specific_range_decides() -> None:
    ranges = read_ranges(["*/*;q=0.3, image/*;q=0.5, image/jpeg;q=0"])
    assert quality_of("image/jpeg", ranges) == 0
    assert quality_of("image/png", ranges) == 0.5
    assert quality_of("text/plain", ranges) == 0.3


@given(st.lists(st.text(st.sampled_from('ab/*;=", q.0\\'), max_size=30), max_size=3))
def test_any_text_is_read(texts: list[str]) -> None:
    assert search_type(read_ranges(texts)) in {
        "",
        "application/dicom+json",
        "application/dicom+xml",
    }
