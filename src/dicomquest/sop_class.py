"""SOP classes by keyword (PS3.6 A).

The classes of the Verification and the FIND services are written out. Every other SOP class of
pydicom's dictionary is an attribute of this module too, looked up at its first use.

```python
from dicomquest.sop_class import CTImageStorage, PatientRootQueryRetrieveInformationModelFind

assert CTImageStorage.name == "CT Image Storage"
assert PatientRootQueryRetrieveInformationModelFind == "1.2.840.10008.5.1.4.1.2.1.1"
```
"""

from __future__ import annotations

from functools import cache

from pydicom._uid_dict import UID_dictionary
from pydicom.uid import UID


class SOPClass(UID):
    """The UID of a SOP class: a text, with pydicom's ``name``, ``keyword`` and so on."""


Verification = SOPClass("1.2.840.10008.1.1")

PatientRootQueryRetrieveInformationModelFind = SOPClass("1.2.840.10008.5.1.4.1.2.1.1")
StudyRootQueryRetrieveInformationModelFind = SOPClass("1.2.840.10008.5.1.4.1.2.2.1")
PatientStudyOnlyQueryRetrieveInformationModelFind = SOPClass("1.2.840.10008.5.1.4.1.2.3.1")
RepositoryQuery = SOPClass("1.2.840.10008.5.1.4.1.1.201.6")

ModalityWorklistInformationModelFind = SOPClass("1.2.840.10008.5.1.4.31")
ModalityWorklistInformationFind = ModalityWorklistInformationModelFind
UnifiedProcedureStepPull = SOPClass("1.2.840.10008.5.1.4.34.6.3")
UnifiedProcedureStepWatch = SOPClass("1.2.840.10008.5.1.4.34.6.2")
UnifiedProcedureStepQuery = SOPClass("1.2.840.10008.5.1.4.34.6.5")
GeneralRelevantPatientInformationQuery = SOPClass("1.2.840.10008.5.1.4.37.1")
BreastImagingRelevantPatientInformationQuery = SOPClass("1.2.840.10008.5.1.4.37.2")
CardiacRelevantPatientInformationQuery = SOPClass("1.2.840.10008.5.1.4.37.3")
HangingProtocolInformationModelFind = SOPClass("1.2.840.10008.5.1.4.38.2")
ColorPaletteQueryRetrieveInformationModelFind = SOPClass("1.2.840.10008.5.1.4.39.2")
ColorPaletteInformationModelFind = ColorPaletteQueryRetrieveInformationModelFind
ProductCharacteristicsQuery = SOPClass("1.2.840.10008.5.1.4.41")
SubstanceApprovalQuery = SOPClass("1.2.840.10008.5.1.4.42")
GenericImplantTemplateInformationModelFind = SOPClass("1.2.840.10008.5.1.4.43.2")
ImplantAssemblyTemplateInformationModelFind = SOPClass("1.2.840.10008.5.1.4.44.2")
ImplantTemplateGroupInformationModelFind = SOPClass("1.2.840.10008.5.1.4.45.2")
DefinedProcedureProtocolInformationModelFind = SOPClass("1.2.840.10008.5.1.4.20.1")
ProtocolApprovalInformationModelFind = SOPClass("1.2.840.10008.5.1.4.1.1.200.4")


@cache
def _dictionary() -> dict[str, SOPClass]:
    """Map keywords to SOP classes; a row of pydicom is (name, type, info, retired, keyword)."""
    return {
        keyword: SOPClass(uid)
        for uid, (_, kind, _, _, keyword) in UID_dictionary.items()
        if kind in ("SOP Class", "Meta SOP Class") and keyword
    }


def uid_to_sop_class(uid: str) -> SOPClass:
    """Return a UID as SOP class; it need not be in the dictionary."""
    return SOPClass(uid)


def __getattr__(name: str) -> SOPClass:
    try:
        return _dictionary()[name]
    except KeyError:
        raise AttributeError(
            f"pydicom's dictionary has no SOP class with the keyword {name!r}: use its UID"
        ) from None


def __dir__() -> list[str]:
    return sorted({*globals(), *_dictionary()})
