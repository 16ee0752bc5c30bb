"""Storers: they send to nodes without a pause and remember the acknowledged instances."""

from __future__ import annotations

import itertools
from typing import Any

import pynetdicom
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

import dicomquest
from dicomquest import find
from peers import corpus
from peers.corpus import uid
from peers.processes import Peer

STORED_STUDY = uid(100)
STORED_SERIES = uid(100, 1)


def instance(number: int) -> Dataset:
    dataset = corpus.instances()[0]
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STORED_STUDY, STORED_SERIES
    dataset.SOPInstanceUID = f"{STORED_SERIES}.{number}"
    dataset.SOPClassUID = CTImageStorage
    dataset.PatientID = "STORED"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


class Storer:
    """Sends instances one by one, by pynetdicom or our SCU, and remembers the acknowledged ones."""

    def __init__(self, peer: Peer, first: int, *, may_be_cut: bool = False) -> None:
        """``may_be_cut``: a lost association is told, and is no failure of the test.

        This takes our own SCU: pynetdicom leaves the sockets of such associations open.
        """
        self.acknowledged: list[str] = []
        self._numbers = itertools.count(first)
        self._ae: Any = dicomquest.AE() if may_be_cut else pynetdicom.AE()
        self._ae.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
        self._peer = peer
        self._may_be_cut = may_be_cut

    def store(self) -> str:
        """Store the next instance; return the failure in words."""
        association = self._ae.associate(self._peer.host, self._peer.port, ae_title=self._peer.aet)
        if not association.is_established and self._may_be_cut:
            return "no association"
        assert association.is_established
        dataset = instance(next(self._numbers))
        status = association.send_c_store(dataset)
        association.release()
        if status.get("Status") == 0:
            self.acknowledged.append(dataset.SOPInstanceUID)
            return ""
        if "Status" not in status and self._may_be_cut:
            return "no answer"
        assert status.get("Status") == 0xA700, status
        return f"{status.Status:04X}"


def stored_instances(peer: Peer) -> set[str]:
    found = find(
        peer.host, peer.port, level="IMAGE", StudyInstanceUID=STORED_STUDY,
        SeriesInstanceUID=STORED_SERIES,
        SOPInstanceUID=None,
    )  # fmt: skip
    return {each.SOPInstanceUID for each in found}
