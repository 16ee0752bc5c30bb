"""The SOP classes and transfer syntaxes of Storage, beside pydicom's registry."""

from __future__ import annotations

from pydicom.uid import (
    UID,
    CTImageStorage,
    HangingProtocolStorage,
    JPEG2000Lossless,
    MediaStorageDirectoryStorage,
)

from dicomquest.services.storage_classes import stored_sop_classes, stored_transfer_syntaxes


def test_classes_of_patients_also_retired_ones() -> None:
    stored = set(stored_sop_classes())
    retired = UID("1.2.840.10008.5.1.4.1.1.6")  # Ultrasound Image Storage (Retired)
    assert {CTImageStorage, retired} <= stored
    assert not {HangingProtocolStorage, MediaStorageDirectoryStorage} & stored
    assert all(uid.type == "SOP Class" for uid in stored)


def test_each_class_and_syntax_is_listed_once() -> None:
    for listed in (stored_sop_classes(), stored_transfer_syntaxes()):
        assert len(set(listed)) == len(listed)


def test_implicit_vr_is_first_and_compressed_is_there() -> None:
    syntaxes = stored_transfer_syntaxes()
    assert syntaxes[0] == UID("1.2.840.10008.1.2")
    assert JPEG2000Lossless in syntaxes
    assert all(uid.is_transfer_syntax for uid in syntaxes)
