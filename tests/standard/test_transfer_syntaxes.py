"""The transfer syntaxes of identifiers, beside pydicom's registry."""

from __future__ import annotations

from pydicom.uid import UID

from dicomquest.standard.transfer_syntaxes import TRANSFER_SYNTAXES


def test_rows_are_those_of_the_registry() -> None:
    assert [UID(syntax.uid).name for syntax in TRANSFER_SYNTAXES] == [
        "Implicit VR Little Endian",
        "Explicit VR Little Endian",
        "Deflated Explicit VR Little Endian",
        "Explicit VR Big Endian",
    ]
    for syntax in TRANSFER_SYNTAXES:
        uid = UID(syntax.uid)
        assert (uid.is_implicit_VR, uid.is_little_endian, uid.is_deflated) == (
            not syntax.explicit_vr,
            syntax.little_endian,
            syntax.deflated,
        )
