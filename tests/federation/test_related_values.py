"""Modalities and SOP classes of a study, of what lies below it."""

from __future__ import annotations

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.federation.merged_answer import Part
from dicomquest.federation.related_values import Values, learned, learning_of
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.options import QueryOptions
from dicomquest.standard.models import STUDY_ROOT
from fixtures.building import data_set, tag_of

STUDY = data_set(StudyInstanceUID="1.2.1")
MODALITIES = tag_of("ModalitiesInStudy")


def told(*series: DataSet) -> Values:
    """The values that a place with these series tells."""
    work = learned(STUDY_ROOT, Part(1, STUDY, ()), [MODALITIES])
    (ask,) = next(work)
    assert (ask.source, ask.identifier[tag_of("QueryRetrieveLevel")].values) == (1, ("SERIES",))
    try:
        work.send([list(series)])
    except StopIteration as end:
        values: Values = end.value
        return values
    raise AssertionError("it asks twice")


def test_values_are_those_of_all_series() -> None:
    found = told(data_set(Modality="MR"), data_set(Modality="CT"), data_set(Modality="MR"))
    assert found == {MODALITIES: Element("CS", ("CT", "MR"))}


def test_series_without_the_value_leaves_it_unknown() -> None:
    """A list of some of the values would say that it is all of them."""
    assert told(data_set(Modality="MR"), data_set(SeriesInstanceUID="1")) == {}
    assert told() == {}


def test_only_places_that_do_not_tell_are_asked() -> None:
    identifier = data_set(
        QueryRetrieveLevel="STUDY", StudyInstanceUID="", ModalitiesInStudy="", PatientName=""
    )
    query = parse_identifier(identifier, STUDY_ROOT.uid, QueryOptions())
    telling = Part(0, {**STUDY, MODALITIES: Element("CS", ("CT",))}, ())
    empty = Part(2, {**STUDY, MODALITIES: Element("CS", ())}, ())
    assert sorted(learning_of(query, [telling, Part(1, STUDY, ()), empty])) == [1, 2]
    assert learning_of(query, [Part(1, STUDY, ())]) == {}
