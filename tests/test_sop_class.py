from __future__ import annotations

import pynetdicom.sop_class
import pytest
from pydicom.uid import UID

from dicomquest import sop_class
from dicomquest.standard.sop_classes import SERVED

# pynetdicom keeps names of its own beside those of the dictionary.
OWN_NAMES = {
    "ColorPaletteInformationModelGet", "ColorPaletteInformationModelMove",
    "HeightMapSegmentationStorage",
    "LabelMapSegmentationStorage", "OphthlamicOpticalCoherenceTomographyBscanVolumeAnalysisStorage",
    "PseudoColorSoftcopyPresentationStageStorage",
    "RTBrachyApplicationSetupDeliveryInstructionsStorage",
    "RoboticArmRadiationRecordStorage", "VariableModalityLUTSoftcopyPresentationStageStorage",
    "WaveformAcquisitionPresentationStateStorage", "WaveformPresentationStateStorage",
}  # fmt: skip


def test_names_are_those_that_scripts_import() -> None:
    theirs = {
        name: uid
        for name, uid in vars(pynetdicom.sop_class).items()
        if isinstance(uid, pynetdicom.sop_class.SOPClass)
    }
    for name in theirs.keys() - OWN_NAMES:
        assert getattr(sop_class, name) == theirs[name], name
        assert name in dir(sop_class)


def test_served_classes_have_names() -> None:
    named = {uid for uid in vars(sop_class).values() if isinstance(uid, sop_class.SOPClass)}
    assert {row.uid for row in SERVED} <= named
    assert UID(sop_class.PatientRootQueryRetrieveInformationModelFind).keyword == (
        "PatientRootQueryRetrieveInformationModelFind"
    )


def test_name_that_is_none() -> None:
    with pytest.raises(AttributeError, match="Nonsense"):
        _ = sop_class.Nonsense
    assert sop_class.uid_to_sop_class("1.2.3") == "1.2.3"
