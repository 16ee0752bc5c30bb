"""The server of `dicomquest serve`, over the wire: statuses, switches, and settings by peer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset

from dicomquest import AE, SOPClassExtendedNegotiation
from dicomquest.ae.background import RunningServer
from dicomquest.aio.server import Server
from dicomquest.cli.serve_settings import ServeSettings
from dicomquest.cli.server_assembly import server_settings
from dicomquest.dimse.commands import CCancelRQ, CEchoRQ, CEchoRSP, CFindRSP
from dicomquest.index import Index
from dicomquest.standard.models import (
    MODALITY_WORKLIST,
    MODELS,
    NON_PATIENT_MODELS,
    PATIENT_ROOT,
    STUDY_ROOT,
    UPS_MODELS,
)
from dicomquest.standard.step_attributes import MPPS
from dicomquest.worklist.entries import Worklist
from dicomquest.worklist.entry import entries_of
from fixtures.faces import HOST, RawPeer, data_set, raw_requestor
from fixtures.worklists import entry
from peers import corpus
from peers.corpus import STUDIES, uid

Answers = list[tuple[Dataset, Dataset | None]]


@pytest.fixture(scope="module")
def location(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("assembled")
    (folder / "files").mkdir()
    corpus.write(folder / "files")
    with Index(folder / "index.sqlite") as index:
        index.ingest([folder / "files"])
    return folder / "index.sqlite"


@contextlib.contextmanager
def serving(location: Path, **changes: Any) -> Iterator[int]:
    settings = replace(ServeSettings(index=str(location), aet="ARCHIVE"), **changes)
    with Index(location, create=False) as index:
        server = RunningServer(lambda: Server(server_settings(settings, index)), (HOST, 0))
        server.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def find(
    port: int, level: str, model: str = STUDY_ROOT.uid, *, aet: str = "SCU", **keys: Any
) -> Answers:
    ae = AE(aet)
    ae.add_requested_context(model)
    with ae.associate(HOST, port) as association:
        assert association.is_established, association.failure
        return list(association.send_c_find(data_set(QueryRetrieveLevel=level, **keys), model))


def matches(answers: Answers) -> list[Dataset]:
    return [identifier for _, identifier in answers if identifier is not None]


LEVELS = {
    "PATIENT": {"PatientID": ""},
    "STUDY": {"PatientID": "12345678", "StudyInstanceUID": ""},
    "SERIES": {"PatientID": "12345678", "StudyInstanceUID": uid(1), "SeriesInstanceUID": ""},
    "IMAGE": {
        "PatientID": "12345678",
        "StudyInstanceUID": uid(1),
        "SeriesInstanceUID": uid(1, 1),
        "SOPInstanceUID": "",
    },
}
levels = pytest.mark.parametrize("level", LEVELS)


@levels
@pytest.mark.requirement("QR-040", "QR-141")
def test_match_has_response_success_ends(location: Path, level: str) -> None:
    """Each match has its response, and Success ends them."""
    with serving(location) as port:
        answers = find(port, level, PATIENT_ROOT.uid, **LEVELS[level])
    assert len(answers) == {"PATIENT": 5, "STUDY": 2, "SERIES": 2, "IMAGE": 8}[level] + 1
    assert [status.Status for status, _ in answers] == [0xFF00] * (len(answers) - 1) + [0x0000]
    assert [identifier is not None for _, identifier in answers] == [True] * (len(answers) - 1) + [
        False
    ]


@levels
@pytest.mark.requirement("QR-047", "QR-048")
@pytest.mark.parametrize(
    ("changes", "title"), [({}, "ARCHIVE"), ({"retrieve_aet": "PACS"}, "PACS")]
)
def test_every_response_says_where_instances_are(
    location: Path, level: str, changes: dict[str, Any], title: str
) -> None:
    with serving(location, **changes) as port:
        found = matches(find(port, level, PATIENT_ROOT.uid, **LEVELS[level]))
    assert {match.RetrieveAETitle for match in found} == {title}


@levels
@pytest.mark.requirement("QR-050", "QR-051", "QR-034")
def test_all_that_is_indexed_is_online(location: Path, level: str) -> None:
    with serving(location) as port:
        found = matches(
            find(port, level, PATIENT_ROOT.uid, **LEVELS[level], InstanceAvailability="")
        )
        unasked = matches(find(port, level, PATIENT_ROOT.uid, **LEVELS[level]))
    assert {match.InstanceAvailability for match in found} == {"ONLINE"}
    assert not any("InstanceAvailability" in match for match in unasked)


@pytest.mark.requirement("QR-152", "QR-146")
def test_result_limit_ends_in_a700(location: Path) -> None:
    """A result limit ends in A700 after that many matches."""
    with serving(location, result_limit=4) as port:
        answers = find(port, "STUDY", StudyInstanceUID="")
    final, _ = answers[-1]
    assert [status.Status for status, _ in answers] == [0xFF00] * 4 + [0xA700]
    assert final.ErrorComment == "result limit 4 reached"
    assert "OffendingElement" not in final


@pytest.mark.requirement("QR-152", "QR-141")
def test_result_limit_not_exceeded_is_not_reached(location: Path) -> None:
    """A result limit that cuts nothing off is not reached."""
    with serving(location, result_limit=len(STUDIES)) as port:
        answers = find(port, "STUDY", StudyInstanceUID="")
    assert [status.Status for status, _ in answers] == [0xFF00] * len(STUDIES) + [0x0000]


def test_settings_by_calling_ae_title(location: Path) -> None:
    peers = {
        "LIMITED": {"result_limit": 1, "limit_is_success": True},
        "STRICT": {"strict": True},
        "LETTER": {"unknown_matches": True},
    }
    with serving(location, peers=peers) as port:
        assert [
            status.Status for status, _ in find(port, "STUDY", aet="LIMITED", StudyInstanceUID="")
        ] == [0xFF00, 0]
        assert len(find(port, "STUDY", aet="OTHER", StudyInstanceUID="")) == len(STUDIES) + 1
        modality = {"Modality": "CT", "SeriesInstanceUID": ""}
        assert find(port, "SERIES", aet="STRICT", **modality)[-1][0].Status == 0xA900
        assert find(port, "SERIES", aet="OTHER", **modality)[-1][0].Status == 0x0000
        # CITIZEN^Snip has no birth date.
        born = {"PatientID": "12345679", "PatientBirthDate": "19000101", "StudyInstanceUID": ""}
        assert len(matches(find(port, "STUDY", aet="LETTER", **born))) == 1
        assert len(matches(find(port, "STUDY", aet="OTHER", **born))) == 0


def test_wrong_called_title_refused_where_checked(location: Path) -> None:
    """Another called AE title is refused where the server checks it."""
    ae = AE()
    ae.add_requested_context(STUDY_ROOT.uid)
    with serving(location, check_aet=True) as port:
        assert ae.associate(HOST, port, ae_title="OTHER").is_rejected
        with ae.associate(HOST, port, ae_title="ARCHIVE") as association:
            assert association.is_established


@pytest.mark.requirement("QR-001", "QR-073", "QR-075")
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.words)
def test_options_hold_for_sop_class_offered(location: Path, model: Any) -> None:
    """Options are answered for the SOP class that offered them."""
    ae = AE()
    for each in MODELS:
        ae.add_requested_context(each.uid)
    offered = SOPClassExtendedNegotiation(model.uid, bytes([1, 1, 0, 1, 1, 1, 1]))
    with serving(location) as port, ae.associate(HOST, port, ext_neg=[offered]) as association:
        assert association.extended_negotiation == {model.uid: bytes([1, 1, 0, 1, 0, 1, 1])}


@pytest.mark.requirement("QR-073")
def test_nothing_is_answered_where_nothing_was_offered(location: Path) -> None:
    ae = AE()
    ae.add_requested_context(STUDY_ROOT.uid)
    foreign = SOPClassExtendedNegotiation("1.2.840.10008.1.1", b"\1")
    with serving(location) as port:
        with ae.associate(HOST, port) as association:
            assert association.extended_negotiation == {}
        with ae.associate(HOST, port, ext_neg=[foreign]) as association:
            assert association.extended_negotiation == {}


@pytest.mark.requirement("QR-075")
def test_option_holds_for_its_sop_class_alone(location: Path) -> None:
    ae = AE()
    ae.add_requested_context(STUDY_ROOT.uid)
    ae.add_requested_context(PATIENT_ROOT.uid)
    fuzzy = SOPClassExtendedNegotiation(PATIENT_ROOT.uid, bytes([0, 0, 1]))
    with serving(location) as port, ae.associate(HOST, port, ext_neg=[fuzzy]) as association:
        patients = data_set(QueryRetrieveLevel="PATIENT", PatientName="JANE DOE", PatientID="")
        studies = data_set(QueryRetrieveLevel="STUDY", PatientName="JANE DOE", StudyInstanceUID="")
        found = matches(list(association.send_c_find(patients, PATIENT_ROOT.uid)))
        assert "DOE^JANE" in [str(match.PatientName) for match in found]
        assert len(matches(list(association.send_c_find(studies, STUDY_ROOT.uid)))) == 0


def receive_all(peer: RawPeer) -> list[CFindRSP]:
    answers: list[CFindRSP] = []
    while not answers or answers[-1].status in {0xFF00, 0xFF01}:
        answer = peer.receive_command()
        assert isinstance(answer, CFindRSP)
        answers.append(answer)
    return answers


@pytest.mark.requirement("QR-161", "QR-162")
def test_cancel_of_nothing_is_ignored(location: Path) -> None:
    with serving(location) as port, raw_requestor(port) as peer:
        peer.send_command(CCancelRQ(message_id_being_responded_to=7))
        peer.send_find(1)
        assert [answer.status for answer in receive_all(peer)] == [0xFF00] * 5 + [0x0000]
        peer.send_command(CCancelRQ(message_id_being_responded_to=1))
        peer.send_command(CCancelRQ(message_id_being_responded_to=1))
        peer.send_command(
            CEchoRQ(message_id=2, affected_sop_class_uid="1.2.840.10008.1.1"), context_id=1
        )
        answer = peer.receive_command()
        assert isinstance(answer, CEchoRSP)
        assert (answer.message_id_being_responded_to, answer.status) == (2, 0x0000)


@pytest.mark.requirement("WL-001", "WL-012")
def test_worklist_is_served_where_asked_for(location: Path) -> None:
    """The worklist is served with --worklist alone, and its negotiation has three bytes."""
    with Worklist(location) as worklist:
        worklist.add(entries_of(entry(1)), 0)
    model = MODALITY_WORKLIST.uid
    ae = AE()
    ae.add_requested_context(model)
    with serving(location) as port, ae.associate(HOST, port) as association:
        assert association.accepted_contexts == []
    ae.add_requested_context(MPPS)
    with serving(location, worklist=True) as port, ae.associate(HOST, port) as association:
        assert [each.abstract_syntax for each in association.accepted_contexts] == [model, MPPS]
    offer = SOPClassExtendedNegotiation(model, b"\1\1\1")
    with (
        serving(location, worklist=True) as port,
        ae.associate(HOST, port, ext_neg=[offer]) as association,
    ):
        assert association.extended_negotiation == {model: b"\1\1\1"}
        found = list(association.send_c_find(data_set(PatientID="P1"), model))
    assert [status.Status for status, _ in found] == [0xFF00, 0x0000]
    assert found[0][1] == data_set(PatientID="P1")


@pytest.mark.requirement("NP-006", "UP-006")
def test_other_models_negotiate_as_the_worklist(location: Path) -> None:
    models = [each.uid for each in (*UPS_MODELS, *NON_PATIENT_MODELS)]
    ae = AE()
    for each in models:
        ae.add_requested_context(each)
    offers = [SOPClassExtendedNegotiation(each, b"\1\1\1") for each in models]
    with (
        serving(location, worklist=True) as port,
        ae.associate(HOST, port, ext_neg=offers) as association,
    ):
        assert association.extended_negotiation == dict.fromkeys(models, b"\1\1\1")


@pytest.mark.requirement("MP-010")
def test_entries_of_chosen_steps_are_hidden(location: Path) -> None:
    """A step that a modality has begun leaves the list where --hide-steps says so."""
    with Worklist(location) as worklist:
        worklist.add(entries_of(entry(1)), 0)
    ae = AE("CT1")
    ae.add_requested_context(MPPS)
    ae.add_requested_context(MODALITY_WORKLIST.uid)
    attributes = data_set(
        ScheduledStepAttributesSequence=[
            data_set(StudyInstanceUID="1.2.1", ScheduledProcedureStepID="S1")
        ],
        PerformedProcedureStepID="PPS1",
        PerformedStationAETitle="CT1",
        PerformedProcedureStepStartDate="20260105",
        PerformedProcedureStepStartTime="1031",
        PerformedProcedureStepStatus="IN PROGRESS",
        Modality="CT",
    )
    asked = data_set(PatientID="P1")
    with (
        serving(location, worklist=True, hide_steps=("in-progress",)) as port,
        ae.associate(HOST, port) as association,
    ):
        before = list(association.send_c_find(asked, MODALITY_WORKLIST.uid))
        status, _ = association.send_n_create(attributes, MPPS, "1.2.3.4.5")
        after = list(association.send_c_find(asked, MODALITY_WORKLIST.uid))
    assert (len(before), status.Status, len(after)) == (2, 0x0000, 1)
