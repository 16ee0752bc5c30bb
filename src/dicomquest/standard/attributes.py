"""The level of every attribute, by the entity of its module (PS3.3 C.7, C.8; PS3.4 C.3.1).

Keys with a row in ``keys`` have their level there. Some IODs put an attribute in a series module,
others in an image module (ReconstructionDiameter: PET series, CT image). Such an attribute belongs
to the instance, which always has its own value.
"""

from __future__ import annotations

from typing import NamedTuple

from pydicom.datadict import dictionary_description, dictionary_has_tag, keyword_dict

from dicomquest.standard.keys import KEYS_BY_TAG
from dicomquest.standard.levels import Level
from dicomquest.standard.tags import private_tag_text, tag_text


class Module(NamedTuple):
    """Attributes of one module, those of ``keys`` left out."""

    level: Level
    name: str
    clause: str
    keywords: str


_PATIENT, _STUDY, _SERIES, _ = Level

MODULES: tuple[Module, ...] = (
    Module(
        _PATIENT,
        "Patient",
        "C.7.1.1",
        """
        TypeOfPatientID IssuerOfPatientIDQualifiersSequence PatientMotherBirthName
        PatientBirthDateInAlternativeCalendar PatientDeathDateInAlternativeCalendar
        PatientAlternativeCalendar QualityControlSubject StrainDescription StrainNomenclature
        StrainStockSequence StrainAdditionalInformation StrainCodeSequence
        GeneticModificationsSequence PatientSpeciesDescription PatientSpeciesCodeSequence
        PatientBreedDescription PatientBreedCodeSequence BreedRegistrationSequence
        ResponsiblePersonRole ResponsibleOrganization PatientIdentityRemoved DeidentificationMethod
        DeidentificationMethodCodeSequence SourcePatientGroupIdentificationSequence
        GroupOfPatientsIdentificationSequence EthnicGroupCodeSequence ReferencedPatientPhotoSequence
        """,
    ),
    Module(
        _PATIENT,
        "Patient Demographic, Identification and Medical",
        "C.2.2, C.2.3, C.2.4",
        """
        PatientAddress PatientTelephoneNumbers PatientTelecomInformation CountryOfResidence
        RegionOfResidence MilitaryRank BranchOfService PatientReligiousPreference
        PatientPrimaryLanguageCodeSequence PatientInsurancePlanCodeSequence
        InsurancePlanIdentification MedicalRecordLocator
        ConfidentialityConstraintOnPatientDataDescription
        """,
    ),
    Module(
        _PATIENT,
        "Clinical Trial Subject",
        "C.7.1.3",
        """
        ClinicalTrialSponsorName ClinicalTrialProtocolID ClinicalTrialProtocolName
        ClinicalTrialSiteID ClinicalTrialSiteName ClinicalTrialSubjectID
        ClinicalTrialSubjectReadingID ClinicalTrialProtocolEthicsCommitteeName
        ClinicalTrialProtocolEthicsCommitteeApprovalNumber IssuerOfClinicalTrialProtocolID
        OtherClinicalTrialProtocolIDsSequence IssuerOfClinicalTrialSiteID
        IssuerOfClinicalTrialSubjectID IssuerOfClinicalTrialSubjectReadingID
        """,
    ),
    Module(
        _STUDY,
        "General Study",
        "C.7.2.1",
        """
        ReferringPhysicianIdentificationSequence ConsultingPhysicianName
        ConsultingPhysicianIdentificationSequence IssuerOfAccessionNumberSequence
        PhysiciansOfRecordIdentificationSequence PhysiciansReadingStudyIdentificationSequence
        RequestingService RequestingServiceCodeSequence ReasonForPerformedProcedureCodeSequence
        """,
    ),
    Module(
        _STUDY,
        "Patient Study",
        "C.7.2.2",
        """
        AdmittingDiagnosesCodeSequence PatientSizeCodeSequence PatientBodyMassIndex
        MeasuredAPDimension MeasuredLateralDimension MedicalAlerts Allergies SmokingStatus
        PregnancyStatus LastMenstrualDate PatientState IssuerOfAdmissionID
        IssuerOfAdmissionIDSequence ServiceEpisodeID IssuerOfServiceEpisodeID
        IssuerOfServiceEpisodeIDSequence ServiceEpisodeDescription PatientSexNeutered ReasonForVisit
        ReasonForVisitCodeSequence
        """,
    ),
    Module(
        _STUDY,
        "Visit and Imaging Service Request",
        "C.3, C.4.12",
        """
        ReferencedVisitSequence VisitStatusID RouteOfAdmissions AdmittingDate AdmittingTime
        CurrentPatientLocation PatientInstitutionResidence SpecialNeeds VisitComments
        InstitutionCodeSequence StudyStatusID StudyPriorityID StudyIDIssuer StudyVerifiedDate
        StudyVerifiedTime StudyReadDate StudyReadTime ScheduledStudyStartDate
        ScheduledStudyStartTime ScheduledStudyStopDate ScheduledStudyStopTime ReasonForStudy
        RequestingPhysician RequestedProcedureDescription RequestedProcedureCodeSequence
        RequestedProcedureID ReasonForTheRequestedProcedure StudyArrivalDate StudyArrivalTime
        StudyCompletionDate StudyCompletionTime StudyComments PlacerOrderNumberImagingServiceRequest
        FillerOrderNumberImagingServiceRequest
        """,
    ),
    Module(
        _STUDY,
        "Clinical Trial Study",
        "C.7.2.3",
        """
        ClinicalTrialTimePointID ClinicalTrialTimePointDescription
        LongitudinalTemporalOffsetFromEvent LongitudinalTemporalEventType
        ConsentForClinicalTrialUseSequence ClinicalTrialTimePointTypeCodeSequence
        IssuerOfClinicalTrialTimePointID
        """,
    ),
    Module(
        _SERIES,
        "General Series",
        "C.7.3.1, 10.13, 10.16",
        """
        SeriesDescriptionCodeSequence PerformingPhysicianIdentificationSequence
        OperatorIdentificationSequence ReferencedPerformedProcedureStepSequence
        RelatedSeriesSequence SmallestPixelValueInSeries LargestPixelValueInSeries
        AnatomicalOrientationType PerformedProcedureStepEndDate PerformedProcedureStepEndTime
        PerformedProtocolCodeSequence CommentsOnThePerformedProcedureStep TreatmentSessionUID
        ReferencedDefinedProtocolSequence ReferencedPerformedProtocolSequence
        """,
    ),
    Module(
        _SERIES,
        "Clinical Trial Series",
        "C.7.3.2",
        """
        ClinicalTrialCoordinatingCenterName ClinicalTrialSeriesID ClinicalTrialSeriesDescription
        IssuerOfClinicalTrialSeriesID
        """,
    ),
    Module(
        _SERIES,
        "Frame of Reference",
        "C.7.4.1",
        "PositionReferenceIndicator",
    ),
    Module(
        _SERIES,
        "Synchronization",
        "C.7.4.2",
        """
        SynchronizationFrameOfReferenceUID SynchronizationTrigger SynchronizationChannel
        AcquisitionTimeSynchronized TimeSource TimeDistributionProtocol NTPSourceAddress
        """,
    ),
    Module(
        _SERIES,
        "General Equipment",
        "C.7.5.1",
        """
        InstitutionAddress InstitutionalDepartmentTypeCodeSequence GantryID UDISequence DeviceUID
        SpatialResolution DateOfManufacture DateOfInstallation DateOfLastCalibration
        TimeOfLastCalibration
        """,
    ),
    Module(
        _SERIES,
        "SC Equipment",
        "C.8.6.1",
        """
        ConversionType SecondaryCaptureDeviceID SecondaryCaptureDeviceManufacturer
        SecondaryCaptureDeviceManufacturerModelName SecondaryCaptureDeviceSoftwareVersions
        VideoImageFormatAcquired DigitalImageFormatAcquired
        """,
    ),
    Module(
        _SERIES,
        "PET Series",
        "C.8.9.1",
        """
        Units CountsSource SeriesType ReprojectionMethod NumberOfTimeSlices NumberOfSlices
        RandomsCorrectionMethod DetectorLinesOfResponseUsed AxialAcceptance AxialMash TransverseMash
        DetectorElementSize CoincidenceWindowWidth SecondaryCountsType
        """,
    ),
    Module(
        _SERIES,
        "NM/PET Patient Orientation",
        "C.8.4.6",
        "PatientOrientationCodeSequence PatientGantryRelationshipCodeSequence",
    ),
    Module(
        _SERIES,
        "DX Series",
        "C.8.11.1",
        "PresentationIntentType",
    ),
    Module(
        _SERIES,
        "CR Series",
        "C.8.1.1",
        "PlateType PhosphorType",
    ),
)

# The keys come last, so that their rows win.
LEVELS_BY_TAG: dict[int, Level] = {
    keyword_dict[keyword]: module.level for module in MODULES for keyword in module.keywords.split()
} | {tag: key.level for tag, key in KEYS_BY_TAG.items()}


def level_of(tag: int) -> Level:
    """Return the level of an attribute; private ones and those of no table are the instance's."""
    return LEVELS_BY_TAG.get(tag, Level.IMAGE)


def attribute_name(tag: int, creator: str | None = None) -> str:
    """Return the name of an attribute in a sentence: that of PS3.6, else its tag.

    A private one is its tag with its creator.
    """
    if creator is not None:
        return f"{private_tag_text(tag)} of {creator}"
    if dictionary_has_tag(tag):
        return dictionary_description(tag)
    return tag_text(tag)
