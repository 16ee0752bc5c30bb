"""The bytes of extended negotiation."""

from __future__ import annotations

from dicomquest.standard.extended import EXTENDED_OPTIONS


def test_options_stand_in_order_of_their_bytes() -> None:
    """Extended options stand in the order of their bytes."""
    assert [row.byte for row in EXTENDED_OPTIONS] == [1, 2, 3, 4, 5, 6, 7]
