"""Keys become entities to retrieve: the queries that are asked, level by level."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dicomquest import evt
from dicomquest.cli.request_identifier import MODEL_NAMES
from dicomquest.cli.retrieving.portions import Listed, Portion
from dicomquest.cli.retrieving.selection import Selection, wanted
from dicomquest.errors import AssociationError
from dicomquest.query.identifier.key_arguments import KeyTextError, parse_keys
from dicomquest.standard.levels import Level
from fixtures.building import text_of
from fixtures.faces import HOST, scp, scu
from fixtures.scripted_archive import ScriptedArchive, entity

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
STUDY_ROOT, PATIENT_ROOT = MODEL_NAMES["study"], MODEL_NAMES["patient"]

ENTITIES = [
    entity("PATIENT", PatientID="P1", PatientName="DOE^A"),
    *(
        entity(
            "STUDY", PatientID="P1", PatientName="DOE^A", StudyInstanceUID=f"1.{study}",
            StudyDate=f"2024010{study}", SOPClassesInStudy=f"{CT}\\{MR}",
            NumberOfStudyRelatedInstances="4",
        )
        for study in (1, 2)
    ),
    *(
        entity(
            "SERIES", PatientID="P1", StudyInstanceUID=f"1.{study}",
            SeriesInstanceUID=f"1.{study}.{series}", Modality=("CT", "MR")[series - 1],
            NumberOfSeriesRelatedInstances="2",
        )
        for study in (1, 2)
        for series in (1, 2)
    ),
    *(
        entity(
            "IMAGE", PatientID="P1", StudyInstanceUID=f"1.{study}",
            SeriesInstanceUID=f"1.{study}.{series}", InstanceNumber=str(number),
            SOPInstanceUID=f"1.{study}.{series}.{number}", SOPClassUID=(CT, MR)[series - 1],
        )
        for study in (1, 2)
        for series in (1, 2)
        for number in (1, 2)
    ),
]  # fmt: skip


@contextmanager
def selecting(
    archive: ScriptedArchive, *, model: str = "study", relational: bool = False
) -> Iterator[Selection]:
    """Ask a scripted archive."""
    server = scp().start_server((HOST, 0), block=False, evt_handlers=[(evt.EVT_C_FIND, archive)])
    ae = scu()
    ae.add_requested_context(STUDY_ROOT.uid)
    try:
        with ae.associate(HOST, server.server_address[1]) as association:
            yield Selection(association, MODEL_NAMES[model], relational)
    finally:
        server.shutdown()


def select(
    archive: ScriptedArchive, *keys: str, model: str = "study", level: Level | None = None
) -> list[Portion]:
    asked = wanted(parse_keys(keys), MODEL_NAMES[model], level)
    with selecting(archive, model=model) as selection:
        return list(selection.portions(asked))


def levels(archive: ScriptedArchive) -> list[str]:
    return [text_of(each, "QueryRetrieveLevel") or "" for each in archive.asked]


def test_keys_of_a_study_select_studies() -> None:
    archive = ScriptedArchive(ENTITIES)
    first, second = select(archive, "PatientName=DOE*")
    assert first == Portion(Level.STUDY, {Level.STUDY: ("1.1",)}, 4, frozenset({CT, MR}))
    assert second.uniques[Level.STUDY] == ("1.2",)
    assert levels(archive) == ["STUDY"]


def test_keys_of_series_select_series_of_the_studies() -> None:
    archive = ScriptedArchive(ENTITIES)
    found = select(archive, "StudyDate=20240101", "Modality=MR")
    assert [(each.level, each.uniques[Level.SERIES], each.count) for each in found] == [
        (Level.SERIES, ("1.1.2",), 2)
    ]
    assert levels(archive) == ["STUDY", "SERIES"]


def test_named_study_is_not_asked_for() -> None:
    """A unique key with its value needs no query, nor does each of a list."""
    archive = ScriptedArchive(ENTITIES)
    found = select(archive, "StudyInstanceUID=1.1\\1.2", "Modality=CT")
    assert [each.uniques[Level.SERIES] for each in found] == [("1.1.1",), ("1.2.1",)]
    assert levels(archive) == ["SERIES", "SERIES"]


def test_image_keys_walk_through_the_series() -> None:
    """Archives that know no relational query need the keys of all levels above."""
    archive = ScriptedArchive(ENTITIES)
    found = select(archive, "StudyInstanceUID=1.1", "InstanceNumber=2")
    assert [each.uniques[Level.IMAGE] for each in found] == [("1.1.1.2",), ("1.1.2.2",)]
    assert [each.sop_classes for each in found] == [{CT}, {MR}]
    assert levels(archive) == ["SERIES", "IMAGE", "IMAGE"]


def test_key_without_anything_above_is_asked_at_once() -> None:
    archive = ScriptedArchive(ENTITIES)
    (found,) = select(archive, "SeriesInstanceUID=1.2.2")
    assert found.uniques[Level.STUDY] == ("1.2",)
    assert levels(archive) == ["SERIES"]


def test_patient_root_walks_from_the_patient() -> None:
    archive = ScriptedArchive(ENTITIES)
    found = select(archive, "PatientName=DOE*", "StudyDate=20240102", model="patient")
    assert [each.uniques for each in found] == [{Level.PATIENT: ("P1",), Level.STUDY: ("1.2",)}]
    assert levels(archive) == ["PATIENT", "STUDY"]


def test_lone_star_is_the_whole_archive() -> None:
    """It is sent without a value, as UIDs have no wild cards."""
    archive = ScriptedArchive(ENTITIES)
    assert len(select(archive, "StudyInstanceUID=*")) == 2
    assert archive.asked[0][0x0020000D].values == ()


def test_level_below_the_keys_may_be_named() -> None:
    archive = ScriptedArchive(ENTITIES)
    found = select(archive, "StudyInstanceUID=1.1", level=Level.SERIES)
    assert [each.level for each in found] == [Level.SERIES] * 2


@pytest.mark.parametrize(
    ("keys", "level", "words"),
    [
        (["PatientName"], None, "no KEY=VALUE says what to fetch"),
        (["Modality=CT"], Level.STUDY, "-L STUDY would fetch more than Modality selects"),
    ],
)
def test_keys_that_would_fetch_more_are_refused(
    keys: list[str], level: Level | None, words: str
) -> None:
    with pytest.raises(KeyTextError, match=words):
        wanted(parse_keys(keys), STUDY_ROOT, level)


def test_level_that_the_model_lacks_is_refused() -> None:
    with pytest.raises(KeyTextError, match="which Patient/Study Only does not have"):
        wanted(parse_keys(["Modality=CT"]), MODEL_NAMES["psonly"], None)


@pytest.mark.parametrize(
    ("keys", "is_exact"),
    [
        (["StudyInstanceUID=1.2\\1.3"], True),
        (["StudyInstanceUID=1.2", "SeriesInstanceUID=1.2.1"], True),
        (["StudyInstanceUID=1.*"], False),
        (["SeriesInstanceUID=1.2.1"], False),
        (["StudyInstanceUID=1.2", "Modality=CT"], False),
    ],
)
def test_exact_keys_are_those_of_a_retrieve(keys: list[str], *, is_exact: bool) -> None:
    asked = wanted(parse_keys(keys), STUDY_ROOT, None)
    assert asked.is_exact is is_exact
    if is_exact:
        assert asked.exact_portion.uniques[Level.STUDY][0] == "1.2"


@pytest.mark.parametrize(
    ("relational", "asked"), [(False, ["SERIES", "IMAGE", "IMAGE"]), (True, ["IMAGE"])]
)
def test_instances_of_a_study_are_listed(*, relational: bool, asked: list[str]) -> None:
    archive = ScriptedArchive(ENTITIES)
    with selecting(archive, relational=relational) as selection:
        found = selection.listed(Portion(Level.STUDY, {Level.STUDY: ("1.1",)}))
    assert found == [
        Listed(f"1.1.{series}", f"1.1.{series}.{number}", (CT, MR)[series - 1])
        for series in (1, 2)
        for number in (1, 2)
    ]
    assert levels(archive) == asked


def test_failed_query_is_no_empty_selection() -> None:
    with pytest.raises(AssociationError, match=r"studies were not listed: .*A700"):
        select(ScriptedArchive(ENTITIES, cap=0, status=0xA700), "PatientName=DOE*")


def test_refusal_of_a_lone_key_names_the_key_above() -> None:
    archive = ScriptedArchive(ENTITIES, cap=0, status=0xA900)
    with pytest.raises(AssociationError, match=r"level above: StudyInstanceUID=\.\.\."):
        select(archive, "SeriesInstanceUID=1.1.1")
