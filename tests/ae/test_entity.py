"""An AE: its contexts, queries in every syntax and length, and TLS."""

from __future__ import annotations

import socket
import ssl
import warnings

import pytest

import dicomquest
from dicomquest import AE, build_context, evt
from dicomquest.errors import ConnectionFailedError
from fixtures.authority import Authority
from fixtures.faces import (
    EXPLICIT,
    HOST,
    IMPLICIT,
    PATIENT_ROOT,
    QUERY,
    STUDY_ROOT,
    VERIFICATION,
    associated,
    names,
    patients,
    scp,
    scu,
    serving,
)


def test_requested_contexts() -> None:
    ae = AE()
    ae.add_requested_context(VERIFICATION)
    ae.add_requested_context(PATIENT_ROOT, IMPLICIT)
    ae.add_requested_context(PATIENT_ROOT, [EXPLICIT, IMPLICIT])
    assert [context.abstract_syntax for context in ae.requested_contexts] == [
        VERIFICATION,
        PATIENT_ROOT,
        PATIENT_ROOT,
    ]
    assert [len(context.transfer_syntax) for context in ae.requested_contexts] == [4, 1, 2]
    ae.remove_requested_context(PATIENT_ROOT)
    assert [context.abstract_syntax for context in ae.requested_contexts] == [VERIFICATION]
    contexts = [build_context(STUDY_ROOT)]
    ae.requested_contexts = contexts
    contexts[0].add_transfer_syntax("1.2.840.10008.1.2.4.50")
    assert len(ae.requested_contexts[0].transfer_syntax) == 4


@pytest.mark.requirement("UL-023")
def test_contexts_limited_to_places_in_association() -> None:
    """An AE takes no more contexts than an association has places for."""
    ae = AE()
    for number in range(128):
        ae.add_requested_context(f"1.2.{number}")
    with pytest.raises(ValueError, match="129"):
        ae.add_requested_context("1.2.128")
    with pytest.raises(ValueError, match="166"):
        ae.requested_contexts = dicomquest.AllStoragePresentationContexts
    ae.requested_contexts = dicomquest.StoragePresentationContexts
    assert len(ae.requested_contexts) == 120


def test_supported_contexts() -> None:
    ae = AE()
    ae.add_supported_context(STUDY_ROOT, IMPLICIT)
    ae.add_supported_context(PATIENT_ROOT)
    ae.add_supported_context(STUDY_ROOT, EXPLICIT)
    assert [context.abstract_syntax for context in ae.supported_contexts] == [
        PATIENT_ROOT,
        STUDY_ROOT,
    ]
    assert ae.supported_contexts[1].transfer_syntax == [IMPLICIT, EXPLICIT]
    ae.remove_supported_context(PATIENT_ROOT)
    ae.remove_supported_context(PATIENT_ROOT)
    assert [context.abstract_syntax for context in ae.supported_contexts] == [STUDY_ROOT]
    ae.supported_contexts = dicomquest.QueryRetrievePresentationContexts
    assert len(ae.supported_contexts) == 13


@pytest.mark.parametrize(
    "transfer_syntax", [IMPLICIT, EXPLICIT, "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"]
)
@pytest.mark.requirement("UL-025", "UL-090")
def test_queries_in_every_transfer_syntax(transfer_syntax: str) -> None:
    server, client = AE(), AE()
    server.add_supported_context(PATIENT_ROOT, transfer_syntax)
    client.add_requested_context(PATIENT_ROOT, transfer_syntax)
    with serving(lambda _: patients(3), ae=server) as port, associated(port, client) as association:
        (context,) = association.accepted_contexts
        assert names(association.send_c_find(QUERY, PATIENT_ROOT)) == ["0", "1", "2"]
        # The requestor always offers Implicit VR besides; the acceptor's preference decides.
        assert context.transfer_syntax == [transfer_syntax]


@pytest.mark.requirement("UL-070", "UL-072")
@pytest.mark.parametrize(("ours", "theirs"), [(8, 9), (0, 0), (4096, 16382), (1 << 20, 1 << 20)])
def test_queries_under_any_maximum_length(ours: int, theirs: int) -> None:
    server, client = scp(), scu()
    server.maximum_pdu_size, client.maximum_pdu_size = theirs, ours
    with (
        serving(lambda _: patients(20), ae=server) as port,
        associated(port, client) as association,
    ):
        assert len(names(association.send_c_find(QUERY, PATIENT_ROOT))) == 20
        assert (association.requestor.maximum_length, association.acceptor.maximum_length) == (
            ours,
            theirs,
        )


@pytest.mark.requirement("UL-120")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_queries_over_tls(authority: Authority, version: ssl.TLSVersion) -> None:
    context = authority.client_context()
    context.minimum_version = context.maximum_version = version
    with (
        serving(lambda _: patients(1000), ssl_context=authority.server_context()) as port,
        associated(port, tls_args=(context, None)) as association,
    ):
        assert association._driver._socket is not None
        assert isinstance(association._driver._socket._socket, ssl.SSLSocket)
        assert association._driver._socket._socket.version() == version.name.replace("_", ".")
        assert len(names(association.send_c_find(QUERY, PATIENT_ROOT))) == 1000


@pytest.mark.requirement("UL-122")
@pytest.mark.parametrize("hostname", [None, "pacs.example"])
def test_untrusted_certificate_aborts_association(
    authority: Authority, hostname: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    """A certificate that the client does not trust gives an aborted association."""
    context = (Authority() if hostname is None else authority).client_context()
    aborted: list[evt.Event] = []
    with serving(ssl_context=authority.server_context()) as port:
        association = scu().associate(
            HOST,
            port,
            tls_args=(context, hostname),
            evt_handlers=[(evt.EVT_ABORTED, aborted.append)],
        )
        assert association.is_aborted
        assert len(aborted) == 1
        assert isinstance(association.failure, ConnectionFailedError)
        assert "certificate verify failed" in str(association.failure)
        with associated(port, tls_args=(authority.client_context(), None)) as other:
            assert other.send_c_echo().Status == 0x0000
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.requirement("UL-122")
def test_client_without_tls_gets_no_association(
    authority: Authority, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(ssl_context=authority.server_context()) as port:
        assert scu().associate(HOST, port).is_aborted
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.requirement("UL-122")
def test_server_without_tls_aborts_association(authority: Authority) -> None:
    """A TLS client gets an aborted association from a server without TLS."""
    with serving() as port:
        association = scu().associate(HOST, port, tls_args=(authority.client_context(), None))
    assert association.is_aborted
    assert isinstance(association.failure, ConnectionFailedError)


@pytest.mark.requirement("UL-120")
def test_tls_before_1_2_is_refused(authority: Authority) -> None:
    server, client = authority.server_context(), authority.client_context()
    old = authority.client_context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for context in (server, client, old):
            context.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ValueError, match="TLSv1"):
        scp().start_server((HOST, 0), block=False, ssl_context=server)
    with pytest.raises(ValueError, match="TLSv1"):
        scu().associate(HOST, 1, tls_args=(client, None))
    with (
        serving(ssl_context=authority.server_context()) as port,
        socket.create_connection((HOST, port)) as plain,
        pytest.raises(OSError, match=r"(?i)ssl|reset"),
    ):
        old.wrap_socket(plain, server_hostname=HOST)
