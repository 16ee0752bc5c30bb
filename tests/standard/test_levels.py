"""The levels of the information models (PS3.4 C.3.1)."""

from __future__ import annotations

import pytest

from dicomquest.standard.levels import Level


def test_levels_run_from_patient_to_image() -> None:
    assert [level.name for level in sorted(Level)] == ["PATIENT", "STUDY", "SERIES", "IMAGE"]


@pytest.mark.parametrize(
    ("level", "one", "many"),
    [
        (Level.PATIENT, "patient", "patients"),
        (Level.STUDY, "study", "studies"),
        (Level.SERIES, "series", "series"),
        (Level.IMAGE, "instance", "instances"),
    ],
)
def test_entities_have_words(level: Level, one: str, many: str) -> None:
    assert (level.entity, level.entities) == (one, many)
