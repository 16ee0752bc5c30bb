from __future__ import annotations

import pytest
from pydicom.uid import UID

from dicomquest.standard.levels import Level
from dicomquest.standard.models import MODELS, PATIENT_ROOT, PATIENT_STUDY_ONLY, STUDY_ROOT


@pytest.mark.requirement("QR-001")
def test_each_model_has_its_levels() -> None:
    assert [level.name for level in PATIENT_ROOT.levels] == ["PATIENT", "STUDY", "SERIES", "IMAGE"]
    assert [level.name for level in STUDY_ROOT.levels] == ["STUDY", "SERIES", "IMAGE"]
    assert [level.name for level in PATIENT_STUDY_ONLY.levels] == ["PATIENT", "STUDY"]


def test_patient_keys_are_studys_in_study_root() -> None:
    """Under Study Root a patient's attributes are the study's."""
    assert STUDY_ROOT.query_level(Level.PATIENT) is Level.STUDY
    assert PATIENT_ROOT.query_level(Level.PATIENT) is Level.PATIENT
    assert STUDY_ROOT.query_level(Level.SERIES) is Level.SERIES


def test_uids_are_those_of_the_registry() -> None:
    # The registry has another dash.
    assert [UID(model.uid).name.replace("–", "-") for model in MODELS] == [  # noqa: RUF001
        model.name.removesuffix(" (Retired)") for model in MODELS
    ]
