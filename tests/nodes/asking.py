"""The question of the tests of many nodes: all studies, by our client and by findscu."""

from __future__ import annotations

from collections.abc import Iterator

from dicomquest import find
from dicomquest.errors import QueryFailedError
from peers import dcmtk
from peers.corpus import STUDIES, uid
from peers.processes import Peer

FAILED = {0xA700, 0xC002}
"""The endings of a find while there is no database."""

EXPECTED = {uid(number) for number in range(1, len(STUDIES) + 1)}


def find_all(peer: Peer) -> str:
    """Ask by our client; return the failure in words. An incomplete answer fails the test."""
    try:
        found = {
            study.StudyInstanceUID
            for study in find(peer.host, peer.port, StudyInstanceUID=None, PatientID=None)
        }
    except QueryFailedError as error:
        if error.status not in FAILED:
            raise
        return str(error)
    assert found >= EXPECTED, f"answered with success, but without {EXPECTED - found}"
    return ""


def findscu_all(peers: Iterator[Peer]) -> str:
    """The same by findscu, of one node after the other."""
    outcome = dcmtk.findscu(next(peers), "STUDY", {"StudyInstanceUID": "", "PatientID": ""})
    if outcome.final.startswith("Success"):
        assert {answer["StudyInstanceUID"] for answer in outcome.answers} >= EXPECTED, (
            outcome.output
        )
        return ""
    assert outcome.final, outcome.output
    return outcome.final
