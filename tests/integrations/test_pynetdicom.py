"""pynetdicom's AE with our handler answers like our own server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pynetdicom
import pytest
from pynetdicom import evt

from dicomquest import AE
from dicomquest.index import Index, open_index
from dicomquest.integrations.pynetdicom import find_handler
from dicomquest.standard.models import MODELS, STUDY_ROOT
from fixtures.faces import HOST, data_set
from peers import corpus, dcmtk, ours
from peers.processes import Peer

KEYS = {"PatientName": "", "StudyInstanceUID": "", "ModalitiesInStudy": "", "StudyDate": ""}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    folder = tmp_path_factory.mktemp("handler")
    (folder / "files").mkdir()
    corpus.write(folder / "files")
    with open_index(folder / "index.sqlite", create=True) as index:
        index.ingest([folder / "files"])
        yield index


@pytest.fixture(scope="module")
def peer(index: Index) -> Iterator[Peer]:
    ae = pynetdicom.AE("PYNETDICOM")
    for model in MODELS:
        ae.add_supported_context(model.uid)
    handlers: list[Any] = [(evt.EVT_C_FIND, find_handler(index, retrieve_ae_title="ARCHIVE"))]
    server = ae.start_server((HOST, 0), block=False, evt_handlers=handlers)
    assert server is not None
    yield Peer(HOST, server.server_address[1], "PYNETDICOM")
    server.shutdown()


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"PatientName": "*i*"},
        {"ModalitiesInStudy": "CT"},
        {"StudyDate": "20000101-"},
        {"PatientName": "nobody"},
    ],
)
def test_handler_answers_like_our_server(index: Index, peer: Peer, keys: dict[str, str]) -> None:
    with ours.serve(index_path(index)) as served:
        asked = KEYS | keys
        answers, expected = (
            sorted(map(str, ours.find(each, "STUDY", asked))) for each in (peer, served)
        )
    assert [each.replace("ARCHIVE", "DICOMQUEST") for each in answers] == expected


def index_path(index: Index) -> Path:
    return Path(index._database.name)


@pytest.mark.peer("findscu")
def test_findscu_is_answered(peer: Peer) -> None:
    outcome = dcmtk.findscu(peer, "STUDY", KEYS)
    assert outcome.status == 0
    assert outcome.answers


def test_refusal_says_why(peer: Peer) -> None:
    ae = AE("SCU")
    ae.add_requested_context(STUDY_ROOT.uid)
    with ae.associate(HOST, peer.port) as association:
        wrong = data_set(QueryRetrieveLevel="NONSENSE", StudyDate=None)
        ((status, identifier),) = association.send_c_find(wrong, STUDY_ROOT.uid)
    assert identifier is None
    assert status.Status == 0xA900
    assert status.OffendingElement == 0x00080052
    assert "NONSENSE" in status.ErrorComment


def test_cancel_ends_the_search(index: Index) -> None:
    class Asked:
        identifier = data_set(QueryRetrieveLevel="STUDY", StudyInstanceUID=None)
        is_cancelled = False

        class context:  # noqa: N801
            abstract_syntax = STUDY_ROOT.uid

    event = Asked()
    answers = find_handler(index)(event)
    assert next(answers)[0] == 0xFF00
    event.is_cancelled = True
    assert list(answers) == [(0xFE00, None)]
