from __future__ import annotations

from typing import Any

import pytest

from dicomquest.dataset.elements import Element
from dicomquest.dataset.response_fields import Field, Source, row_element


@pytest.mark.parametrize(
    ("vr", "source", "value", "values"),
    [
        ("CS", Source.TEXT, "CT\\MR", ("CT", "MR")),
        ("LT", Source.TEXT, "a\\b", ("a\\b",)),
        ("CS", Source.TEXT, "", ()),
        ("CS", Source.TEXT, None, ()),
        ("IS", Source.NUMBER, 0, ("0",)),
        ("US", Source.JSON, '{"vr":"US","Value":[512]}', (512,)),
        ("US", Source.JSON, None, ()),
    ],
)
def test_row_element(vr: str, source: Source, value: Any, values: tuple[Any, ...]) -> None:
    assert row_element(Field(0x00080060, vr, source), value) == Element(vr, values)
