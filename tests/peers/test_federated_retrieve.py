"""C-GET and C-MOVE through one server from dcmqrscp, Orthanc, dicomquest and its own index."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicomquest import evt
from dicomquest.index import open_index
from fixtures.faces import HOST, data_set
from fixtures.misbehaving import hang_up, listening
from peers import ours
from peers.our_storage import STUDY_GET, STUDY_MOVE, Taken, getter, take
from peers.processes import Peer, free_port

INCOMPLETE = 0xC003

pytestmark = pytest.mark.peer("dcmqrscp", "Orthanc")


def get(node: Peer, title: str = "GETTER", **keys: object) -> tuple[Taken, Dataset]:
    """The instances that a C-GET brings, and its final response."""
    taken: Taken = {}
    ae, roles = getter(title)
    with ae.associate(
        HOST, node.port, ext_neg=roles, evt_handlers=[(evt.EVT_C_STORE, take, [taken])]
    ) as association:
        *_, (final, _) = association.send_c_get(data_set(**keys), STUDY_GET)
    return taken, final


def expected(archive: Path, **keys: object) -> Taken:
    read = [dcmread(path) for path in archive.iterdir()]
    return {
        str(each.SOPInstanceUID): each
        for each in read
        if all(each.get(key) == value for key, value in keys.items())
    }


def studies(archive: Path) -> list[str]:
    return sorted({str(each.StudyInstanceUID) for each in expected(archive).values()})


def test_get_brings_what_all_archives_hold(federation: Peer, archive: Path) -> None:
    """Each instance comes once, as it is stored, whoever holds it."""
    for uid in studies(archive)[:4]:
        taken, final = get(federation, QueryRetrieveLevel="STUDY", StudyInstanceUID=uid)
        assert taken == expected(archive, StudyInstanceUID=uid)
        assert (final.Status, final.NumberOfCompletedSuboperations) == (0, len(taken))


def test_move_sends_what_all_archives_hold(federation: Peer, archive: Path, arrived: Taken) -> None:
    """The destination is the server's: no archive knows it."""
    uid = studies(archive)[0]
    arrived.clear()
    ae, _ = getter()
    with ae.associate(HOST, federation.port) as association:
        wanted = data_set(QueryRetrieveLevel="STUDY", StudyInstanceUID=uid)
        *_, (final, _) = association.send_c_move(wanted, "STORE", STUDY_MOVE)
    assert final.Status == 0, (final, federation)
    assert arrived == expected(archive, StudyInstanceUID=uid)


def test_instances_are_named_one_by_one(federation: Peer, archive: Path) -> None:
    """Without the keys of upper levels, too, of which some archives need all."""
    some = dict(sorted(expected(archive).items())[::7])
    taken, final = get(federation, QueryRetrieveLevel="IMAGE", SOPInstanceUID=list(some))
    assert (taken, final.Status) == (some, 0)


def test_get_brings_what_the_caller_may_see(federation: Peer, archive: Path) -> None:
    """The filter of visibility holds for instances of upstreams, which know nothing of it."""
    for uid in studies(archive)[:4]:
        taken, final = get(federation, "NARROW", QueryRetrieveLevel="STUDY", StudyInstanceUID=uid)
        assert taken == expected(archive, StudyInstanceUID=uid, Modality="MR")
        assert final.Status == 0


def test_archive_that_fails_is_named(places: list[Path], archive: Path, tmp_path: Path) -> None:
    """The instances of others come; the end is Success only if all that was named has come."""
    with open_index(tmp_path / "own", create=True) as index:
        index.ingest([places[0]])
    uid = str(dcmread(min(places[0].iterdir())).StudyInstanceUID)
    with (
        listening(hang_up) as closing,
        ours.serve(
            tmp_path / "own",
            *("--upstream", f"closing=CLOSING@{HOST}:{closing}"),
            *("--upstream", f"dead=DEAD@{HOST}:{free_port()}"),
        ) as peer,
    ):
        taken, final = get(peer, QueryRetrieveLevel="STUDY", StudyInstanceUID=uid)
        here = {str(dcmread(path).SOPInstanceUID) for path in sorted(places[0].iterdir())}
        assert taken.keys() == here & expected(archive, StudyInstanceUID=uid).keys()
        assert (final.Status, final.NumberOfCompletedSuboperations) == (INCOMPLETE, len(taken))
        assert final.ErrorComment == "incomplete: closing lost; dead unreachable"
        named = sorted(taken)[:1]
        taken, final = get(peer, QueryRetrieveLevel="IMAGE", SOPInstanceUID=named)
        assert (sorted(taken), final.Status) == (named, 0)
