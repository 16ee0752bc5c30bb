"""The worklist service: statuses, negotiation, filters, and C-FIND's own limits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dicomquest.dataset.elements import DataSet
from dicomquest.index import Index
from dicomquest.query.extended_negotiation import negotiate_worklist
from dicomquest.query.visibility import parse_visible
from dicomquest.services.access import Profile, ServiceKind
from dicomquest.services.request import ServiceRequest
from dicomquest.services.search_batches import FIRST_BATCH
from dicomquest.services.worklist_find import WorklistService
from dicomquest.standard.models import MODALITY_WORKLIST, STUDY_ROOT, UPS_PULL
from dicomquest.worklist.entries import Worklist
from dicomquest.worklist.entry import entries_of
from dicomquest.worklist.workitem import workitem_of
from dicomquest.worklist.workitems import Workitems
from fixtures.building import data_set
from fixtures.find_service import Channel, answers, ask
from fixtures.workitems import workitem
from fixtures.worklists import entry, request

MANY = 3 * FIRST_BATCH
ALL = data_set(PatientID="")
ENTRIES = [
    entry(0, root={"PatientName": "Müller^Jürgen"}, Modality="MR", ScheduledStationAETitle="MR1"),
    *(entry(number) for number in range(1, MANY)),
]


@pytest.fixture(scope="module")
def worklist_index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """An index whose worklist has ENTRIES."""
    path: Path = tmp_path_factory.mktemp("worklist") / "index.sqlite"
    with Worklist(path) as worklist:
        worklist.add([made for each in ENTRIES for made in entries_of(each)], 0)
    with Index(path) as index:
        yield index


def _ask(index: Index, identifier: DataSet, **options: Any) -> Channel:
    service = WorklistService(index, "")
    return ask(index, identifier, model=MODALITY_WORKLIST.uid, service=service, **options)


@pytest.mark.requirement("WL-001", "WL-002", "WL-014")
def test_each_step_has_one_response(worklist_index: Index) -> None:
    channel = _ask(worklist_index, ALL)
    assert channel.statuses == [0xFF00] * MANY + [0x0000]
    assert {tag for answer in answers(channel) for tag in answer} == {0x00100020}


@pytest.mark.requirement("WL-003", "WL-007")
def test_response_has_one_step(worklist_index: Index) -> None:
    identifier = request({"PatientName": ""}, Modality="MR", ScheduledStationAETitle="")
    channel = _ask(worklist_index, identifier)
    step = [data_set(Modality="MR", ScheduledStationAETitle="MR1")]
    (answer,) = answers(channel)
    assert answer == data_set(
        SpecificCharacterSet="ISO_IR 192",
        PatientName="Müller^Jürgen",
        ScheduledProcedureStepSequence=step,
    )


def test_response_repeats_character_set(worklist_index: Index) -> None:
    identifier = request({"SpecificCharacterSet": "ISO_IR 100", "PatientName": "m*"}, Modality="")
    (answer,) = answers(_ask(worklist_index, identifier, charset=("ISO_IR 100",)))
    assert answer[0x00080005].values == ("ISO_IR 100",)
    assert answer[0x00100010].values == ("Müller^Jürgen",)


@pytest.mark.requirement("WL-014")
def test_cancelled_request_ends_with_fe00(worklist_index: Index) -> None:
    channel = _ask(worklist_index, ALL, channel=Channel(after_pending=ServiceRequest.cancel))
    assert channel.finals[0][0] == 0xFE00
    assert 0 < len(channel.pending) < MANY


@pytest.mark.requirement("UP-006")
def test_cancelled_list_of_steps_ends_with_fe00(tmp_path: Path) -> None:
    with Index(tmp_path / "index.sqlite") as index:
        Workitems(index.database).add((workitem_of(workitem(n)) for n in range(MANY)), 0)
        service = WorklistService(index, "")
        channel = Channel(after_pending=ServiceRequest.cancel)
        ask(index, ALL, model=UPS_PULL.uid, service=service, channel=channel)
    assert channel.finals[0][0] == 0xFE00
    assert 0 < len(channel.pending) < MANY


@pytest.mark.requirement("WL-014")
def test_limit_of_results_ends_with_a700(worklist_index: Index) -> None:
    channel = _ask(worklist_index, ALL, result_limit=5)
    assert channel.statuses == [0xFF00] * 5 + [0xA700]


@pytest.mark.requirement("WL-014")
def test_bad_value_ends_with_a900(worklist_index: Index) -> None:
    identifier = request(ScheduledProcedureStepStartDate="20261301")
    ((status, comment, offending),) = _ask(worklist_index, identifier).finals
    assert (status, offending) == (0xA900, (0x00400100, 0x00400002))
    assert "20261301" in comment


@pytest.mark.requirement("WL-008")
def test_unsupported_key_gives_ff01(worklist_index: Index) -> None:
    channel = _ask(worklist_index, data_set(PatientID="P1", RetrieveAETitle=""))
    assert channel.statuses == [0xFF01, 0x0000]
    assert answers(channel) == [data_set(PatientID="P1")]


def test_filter_hides_entries(worklist_index: Index) -> None:
    """The filter of a caller hides entries: a modality stands in the item of the step."""
    visible = parse_visible(["Modality=MR"])
    assert answers(_ask(worklist_index, ALL, visible=visible)) == [data_set(PatientID="P0")]
    hidden = parse_visible(["InstitutionName=EAST"])
    assert _ask(worklist_index, ALL, visible=hidden).statuses == [0x0000]


@pytest.mark.requirement("WL-012")
@pytest.mark.parametrize(
    ("offer", "answer"),
    [
        (b"\1\1\0", b"\1\1\0"),
        (b"\1\1\1", b"\1\1\1"),
        (b"\0\0\1", b"\1\1\1"),
        (b"\1\1\0\1", b"\1\1\0\1"),
        (b"\1\1\1\1\1\1\1", b"\1\1\1\1"),
        (b"", b""),
    ],
)
def test_negotiation_answers_three_bytes(offer: bytes, answer: bytes) -> None:
    assert negotiate_worklist(offer) == answer


def test_fuzzy_names_if_negotiated(worklist_index: Index) -> None:
    identifier = data_set(PatientName="John7", PatientID="")
    assert _ask(worklist_index, identifier).pending == []
    fuzzy = _ask(worklist_index, identifier, accepted=b"\1\1\1")
    assert data_set(PatientName="Doe^John7", PatientID="P7") in answers(fuzzy)


def test_find_does_not_allow_worklist() -> None:
    """A rule that names the service `find` alone keeps the worklist out."""
    profile = Profile(services=frozenset({ServiceKind.FIND}))
    assert profile.allows(STUDY_ROOT.uid)
    assert not profile.allows(MODALITY_WORKLIST.uid)
