from __future__ import annotations

import pytest

from dicomquest.dataset.elements import DataSet
from dicomquest.query.identifier.request_rules import RequestError, check_request
from dicomquest.query.options import QueryOptions
from dicomquest.standard.levels import Level
from dicomquest.standard.models import PATIENT_ROOT, STUDY_ROOT, InformationModel
from fixtures.building import data_set

SERIES_OF = data_set(
    QueryRetrieveLevel="SERIES", StudyInstanceUID="1.2", SeriesInstanceUID="", Modality="CT"
)
ANY_SERIES = data_set(QueryRetrieveLevel="SERIES", SeriesInstanceUID="", Modality="CT")
STUDIES = data_set(QueryRetrieveLevel="STUDY", StudyInstanceUID="", PatientName="A*")
NONE, RELATIONAL, VIEWS = (
    QueryOptions(),
    QueryOptions(relational=True),
    QueryOptions(enhanced_multiframe=True),
)


@pytest.mark.requirement("QR-021", "QR-022", "QR-025", "QR-027")
@pytest.mark.parametrize(
    ("identifier", "model", "level", "options"),
    [
        (STUDIES, STUDY_ROOT, Level.STUDY, NONE),
        (STUDIES | data_set(PatientID="1"), PATIENT_ROOT, Level.STUDY, RELATIONAL),
        (SERIES_OF, STUDY_ROOT, Level.SERIES, NONE),
        (SERIES_OF | data_set(SpecificCharacterSet="ISO_IR 100"), STUDY_ROOT, Level.SERIES, NONE),
        (SERIES_OF | data_set(TimezoneOffsetFromUTC="-0500"), STUDY_ROOT, Level.SERIES, NONE),
        (SERIES_OF | data_set(PatientID="1"), PATIENT_ROOT, Level.SERIES, NONE),
        (ANY_SERIES, STUDY_ROOT, Level.SERIES, RELATIONAL),
        (STUDIES | data_set(Modality="CT"), STUDY_ROOT, Level.STUDY, NONE),
        (STUDIES | data_set(QueryRetrieveView="CLASSIC"), STUDY_ROOT, Level.STUDY, VIEWS),
    ],
)
def test_allowed_requests(
    identifier: DataSet, model: InformationModel, level: Level, options: QueryOptions
) -> None:
    check_request(identifier, model, level, options)


@pytest.mark.requirement("QR-021", "QR-022", "QR-025", "QR-026", "QR-027")
@pytest.mark.parametrize(
    ("identifier", "model", "level", "option", "words"),
    [
        (
            ANY_SERIES,
            STUDY_ROOT,
            Level.SERIES,
            "relational",
            "one value .got none.: add StudyInstanceUID=VALUE",
        ),
        (
            ANY_SERIES | data_set(StudyInstanceUID=""),
            STUDY_ROOT,
            Level.SERIES,
            "relational",
            "one value .got ''.",
        ),
        (
            ANY_SERIES | data_set(StudyInstanceUID="1.*"),
            STUDY_ROOT,
            Level.SERIES,
            "relational",
            "one value",
        ),
        (
            ANY_SERIES | data_set(StudyInstanceUID="1.2\\1.3"),
            STUDY_ROOT,
            Level.SERIES,
            "relational",
            "one value",
        ),
        (SERIES_OF, PATIENT_ROOT, Level.SERIES, "relational", "needs PatientID"),
        (
            SERIES_OF | data_set(StudyDate=""),
            STUDY_ROOT,
            Level.SERIES,
            "relational",
            "StudyDate belongs to STUDY",
        ),
        (
            SERIES_OF | data_set(PatientID="1"),
            STUDY_ROOT,
            Level.SERIES,
            "relational",
            "PatientID belongs to STUDY",
        ),
        (
            STUDIES | data_set(QueryRetrieveView="CLASSIC"),
            STUDY_ROOT,
            Level.STUDY,
            "enhanced_multiframe",
            "View",
        ),
        (STUDIES | data_set(InstanceAvailability=""), STUDY_ROOT, Level.STUDY, "", "must not"),
        (
            STUDIES | data_set(TimezoneOffsetFromUTC=""),
            STUDY_ROOT,
            Level.STUDY,
            "",
            "expected .HHMM",
        ),
        (
            STUDIES | data_set(TimezoneOffsetFromUTC="+1"),
            STUDY_ROOT,
            Level.STUDY,
            "",
            "'.1': expected .HHMM",
        ),
    ],
)
def test_forbidden_request_names_allowing_option(
    identifier: DataSet, model: InformationModel, level: Level, option: str, words: str
) -> None:
    """A query that must not be sent names the option that would allow it."""
    with pytest.raises(RequestError, match=words) as raised:
        check_request(identifier, model, level, NONE)
    assert raised.value.option == option
    if option:
        check_request(
            identifier, model, level, QueryOptions(relational=True, enhanced_multiframe=True)
        )
