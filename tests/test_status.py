"""The tables of statuses have pynetdicom's codes and categories, and its modules their names."""

from __future__ import annotations

from importlib import import_module

import pynetdicom.status
import pytest

import dicomquest.status

TABLES = [
    "GENERAL_STATUS",
    "VERIFICATION_SERVICE_CLASS_STATUS",
    "QR_FIND_SERVICE_CLASS_STATUS",
    "QR_GET_SERVICE_CLASS_STATUS",
    "QR_MOVE_SERVICE_CLASS_STATUS",
    "MODALITY_WORKLIST_SERVICE_CLASS_STATUS",
    "RELEVANT_PATIENT_SERVICE_CLASS_STATUS",
    "SUBSTANCE_ADMINISTRATION_SERVICE_CLASS_STATUS",
    "STORAGE_SERVICE_CLASS_STATUS",
]


@pytest.mark.parametrize("name", TABLES)
def test_table_has_the_same_codes_and_categories(name: str) -> None:
    ours, theirs = (getattr(package, name) for package in (dicomquest.status, pynetdicom.status))
    assert {code: category for code, (category, _) in ours.items()} == {
        code: category for code, (category, _) in theirs.items()
    }


def test_each_code_has_the_same_category() -> None:
    for code in range(0x10000):
        ours = dicomquest.status.code_to_category(code)
        assert ours == pynetdicom.status.code_to_category(code), f"{code:04X}"
    with pytest.raises(ValueError, match="no status code"):
        dicomquest.status.code_to_category(-1)


@pytest.mark.parametrize(
    "module", ["presentation", "pdu_primitives", "association", "events", "status", "sop_class"]
)
def test_module_offers_its_names(module: str) -> None:
    ours, theirs = (
        import_module(f"{package}.{module}") for package in ("dicomquest", "pynetdicom")
    )
    for name in getattr(ours, "__all__", ()):
        assert getattr(ours, name) is not None
        if name != "Association" or module == "association":
            assert hasattr(theirs, name), name
