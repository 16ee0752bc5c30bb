"""DICOM over TLS (PS3.15 B.12): our SCP with DCMTK, our client with our SCP and Orthanc."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.timing import LONG
from peers import certificates, ours
from peers.answers import only
from peers.certificates import Certificates, Identity
from peers.dcmtk import echoscu, findscu
from peers.orthanc import orthanc
from peers.processes import Peer

KEYS = {"PatientID": "D-1", "PatientName": ""}


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def scp(
    archive: Path, pem: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Peer]:
    """A server that asks clients for a certificate."""
    location = tmp_path_factory.mktemp("tls") / "index.sqlite"
    ours.index(location, archive)
    options = ("--tls-cert", pem.server.cert, "--tls-key", pem.server.key, "--tls-ca", pem.ca)
    with ours.serve(location, *options) as peer:
        yield peer


def dcmtk_options(pem: Certificates, identity: Identity) -> tuple[str, ...]:
    return ("+tls", identity.key, identity.cert, "+cf", pem.ca)


def our_options(pem: Certificates, identity: Identity) -> tuple[str, ...]:
    return ("--tls-ca", pem.ca, "--tls-cert", identity.cert, "--tls-key", identity.key)


@pytest.mark.requirement("UL-120")
@pytest.mark.peer("findscu")
def test_findscu(scp: Peer, pem: Certificates) -> None:
    outcome = findscu(scp, "STUDY", KEYS, *dcmtk_options(pem, pem.client))
    assert outcome.final == "Success", outcome.output
    assert only(outcome.answers, "PatientName") == [("DOE^JOHN",)]


@pytest.mark.peer("echoscu")
def test_client_of_another_authority_is_refused(scp: Peer, pem: Certificates) -> None:
    assert echoscu(scp, *dcmtk_options(pem, pem.stranger)).status != 0
    assert echoscu(scp, *dcmtk_options(pem, pem.client)).status == 0


@pytest.mark.requirement("UL-121")
@pytest.mark.peer("echoscu")
def test_client_without_tls_is_refused(scp: Peer, pem: Certificates) -> None:
    assert echoscu(scp).status != 0
    assert echoscu(scp, *dcmtk_options(pem, pem.client)).status == 0


def test_our_client(scp: Peer, pem: Certificates) -> None:
    assert only(ours.find(scp, "STUDY", KEYS, *our_options(pem, pem.client)), "PatientName") == [
        ("DOE^JOHN",)
    ]
    echo = ours.run("echo", scp.host, str(scp.port), *our_options(pem, pem.client))
    assert echo.status == 0, echo.err


@pytest.mark.requirement("UL-122")
def test_our_client_says_why_there_is_no_association(scp: Peer, pem: Certificates) -> None:
    for options in ((), ("--tls",), our_options(pem, pem.stranger)):
        echo = ours.run("echo", scp.host, str(scp.port), *options)
        assert echo.status == 1
        assert echo.err.startswith("Error: "), echo.err
        assert "Traceback" not in echo.err


def client_context(pem: Certificates, version: ssl.TLSVersion) -> ssl.SSLContext:
    """A client that speaks this one version, and would have any cipher."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    context.load_verify_locations(pem.ca)
    context.load_cert_chain(pem.client.cert, pem.client.key)
    return context


@pytest.mark.requirement("UL-120")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_tls_before_1_2_is_refused(scp: Peer, pem: Certificates, version: ssl.TLSVersion) -> None:
    context = client_context(pem, version)
    with (
        socket.create_connection((scp.host, scp.port), timeout=LONG) as connection,
        pytest.raises((ssl.SSLError, ConnectionResetError)),
    ):
        context.wrap_socket(connection, server_hostname=scp.host)


@pytest.mark.requirement("UL-120")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_from_1_2_on_is_spoken(scp: Peer, pem: Certificates, version: ssl.TLSVersion) -> None:
    context = client_context(pem, version)
    with (
        socket.create_connection((scp.host, scp.port), timeout=LONG) as connection,
        context.wrap_socket(connection, server_hostname=scp.host) as secured,
    ):
        assert secured.version() == version.name.replace("_", ".")


@pytest.mark.peer("Orthanc", "findscu")
def test_our_client_with_orthanc(archive: Path, pem: Certificates, tmp_path: Path) -> None:
    settings = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": pem.server.cert,
        "DicomTlsPrivateKey": pem.server.key,
        "DicomTlsTrustedCertificates": pem.ca,
    }
    with orthanc(tmp_path, sorted(archive.iterdir()), **settings) as peer:
        theirs = findscu(peer, "STUDY", KEYS, *dcmtk_options(pem, pem.client)).answers
        assert only(theirs, *KEYS) == [("D-1", "DOE^JOHN")]
        assert only(ours.find(peer, "STUDY", KEYS, *our_options(pem, pem.client)), *KEYS) == only(
            theirs, *KEYS
        )
