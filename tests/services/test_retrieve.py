"""Retrieves of an index: what is sent, in which order, and how each ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dicomquest.errors import AssociationAbortedError
from dicomquest.index.index import Index
from dicomquest.query.options import QueryOptions
from dicomquest.query.visibility import parse_visible
from dicomquest.services import retrieve_routes, retrieving
from dicomquest.services.access import EVERYTHING, PeerChoices
from dicomquest.services.limit_names import LimitName
from dicomquest.services.move_destinations import Destination, NoDestinations
from dicomquest.services.request import ServiceRequest
from dicomquest.services.retrieve import RetrieveLimits, RetrieveService
from dicomquest.services.retrieve_source import Needed
from dicomquest.services.storage_link import SubOperation
from dicomquest.standard.levels import Level
from dicomquest.standard.models import PATIENT_ROOT
from dicomquest.ul.negotiation import AcceptedContext
from fixtures.faces import EXPLICIT
from fixtures.retrieving import (
    CT,
    CT_CONTEXT,
    LOST,
    Link,
    RetrieveChannel,
    ScriptedDestinations,
    indexed,
    made_request,
    retrieve,
)
from fixtures.storing import ROOT, data_set_bytes, instance, write

STUDY = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": f"{ROOT}.1"}
PATIENT = {"QueryRetrieveLevel": "PATIENT", "PatientID": "P1"}
UIDS = [f"{ROOT}.1.1.{number}" for number in range(1, 13)]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """Twelve instances of study 1, three of study 2."""
    with indexed(tmp_path_factory.mktemp("retrieve"), {1: 12, 2: 3}) as made:
        yield made


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieve_routes, "PAUSE_BEFORE_RETRY", 0.0)


@pytest.mark.requirement("RT-004", "RT-022", "RT-040", "RT-048", "RT-049")
def test_get_sends_each_instance_once_in_order(index: Index) -> None:
    link = Link()
    answered = retrieve(index, STUDY, link=link)
    assert link.uids == UIDS
    assert (answered.status, answered.counts, answered.failed) == (0, (None, 12, 0, 0), ())
    assert {(each.priority, each.originator) for each, _ in link.sent} == {(1, None)}


@pytest.mark.requirement("RT-041")
def test_data_sets_go_out_as_stored(index: Index) -> None:
    link = Link()
    retrieve(index, STUDY, link=link)
    files = index.files(UIDS)
    stored = {uid: data_set_bytes(Path(file.paths[0])) for uid, file in files.items()}
    assert {each.sop_instance_uid: data for each, data in link.sent} == stored


@pytest.mark.requirement("RT-005", "RT-081")
def test_patient_level_sends_what_its_count_says(index: Index) -> None:
    link = Link()
    retrieve(index, PATIENT, link=link, model=PATIENT_ROOT)
    found = next(
        iter(index.find(level="PATIENT", model="patient", PatientID="P1",
                        NumberOfPatientRelatedInstances=""))
    )  # fmt: skip
    assert len(link.uids) == int(found.NumberOfPatientRelatedInstances) == 12


@pytest.mark.requirement("RT-008", "RT-010")
def test_contradicting_key_sends_nothing(index: Index) -> None:
    link = Link()
    answered = retrieve(index, {**STUDY, "PatientID": "OTHER"}, link=link)
    assert (answered.status, answered.counts, link.sent) == (0, (None, 0, 0, 0), [])


def test_hidden_instances_are_not_sent(index: Index) -> None:
    profile = replace(EVERYTHING, visible=parse_visible(["InstanceNumber=3"]))
    link = Link()
    retrieve(index, STUDY, link=link, profile=profile)
    assert link.uids == [UIDS[2]]


@pytest.mark.requirement("RT-025", "RT-027", "RT-047")
def test_failures_and_warnings_are_counted(index: Index) -> None:
    statuses = {0: 0xA700, 1: 0xB000, 5: 0xC123}
    link = Link(lambda number, _: statuses.get(number, 0))
    answered = retrieve(index, STUDY, link=link)
    assert (answered.status, answered.counts) == (0xB000, (None, 9, 2, 1))
    assert answered.failed == (UIDS[0], UIDS[5])


@pytest.mark.requirement("RT-026", "RT-045")
def test_instances_without_context_fail(index: Index) -> None:
    link = Link(contexts=(replace(CT_CONTEXT, abstract_syntax="1.2.3"),))
    answered = retrieve(index, STUDY, link=link)
    assert (answered.status, answered.counts) == (0xA702, (None, 0, 12, 0))
    assert link.sent == []


def test_no_context_at_all(index: Index, caplog: pytest.LogCaptureFixture) -> None:
    assert retrieve(index, STUDY, link=Link(contexts=())).status == 0xA702
    assert "assume-roles" in caplog.text


@pytest.mark.requirement("RT-046")
def test_files_that_vanish_or_change_fail(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with indexed(tmp_path, {1: 4}) as index:
        files = tmp_path / "files"
        (files / "00001.dcm").unlink()
        (files / "00002.dcm").write_bytes((files / "00000.dcm").read_bytes())
        link = Link()
        answered = retrieve(index, STUDY, link=link)
    assert (answered.status, answered.counts) == (0xB000, (None, 2, 2, 0))
    assert answered.failed == (UIDS[1], UIDS[2])
    assert f"{UIDS[1]} not sent" in caplog.text


@pytest.mark.requirement("RT-070")
@pytest.mark.parametrize("after", [0, 1, 11])
def test_cancel_lets_the_running_store_finish(index: Index, after: int) -> None:

    def script(number: int, _: SubOperation) -> int:
        if number == after:
            request.cancel()
        return 0

    link = Link(script)
    channel = RetrieveChannel(link)
    request = made_request(channel, STUDY)
    asyncio.run(RetrieveService(index, NoDestinations()).handle(request))
    status, counts, _, _ = channel.responses[-1]
    assert (status, tuple(counts)) == (0xFE00, (11 - after, after + 1, 0, 0))


@pytest.mark.requirement("RT-072")
def test_lost_association_stops_the_retrieve(index: Index) -> None:
    link = Link(lambda number, _: AssociationAbortedError("lost") if number == 3 else 0)
    with pytest.raises(AssociationAbortedError):
        retrieve(index, STUDY, link=link)
    assert len(link.sent) == 4


@pytest.mark.requirement("RT-020", "RT-031")
def test_pending_responses_keep_the_sum(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieving, "SHORTEST_PAUSE", 0.0)
    answered = retrieve(index, STUDY)
    pending = [counts for status, counts, *_ in answered.channel.responses if status == 0xFF00]
    assert len(pending) == 12
    assert {sum(filter(None, counts)) for counts in pending} == {12}


def test_too_many_instances(index: Index) -> None:
    profile = replace(EVERYTHING, choices=PeerChoices(most_retrieved=11))
    answered = retrieve(index, STUDY, profile=profile)
    assert answered.status == 0xA701
    assert "max-retrieve-instances" in answered.comment
    assert answered.channel.limits == [LimitName.RETRIEVED_INSTANCES]


def test_too_many_retrieves(index: Index) -> None:
    answered = retrieve(index, STUDY, limits=RetrieveLimits(most_running=0))
    assert (answered.status, answered.channel.limits) == (0xA701, [LimitName.RETRIEVES])


def test_level_that_is_not_allowed(index: Index) -> None:
    profile = replace(EVERYTHING, levels=frozenset({Level.SERIES}))
    assert retrieve(index, STUDY, profile=profile).status == 0x0124


def test_strict_peer(index: Index) -> None:
    profile = replace(EVERYTHING, choices=PeerChoices(options=QueryOptions(strict=True)))
    keys = {"QueryRetrieveLevel": "IMAGE", "SOPInstanceUID": UIDS[0]}
    assert retrieve(index, keys, profile=profile).status == 0xA900


@pytest.mark.requirement("RT-049", "RT-048")
def test_move_sends_to_its_destination(index: Index) -> None:
    link = Link()
    destinations = ScriptedDestinations([link])
    answered = retrieve(index, STUDY, destinations=destinations, to="STORE")
    assert (answered.status, answered.counts, link.uids) == (0, (None, 12, 0, 0), UIDS)
    assert {each.originator for each, _ in link.sent} == {("ASKING", 5)}
    assert destinations.titles == ["ARCHIVE"]
    assert link.ended == ["released"]


@pytest.mark.requirement("RT-029", "RT-030")
def test_unknown_destination(index: Index, caplog: pytest.LogCaptureFixture) -> None:
    answered = retrieve(index, STUDY, destinations=ScriptedDestinations([]), to="NOWHERE")
    assert answered.status == 0xA801
    assert "NOWHERE" in answered.comment
    assert "[destinations.NOWHERE]" in caplog.text


@pytest.mark.requirement("RT-073")
def test_destination_that_is_not_allowed(index: Index) -> None:
    destinations = ScriptedDestinations([Link()])
    profile = replace(EVERYTHING, destinations=frozenset({"OTHER"}))
    answered = retrieve(index, STUDY, destinations=destinations, to="STORE", profile=profile)
    assert (answered.status, destinations.asked) == (0x0124, [])


@pytest.mark.requirement("RT-029")
def test_destination_that_is_down(index: Index) -> None:
    destinations = ScriptedDestinations([None, None])
    answered = retrieve(index, STUDY, destinations=destinations, to="STORE")
    assert (answered.status, answered.counts) == (0xA702, (None, 0, 12, 0))
    assert answered.failed == tuple(UIDS)
    assert len(destinations.asked) == 2


def test_destination_that_comes_up(index: Index) -> None:
    destinations = ScriptedDestinations([None, Link()])
    assert retrieve(index, STUDY, destinations=destinations, to="STORE").status == 0


@pytest.mark.requirement("RT-051")
def test_lost_storage_association_is_opened_once(index: Index) -> None:
    first = Link(lambda number, _: LOST if number == 2 else 0)
    second = Link()
    destinations = ScriptedDestinations([first, second])
    answered = retrieve(index, STUDY, destinations=destinations, to="STORE")
    assert (answered.status, answered.counts) == (0xB000, (None, 11, 1, 0))
    assert answered.failed == (UIDS[2],)
    assert second.uids == UIDS[3:]
    assert first.ended == ["aborted"]


@pytest.mark.requirement("RT-051")
def test_storage_association_that_is_lost_twice(index: Index) -> None:
    links: list[Link | None] = [Link(lambda number, _: LOST if number == 2 else 0) for _ in "12"]
    links.append(Link())
    answered = retrieve(index, STUDY, destinations=ScriptedDestinations(links), to="STORE")
    assert (answered.status, answered.counts) == (0xB000, (None, 4, 8, 0))
    assert set(answered.failed) == {UIDS[2], *UIDS[5:]}
    assert len(links) == 1


def test_other_contexts_after_a_loss(index: Index) -> None:
    """Instances prepared for the lost association are prepared again for the next one."""
    first = Link(lambda _, __: LOST)
    second = Link(contexts=(AcceptedContext(9, CT_CONTEXT.abstract_syntax, "1.2.840.10008.1.2.1"),))
    retrieve(index, STUDY, destinations=ScriptedDestinations([first, second]), to="STORE")
    assert {each.context_id for each, _ in second.sent} == {9}


@pytest.mark.requirement("RT-040")
def test_either_database_gives_order_and_files(location: str, tmp_path: Path) -> None:
    write(tmp_path / "files", [instance(1, number) for number in range(12, 0, -1)])
    with Index(location) as either:
        either.ingest([tmp_path / "files"])
        link = Link()
        answered = retrieve(either, STUDY, link=link)
        assert either.stored_syntaxes(100) == {CT: (EXPLICIT,)}
    assert (answered.counts, link.uids) == ((None, 12, 0, 0), UIDS)


class SilentDestinations(ScriptedDestinations):
    """A destination whose associations are never answered."""

    async def connect(
        self, destination: Destination, own_ae_title: str, needed: Sequence[Needed]
    ) -> Link:
        self.asked.append(needed)
        await asyncio.Event().wait()
        raise AssertionError("nobody answers")


@pytest.mark.requirement("RT-031")
def test_pending_while_a_destination_is_silent(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieving, "LONGEST_PAUSE", 0.01)

    class CancellingChannel(RetrieveChannel):
        """Its peer cancels after three responses."""

        async def send_counts(self, request: ServiceRequest, *rest: Any) -> None:
            await super().send_counts(request, *rest)
            if len(self.responses) == 3:
                request.cancel()

    channel = CancellingChannel(Link())
    request = made_request(channel, STUDY, destination="STORE")
    asyncio.run(RetrieveService(index, SilentDestinations([])).handle(request))
    *pending, final = channel.responses
    assert {(status, tuple(counts)) for status, counts, *_ in pending} == {(0xFF00, (12, 0, 0, 0))}
    assert (final[0], tuple(final[1]), final[3]) == (0xFE00, (12, 0, 0, 0), None)
