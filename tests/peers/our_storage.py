"""Our own AE as the requestor of retrieves from real peers, and as their Storage SCP."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from dicomquest import AE, build_role, evt, sop_class
from fixtures.faces import HOST, running
from peers import corpus
from peers.processes import Peer

STUDY_GET = sop_class.StudyRootQueryRetrieveInformationModelGet
STUDY_MOVE = sop_class.StudyRootQueryRetrieveInformationModelMove

Taken = dict[str, Dataset]


def take(event: evt.Event, taken: Taken) -> int:
    """Keep the instance under its UID; a second one of the same UID is a failure."""
    uid = str(event.request.AffectedSOPInstanceUID)
    assert uid not in taken
    taken[uid] = event.dataset
    return 0x0000


@contextlib.contextmanager
def storage_scp(arrived: Taken) -> Iterator[Peer]:
    """Run a Storage SCP named STORE that keeps what arrives."""
    ae = AE("STORE")
    for uid in corpus.SOP_CLASSES.values():
        ae.add_supported_context(uid)
    with running((evt.EVT_C_STORE, take, [arrived]), ae=ae) as server:
        yield Peer(HOST, server.server_address[1], "STORE")


def getter(title: str = "GETTER") -> tuple[AE, list[Any]]:
    """An AE that asks for the archive's classes, and the roles that it asks for."""
    ae = AE(title)
    ae.add_requested_context(STUDY_GET)
    ae.add_requested_context(STUDY_MOVE)
    for uid in corpus.SOP_CLASSES.values():
        ae.add_requested_context(uid, ExplicitVRLittleEndian)
    return ae, [build_role(uid, scp_role=True) for uid in corpus.SOP_CLASSES.values()]
