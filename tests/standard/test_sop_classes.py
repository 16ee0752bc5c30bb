"""The SOP classes that the package serves."""

from __future__ import annotations

from dicomquest.standard.models import MODELS
from dicomquest.standard.sop_classes import SERVED, SERVED_BY_UID


def test_served_sop_classes() -> None:
    """The served SOP classes are Verification and the three models."""
    assert [each.service for each in SERVED] == ["C-ECHO", "C-FIND", "C-FIND", "C-FIND"]
    assert set(SERVED_BY_UID) == {"1.2.840.10008.1.1", *(model.uid for model in MODELS)}
