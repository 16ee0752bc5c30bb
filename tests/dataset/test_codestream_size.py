"""The size that the header of a codestream tells (PS3.5 A.4)."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.encaps import generate_frames

from dicomquest.dataset.codestream_size import codestream_size
from fixtures.storing import syntax_files


@pytest.mark.parametrize("path", syntax_files(), ids=lambda path: path.name)
def test_the_size_is_that_of_the_image(path: object) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stored = dcmread(str(path))
    syntax = stored.file_meta.TransferSyntaxUID
    if not syntax.is_encapsulated:
        return
    frame = next(generate_frames(stored.PixelData, number_of_frames=1))
    found = codestream_size(frame)
    assert found == (None if "RLE" in syntax.name else (stored.Rows, stored.Columns))


@given(st.sampled_from([b"", b"\xff\xd8", b"\xff\x4f\xff\x51"]), st.binary(max_size=64))
def test_any_bytes_are_read_to_their_end(start: bytes, data: bytes) -> None:
    found = codestream_size(start + data)
    assert found is None or len(found) == 2
