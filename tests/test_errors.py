"""Errors carry what a peer is told, and a whole message for everybody else."""

from __future__ import annotations

import pytest

from dicomquest.errors import IdentifierError


@pytest.mark.parametrize(
    ("message", "comment"),
    [
        ("short", "short"),
        ("x" * 64, "x" * 64),
        ("word " * 20, " ".join(["word"] * 13)),
        ("x" * 70, "x" * 64),
        ("Größe\\1", "Gr??e/1"),
    ],
)
def test_error_comment_is_cut_at_a_word(message: str, comment: str) -> None:
    error = IdentifierError(0xA900, message)
    assert error.comment == comment
    assert str(error) == message
