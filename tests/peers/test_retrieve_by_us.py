"""Our SCU retrieves from other people's archives by C-GET and C-MOVE, and has every instance."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicomquest import evt
from fixtures.faces import HOST, data_set
from peers import corpus, dcmtk, pynetdicom_programs
from peers import orthanc as orthanc_program
from peers.our_storage import STUDY_GET, STUDY_MOVE, Taken, getter, storage_scp, take
from peers.processes import Peer

Archive = Callable[[Path, list[Path], list[Peer]], AbstractContextManager[Peer]]


def orthanc(
    folder: Path, paths: list[Path], destinations: list[Peer]
) -> AbstractContextManager[Peer]:
    modalities = {each.aet: [each.aet, each.host, each.port] for each in destinations}
    return orthanc_program.orthanc(
        folder,
        paths,
        DicomModalities=modalities,
        DicomAlwaysAllowGet=True,
        DicomAlwaysAllowMove=True,
    )


ARCHIVES: dict[str, Archive] = {
    "dcmqrscp": dcmtk.dcmqrscp,
    "Orthanc": orthanc,
    "qrscp": pynetdicom_programs.qrscp,
}


@pytest.fixture(scope="module")
def arrived() -> Taken:
    """The instances that came to our storage SCP by C-MOVE."""
    return {}


@pytest.fixture(scope="module")
def storage(arrived: Taken) -> Iterator[Peer]:
    with storage_scp(arrived) as peer:
        yield peer


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("dcmqrscp", marks=pytest.mark.peer("dcmqrscp")),
        pytest.param("Orthanc", marks=pytest.mark.peer("Orthanc")),
        "qrscp",
    ],
)
def peer(
    request: pytest.FixtureRequest,
    archive: Path,
    storage: Peer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Peer]:
    folder = tmp_path_factory.mktemp("retrieved")
    make = ARCHIVES[request.param]
    with make(folder, sorted(archive.iterdir()), [storage]) as peer:
        yield peer


STUDY = data_set(QueryRetrieveLevel="STUDY", StudyInstanceUID=corpus.uid(1))


def of_study(archive: Path) -> Taken:
    read = [dcmread(path) for path in archive.iterdir()]
    return {each.SOPInstanceUID: each for each in read if each.StudyInstanceUID == corpus.uid(1)}


def check(taken: Taken, archive: Path, statuses: list[Dataset]) -> None:
    expected = of_study(archive)
    assert taken.keys() == expected.keys()
    for uid, found in taken.items():
        assert found == expected[uid]
    assert statuses[-1].Status == 0x0000
    assert statuses[-1].NumberOfCompletedSuboperations == len(expected)
    totals = {
        status.NumberOfRemainingSuboperations
        + status.NumberOfCompletedSuboperations
        + status.NumberOfFailedSuboperations
        + status.NumberOfWarningSuboperations
        for status in statuses[:-1]
    }
    assert totals <= {len(expected)}


@pytest.mark.requirement("RT-062", "RT-083")
def test_get_brings_all_instances(peer: Peer, archive: Path) -> None:
    taken: Taken = {}
    ae, roles = getter()
    with ae.associate(
        HOST, peer.port, ae_title=peer.aet, ext_neg=roles,
        evt_handlers=[(evt.EVT_C_STORE, take, [taken])],
    ) as association:  # fmt: skip
        statuses = [status for status, _ in association.send_c_get(STUDY, STUDY_GET)]
        check(taken, archive, statuses)
        # The association goes on.
        taken.clear()
        check(taken, archive, [status for status, _ in association.send_c_get(STUDY, STUDY_GET)])


@pytest.mark.requirement("RT-083")
def test_get_in_loop_brings_all_instances(peer: Peer, archive: Path, tmp_path: Path) -> None:
    """The asyncio face, with a coroutine as handler and instances in files."""
    taken: Taken = {}
    ae, roles = getter()
    ae.incoming_folder = tmp_path

    async def keep(event: evt.Event) -> int:
        await asyncio.sleep(0)
        assert event.dataset_path.exists()
        return take(event, taken)

    async def get() -> list[Dataset]:
        async with await ae.associate_async(
            HOST, peer.port, ae_title=peer.aet, ext_neg=roles,
            evt_handlers=[(evt.EVT_C_STORE, keep)],
        ) as association:  # fmt: skip
            return [status async for status, _ in association.send_c_get(STUDY, STUDY_GET)]

    check(taken, archive, asyncio.run(get()))
    assert not list(tmp_path.iterdir())


@pytest.mark.requirement("RT-083")
def test_move_brings_all_to_our_storage_scp(peer: Peer, archive: Path, arrived: Taken) -> None:
    arrived.clear()
    ae, _ = getter()
    with ae.associate(HOST, peer.port, ae_title=peer.aet) as association:
        responses = list(association.send_c_move(STUDY, "STORE", STUDY_MOVE))
    check(arrived, archive, [status for status, _ in responses])


@pytest.mark.requirement("RT-032")
def test_instances_that_are_refused_are_counted(peer: Peer) -> None:
    """A handler that refuses one instance: its UID comes back, and the counts tell the outcome."""
    refused = corpus.uid(1, 1, 1)

    def refuse(event: evt.Event) -> int:
        return 0xA700 if event.request.AffectedSOPInstanceUID == refused else 0x0000

    ae, roles = getter()
    with ae.associate(
        HOST, peer.port, ae_title=peer.aet, ext_neg=roles,
        evt_handlers=[(evt.EVT_C_STORE, refuse)],
    ) as association:  # fmt: skip
        *_, (status, failed) = association.send_c_get(STUDY, STUDY_GET)
    assert status.NumberOfFailedSuboperations == 1
    assert status.Status == 0xB000
    # Orthanc leaves the list out.
    assert peer.aet == "ORTHANC" or (failed and failed.FailedSOPInstanceUIDList == refused)
