"""Objects without a patient over the network: stored and found by pynetdicom."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.uid import CTImageStorage
from pynetdicom import AE

from dicomquest.dataset.elements import to_pydicom
from dicomquest.index import Index
from dicomquest.services.access import Profile, ServiceKind
from dicomquest.services.request import ServiceRequest
from dicomquest.services.search_batches import FIRST_BATCH
from dicomquest.services.worklist_find import WorklistService
from dicomquest.standard.models import COLOR_PALETTE, HANGING_PROTOCOL, NON_PATIENT_MODELS
from dicomquest.standard.object_keys import OBJECT_MODELS
from fixtures.building import data_set
from fixtures.find_service import Channel, answers, ask
from fixtures.objects import made, with_meta
from fixtures.storing import Store, instance, storing

PROTOCOLS = [made(HANGING_PROTOCOL, n, HangingProtocolName=f"P{n}") for n in range(3)]
PALETTE = made(COLOR_PALETTE, 9, ContentLabel="HOT_IRON")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A server that has PROTOCOLS, PALETTE and an image, all of them by C-STORE of pynetdicom."""
    with storing(tmp_path_factory.mktemp("objects")) as running:
        entity = AE()
        for model in OBJECT_MODELS:
            entity.add_requested_context(model.sop_classes[0])
        entity.add_requested_context(CTImageStorage)
        association = entity.associate(running.peer.host, running.peer.port)
        assert association.is_established
        sent = [*map(with_meta, [*PROTOCOLS, PALETTE]), instance(1, 1)]
        assert [association.send_c_store(each).Status for each in sent] == [0] * len(sent)
        # A second copy takes the place of the first.
        assert association.send_c_store(sent[0]).Status == 0
        association.release()
        yield running


def _found(served: Store, sop_class: str, identifier: Dataset) -> list[Dataset]:
    entity = AE()
    entity.add_requested_context(sop_class)
    association = entity.associate(served.peer.host, served.peer.port)
    responses = list(association.send_c_find(identifier, sop_class))
    association.release()
    assert responses.pop()[0].Status == 0
    return [found for _, found in responses if found is not None]


@pytest.mark.requirement("NP-002", "NP-006")
def test_pynetdicom_finds_what_it_stored(served: Store) -> None:
    asked = to_pydicom(data_set(HangingProtocolName="P*", SOPInstanceUID=""))
    found = _found(served, HANGING_PROTOCOL.uid, asked)
    assert sorted(each.HangingProtocolName for each in found) == ["P0", "P1", "P2"]
    (palette,) = _found(served, COLOR_PALETTE.uid, to_pydicom(data_set(ContentLabel="")))
    assert palette.ContentLabel == "HOT_IRON"
    for model in NON_PATIENT_MODELS[2:]:
        assert _found(served, model.uid, to_pydicom(data_set(SOPInstanceUID=""))) == []


@pytest.mark.requirement("NP-001")
def test_archive_answers_know_no_objects(served: Store) -> None:
    study_root = "1.2.840.10008.5.1.4.1.2.2.1"
    asked = to_pydicom(data_set(QueryRetrieveLevel="STUDY", NumberOfStudyRelatedInstances=""))
    (study,) = _found(served, study_root, asked)
    assert study.NumberOfStudyRelatedInstances == 1
    with Index(served.index) as index:
        assert sum(index.counts().values()) == 4
        assert index.check_files().checked == 5
        assert index.check_files().differences == 0
    assert len(list(served.folder.rglob("*.dcm"))) == 5


def _ask(index: Index, **more: Any) -> Channel:
    service = WorklistService(index, "")
    asked = data_set(HangingProtocolName="", RetrieveAETitle="")
    return ask(index, asked, model=HANGING_PROTOCOL.uid, service=service, **more)


@pytest.mark.requirement("NP-006")
def test_statuses_are_those_of_the_worklist(tmp_path: Path) -> None:
    with Index(tmp_path / "index.sqlite") as index:
        index.ingest_data_sets(PROTOCOLS)
        channel = _ask(index, result_limit=2)
        assert channel.statuses == [0xFF01, 0xFF01, 0xA700]
        assert answers(channel)[0] == data_set(HangingProtocolName="P0")


@pytest.mark.requirement("NP-006")
def test_cancelled_request_ends_with_fe00(tmp_path: Path) -> None:
    many = 3 * FIRST_BATCH
    with Index(tmp_path / "index.sqlite") as index:
        index.ingest_data_sets(made(HANGING_PROTOCOL, number) for number in range(many))
        channel = _ask(index, channel=Channel(after_pending=ServiceRequest.cancel))
        assert channel.finals[0][0] == 0xFE00
        assert 0 < len(channel.pending) < many


def test_objects_are_a_service_of_their_own() -> None:
    for kind, allowed in ((ServiceKind.FIND, False), (ServiceKind.OBJECTS, True)):
        profile = Profile(services=frozenset({kind}))
        assert profile.allows(COLOR_PALETTE.uid) is allowed
