"""Invariant: any identifier of a response is a Dataset and JSON, or DataSetError for both.

The first byte chooses the transfer syntax; the rest is the data set.
"""

from __future__ import annotations

from dicomquest.dataset.fast_decoder import decode_to_json, decode_to_pydicom
from dicomquest.errors import DataSetError
from fuzz.identifier import SYNTAXES


def check(data: bytes) -> None:
    """Decode the bytes in both ways."""
    syntax = SYNTAXES[(data[0] if data else 0) % len(SYNTAXES)]
    outcomes = []
    for decode in (decode_to_json, decode_to_pydicom):
        try:
            decode(data[1:], syntax)
        except DataSetError:
            outcomes.append("refused")
        else:
            outcomes.append("read")
    assert outcomes[0] == outcomes[1]
