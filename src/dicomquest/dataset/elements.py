"""A decoded data set as plain values, and its other two forms: pydicom's Dataset and the DICOM JSON Model (PS3.18 F)."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias


class Element(NamedTuple):
    """One data element without its tag (a NamedTuple: a header has hundreds, and each is built once).

    ``values`` holds, by value representation:

    - text and other strings: ``str``, decoded, in Unicode NFC, split at backslashes where the VR has multiplicity, its
      insignificant padding removed (PS3.5 6.2); IS and DS keep their text; PN values hold all their component groups
    - US SS UL SL SV UV FL FD: ``int`` or ``float``; AT: ``int`` (group << 16 | element)
    - OB OD OF OL OV OW UN: one ``bytes``
    - SQ: one ``DataSet`` an item

    No values at all (``()``) is an element of zero length.
    """

    vr: str
    values: tuple[Any, ...]


DataSet: TypeAlias = dict[int, Element]
"""Elements by tag (group << 16 | element), in ascending order."""
