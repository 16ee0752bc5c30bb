"""The rules of who may ask, with DCMTK and pynetdicom asking: each refuses, and lets in."""

from __future__ import annotations

import hashlib
import signal
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import jwt
import pynetdicom
import pytest
from click.testing import CliRunner
from pydicom.uid import CTImageStorage

import dicomquest
from dicomquest import UserIdentityNegotiation
from dicomquest.cli import main
from dicomquest.services.passcodes import hasher, write_users
from fixtures.faces import VERIFICATION
from fixtures.postgresql_cluster import wait_for
from fixtures.programs import program
from fixtures.serving import serving
from fixtures.storing import instance, write
from peers import certificates, ours
from peers.certificates import Certificates
from peers.dcmtk import echoscu, findscu
from peers.processes import Outcome, Peer, client

SECRET = "0123456789abcdef0123456789abcdef"

RULES = """
[access]
check-aet = true
known-only = true
users-file = "{folder}/users"
jwt-key = "{folder}/key"

[peers.STATION]
addresses = "127.0.0.0/8"
user-optional = true

[peers.AWAY]
addresses = ["10.0.0.0/8", "2001:db8::/32"]
user-optional = true

[peers.DESK]
user-optional = true
models = ["study"]
levels = ["STUDY"]
services = ["verification", "find"]

[peers.NARROW]
user-optional = true
visible = ["PatientID=D-1"]

[peers.USERS]
users = ["ann"]
"""

KEYS = {"PatientID": "D-1", "StudyInstanceUID": ""}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("access")


def log_in(folder: Path) -> str:
    return next(folder.glob("serve-*.log")).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def scp(archive: Path, folder: Path) -> Iterator[Peer]:
    ours.index(folder / "index.sqlite", archive)
    hashed = hasher().hash("mellon")
    write_users(folder / "users", {"ann": hashed, "bob": hashed})
    (folder / "key").write_text(SECRET, encoding="utf-8")
    (folder / "own.toml").write_text(RULES.format(folder=folder), encoding="utf-8")
    options = ("--config", str(folder / "own.toml"), "--store", str(folder / "store"))
    with ours.serve(folder / "index.sqlite", *options, aet="ARCHIVE") as peer:
        yield peer
    log = log_in(folder)
    assert "mellon" not in log
    assert "guess" not in log


def storescu(peer: Peer, file: Path, *options: str) -> Outcome:
    command = [program("storescu"), "-v", "-aec", peer.aet, *options]
    return client([*command, peer.host, str(peer.port), str(file)])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("instance")
    write(folder, [instance(1, 1)])
    return next(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.peer("echoscu")
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("-aet", "STATION"), ""),
        (("-aet", "STRANGER"), "Calling AE Title Not Recognized"),
        (("-aet", "AWAY"), "Calling AE Title Not Recognized"),
        (("-aet", "STATION", "-aec", "OTHER"), "Called AE Title Not Recognized"),
        (("-aet", "USERS"), "No Reason"),
    ],
)
def test_echoscu(scp: Peer, options: tuple[str, ...], reason: str) -> None:
    outcome = echoscu(scp, *options)
    assert (outcome.status == 0) is (reason == "")
    assert reason in outcome.output


@pytest.mark.peer("findscu")
def test_findscu_has_its_level_and_model_alone(scp: Peer) -> None:
    allowed = findscu(scp, "STUDY", KEYS, "-aet", "DESK")
    assert allowed.final == "Success"
    assert allowed.answers
    series = {**KEYS, "StudyInstanceUID": "1.2.3", "SeriesInstanceUID": ""}
    assert "0x124" in findscu(scp, "SERIES", series, "-aet", "DESK").final
    assert findscu(scp, "SERIES", series, "-aet", "STATION").final == "Success"
    refused = findscu(scp, "STUDY", KEYS, "-aet", "DESK", model="patient")
    assert "No Acceptable Presentation Contexts" in refused.output
    assert findscu(scp, "STUDY", KEYS, "-aet", "STATION", model="patient").final == "Success"


@pytest.mark.peer("findscu")
def test_findscu_sees_what_is_visible_alone(scp: Peer) -> None:
    all_patients = {"PatientID": "", "NumberOfPatientRelatedStudies": ""}
    narrow = findscu(scp, "PATIENT", all_patients, "-aet", "NARROW", model="patient")
    wide = findscu(scp, "PATIENT", all_patients, "-aet", "STATION", model="patient")
    own = [answer for answer in wide.answers if answer["PatientID"] == "D-1"]
    assert len(wide.answers) > len(narrow.answers) == 1
    assert narrow.answers == own
    hidden = next(answer["PatientID"] for answer in wide.answers if answer not in own)
    asked = {"PatientID": str(hidden), "StudyInstanceUID": ""}
    assert findscu(scp, "STUDY", asked, "-aet", "NARROW").answers == []
    assert findscu(scp, "STUDY", asked, "-aet", "STATION").answers


@pytest.mark.peer("storescu")
def test_storescu_stores_where_it_may(scp: Peer, file: Path) -> None:
    assert storescu(scp, file, "-aet", "STATION").status == 0
    refused = storescu(scp, file, "-aet", "DESK")
    assert refused.status != 0
    assert "No Acceptable Presentation Contexts" in refused.output


@pytest.mark.peer("storescu")
@pytest.mark.parametrize(
    ("user", "passcode", "is_let_in"),
    [("ann", "mellon", True), ("ann", "guess", False), ("bob", "mellon", False)],
)
def test_storescu_gives_a_passcode(
    scp: Peer, file: Path, user: str, passcode: str, is_let_in: bool
) -> None:
    """Bob's passcode is right, but the title is Ann's alone."""
    given = ("-aet", "USERS", "--user", user, "--password", passcode, "--pos-response")
    outcome = storescu(scp, file, *given)
    assert (outcome.status == 0) is is_let_in, outcome.output


@pytest.mark.peer("storescu")
@pytest.mark.parametrize("seconds", [600, -600])
def test_storescu_gives_a_token(
    scp: Peer, folder: Path, file: Path, tmp_path: Path, seconds: int
) -> None:
    token = tmp_path / "token"
    claims = {"sub": "ann", "exp": time.time() + seconds}
    token.write_text(jwt.encode(claims, SECRET, "HS256"), encoding="ascii")
    outcome = storescu(scp, file, "-aet", "USERS", "--jwt", str(token))
    assert (outcome.status == 0) is (seconds > 0), outcome.output
    if seconds < 0:
        wait_for(lambda: "the token" in log_in(folder), "the reason in the log")


def test_pynetdicom_hears_which_context_is_refused(scp: Peer) -> None:
    ae = pynetdicom.AE("DESK")
    for uid in (VERIFICATION, CTImageStorage):
        ae.add_requested_context(uid)
    association = ae.associate(scp.host, scp.port, ae_title=scp.aet)
    try:
        assert [context.abstract_syntax for context in association.accepted_contexts] == [
            VERIFICATION
        ]
        (refused,) = association.rejected_contexts
        assert (refused.abstract_syntax, refused.result) == (CTImageStorage, 1)
    finally:
        association.release()


def test_pynetdicom_hears_that_its_user_is_verified(scp: Peer) -> None:
    ae = pynetdicom.AE("USERS")
    ae.add_requested_context(VERIFICATION)
    for passcode, is_let_in in ((b"mellon", True), (b"guess", False)):
        item = pynetdicom.pdu_primitives.UserIdentityNegotiation()
        item.user_identity_type = 2
        item.primary_field = b"ann"
        item.secondary_field = passcode
        item.positive_response_requested = True
        association = ae.associate(scp.host, scp.port, ae_title=scp.aet, ext_neg=[item])
        assert association.is_established is is_let_in
        if is_let_in:
            assert association.acceptor.user_identity is not None
            association.release()


def test_our_commands_give_a_user(scp: Peer, file: Path, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("mellon\n", encoding="utf-8")
    own = ("--aec", scp.aet, "--aet", "USERS")
    user = ("--user", "ann", "--password-file", str(password))
    for command in (
        ("echo", scp.host, str(scp.port)),
        ("find", scp.host, str(scp.port), "PatientID=D-1"),
        ("send", str(file), scp.host, str(scp.port)),
    ):
        assert CliRunner().invoke(main, [*command, *own, *user]).exit_code == 0
        refused = CliRunner().invoke(main, [*command, *own])
        assert refused.exit_code == 1
        assert "--user NAME --password-file FILE" in refused.stderr


def test_our_library_gives_a_user(scp: Peer) -> None:
    def ask(passcode: bytes) -> list[str]:
        ann = UserIdentityNegotiation(2, b"ann", passcode)
        found = dicomquest.find(
            scp.host, scp.port, called_aet=scp.aet, calling_aet="USERS", user_identity=ann,
            PatientID="D-1",
        )  # fmt: skip
        return [str(study.PatientID) for study in found]

    assert set(ask(b"mellon")) == {"D-1"}
    with pytest.raises(dicomquest.AssociationRejectedError) as caught:
        ask(b"guess")
    assert (caught.value.result, caught.value.source, caught.value.reason) == (1, 2, 1)


@pytest.mark.peer("echoscu")
def test_changed_rules_hold_from_sighup_on(archive: Path, tmp_path: Path) -> None:
    ours.index(tmp_path / "index.sqlite", archive)
    file = tmp_path / "own.toml"
    rules = '[access]\nknown-only = true\n[peers.{}]\naddresses = "127.0.0.1"\n'
    file.write_text(rules.format("ONE"), encoding="utf-8")
    with serving(tmp_path / "index.sqlite", tmp_path, "--config", str(file)) as server:
        peer = Peer("127.0.0.1", server.port, "ANY-SCP")
        assert [echoscu(peer, "-aet", title).status == 0 for title in ("ONE", "TWO")] == [
            True,
            False,
        ]
        file.write_text(rules.format("TWO"), encoding="utf-8")
        server.process.send_signal(signal.SIGHUP)
        server.log_with("who may ask: programs of this machine, as TWO")
        wait_for(lambda: echoscu(peer, "-aet", "TWO").status == 0, "the new rules")
        assert echoscu(peer, "-aet", "ONE").status != 0


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def tls_scp(
    archive: Path, pem: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Peer]:
    folder = tmp_path_factory.mktemp("pinned")
    ours.index(folder / "index.sqlite", archive)
    encoded = ssl.PEM_cert_to_DER_cert(Path(pem.client.cert).read_text(encoding="ascii"))
    (folder / "own.toml").write_text(
        f'[peers.LAB]\ncertificate = "sha256:{hashlib.sha256(encoded).hexdigest()}"\n'
        f'[peers.OTHER]\ncertificate = "sha256:{"00" * 32}"\n',
        encoding="utf-8",
    )
    options = ("--tls-cert", pem.server.cert, "--tls-key", pem.server.key, "--tls-ca", pem.ca)
    with ours.serve(
        folder / "index.sqlite", "--config", str(folder / "own.toml"), *options
    ) as peer:
        yield peer


@pytest.mark.peer("echoscu")
def test_title_needs_its_certificate(tls_scp: Peer, pem: Certificates) -> None:
    """The certificate of LAB opens neither the title of another nor one without a rule."""
    own = ("+tls", pem.client.key, pem.client.cert, "+cf", pem.ca)
    assert echoscu(tls_scp, "-aet", "LAB", *own).status == 0
    for title in ("OTHER", "FREE"):
        outcome = echoscu(tls_scp, "-aet", title, *own)
        assert outcome.status != 0
        assert "Calling AE Title Not Recognized" in outcome.output
    servers = ("+tls", pem.server.key, pem.server.cert, "+cf", pem.ca)
    assert echoscu(tls_scp, "-aet", "LAB", *servers).status != 0
    assert echoscu(tls_scp, "-aet", "FREE", *servers).status == 0
