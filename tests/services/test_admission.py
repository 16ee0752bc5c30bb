"""The rules of who may ask, over the wire: the forbidden is refused, the allowed is not."""

from __future__ import annotations

import hashlib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest
import trustme
from pydicom.dataset import Dataset

from dicomquest import AE
from dicomquest.services.access import Identity, Profile, ServiceKind
from dicomquest.services.admission import AccessRules, CertificatePin, Network, PeerRule
from dicomquest.standard.levels import Level
from dicomquest.standard.models import PATIENT_ROOT, STUDY_ROOT
from fixtures.admitting import IN, NOT_RECOGNIZED, admitting, associate, outcome, outcomes
from fixtures.faces import HOST, VERIFICATION, data_set


def networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def limited(**limits: frozenset[object]) -> AccessRules:
    """Rules that give SCU a profile of its own."""
    return AccessRules(peers={"SCU": PeerRule(profile=Profile(**limits))})  # type: ignore[arg-type]


@pytest.mark.requirement("UL-030")
def test_unknown_title_is_refused() -> None:
    with admitting(AccessRules(peers={"LAB": PeerRule()}, known_only=True)) as port:
        assert outcomes(port, {"LAB": "", "OTHER": ""}) == {"LAB": IN, "OTHER": NOT_RECOGNIZED}


def test_title_is_bound_to_its_addresses() -> None:
    peers = {
        "ONE": PeerRule(networks("127.0.0.2")),
        "TWO": PeerRule(networks("10.0.0.0/8", "127.0.0.4/30")),
    }
    with admitting(AccessRules(peers=peers)) as port:
        assert outcomes(port, {"ONE": "127.0.0.2", "TWO": "127.0.0.7", "FREE": "127.0.0.9"}) == {
            "ONE": IN,
            "TWO": IN,
            "FREE": IN,
        }
        assert outcomes(port, {"ONE": "127.0.0.3", "TWO": "127.0.0.8"}) == {
            "ONE": NOT_RECOGNIZED,
            "TWO": NOT_RECOGNIZED,
        }


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_title_is_bound_to_ipv6_addresses() -> None:
    peers = {"HERE": PeerRule(networks("::1")), "AWAY": PeerRule(networks("2001:db8::/32"))}
    with admitting(AccessRules(peers=peers), host="::1") as port:
        assert outcome(associate(port, "HERE", host="::1")) == IN
        assert outcome(associate(port, "AWAY", host="::1")) == NOT_RECOGNIZED


@pytest.mark.parametrize(
    ("address", "is_in"),
    [
        ("10.1.2.3", True),
        ("10.2.2.3", False),
        ("::ffff:10.1.2.3", True),
        ("::ffff:10.2.2.3", False),
        ("fe80::1%eth0", True),
        ("fe81::1%eth0", False),
        ("", False),
    ],
)
def test_address_is_read_as_a_socket_gives_it(address: str, is_in: bool) -> None:
    rules = AccessRules(peers={"LAB": PeerRule(networks("10.1.0.0/16", "fe80::/64"))})
    assert (rules.objection(Identity("LAB", address)) == "") is is_in


def test_reason_is_for_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "dicomquest.server")
    with admitting(AccessRules(peers={"LAB": PeerRule(networks("10.0.0.0/8"))})) as port:
        assert outcomes(port, {"LAB": ""}) == {"LAB": NOT_RECOGNIZED}
    assert f"; {HOST} is no address of this title" in caplog.text


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@contextmanager
def admitting_tls(authority: trustme.CA, rules: AccessRules) -> Iterator[int]:
    """Serve over TLS, and ask clients for a certificate without demanding one."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.verify_mode = ssl.CERT_OPTIONAL
    authority.configure_trust(context)
    authority.issue_cert(HOST).configure_cert(context)
    with admitting(rules, ssl_context=context) as port:
        yield port


def client(authority: trustme.CA, certificate: trustme.LeafCert | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if certificate is not None:
        certificate.configure_cert(context)
    return context


@pytest.mark.parametrize("kind", ["fingerprint", "common name"])
def test_title_is_bound_to_its_certificate(authority: trustme.CA, kind: str) -> None:
    """The title needs the certificate, and the certificate is good for this title alone."""
    own = authority.issue_cert("lab.test", common_name="lab")
    other = authority.issue_cert("other.test", common_name="other")
    encoded = ssl.PEM_cert_to_DER_cert(own.cert_chain_pems[0].bytes().decode())
    pin = (
        CertificatePin(fingerprint=hashlib.sha256(encoded).hexdigest())
        if kind == "fingerprint"
        else CertificatePin(common_name="lab")
    )
    rules = AccessRules(peers={"LAB": PeerRule(pins=(pin,))})
    with admitting_tls(authority, rules) as port:
        outcomes = {
            (title, name): outcome(associate(port, title, tls=client(authority, certificate)))
            for title in ("LAB", "FREE")
            for name, certificate in {"own": own, "other": other, "none": None}.items()
        }
    assert outcomes == {
        ("LAB", "own"): IN,
        ("LAB", "other"): NOT_RECOGNIZED,
        ("LAB", "none"): NOT_RECOGNIZED,
        ("FREE", "own"): NOT_RECOGNIZED,
        ("FREE", "other"): IN,
        ("FREE", "none"): IN,
    }


def test_title_with_certificate_needs_tls() -> None:
    rules = AccessRules(peers={"LAB": PeerRule(pins=(CertificatePin(common_name="lab"),))})
    with admitting(rules) as port:
        assert outcomes(port, {"LAB": "", "FREE": ""}) == {"LAB": NOT_RECOGNIZED, "FREE": IN}


def test_service_is_refused_in_its_context(tmp_path: Path) -> None:
    """The contexts of a service that the profile lacks are rejected by the user (PS3.8 9.3.3.2)."""
    rules = limited(services=frozenset({ServiceKind.VERIFICATION}))
    with admitting(rules, folder=tmp_path) as port:
        assert contexts(port, "SCU") == {VERIFICATION: 0, PATIENT_ROOT.uid: 1, STUDY_ROOT.uid: 1}
        assert contexts(port, "OTHER") == dict.fromkeys(contexts(port, "SCU"), 0)


def test_model_is_refused_in_its_context(tmp_path: Path) -> None:
    with admitting(limited(models=frozenset({STUDY_ROOT})), folder=tmp_path) as port:
        assert contexts(port, "SCU") == {VERIFICATION: 0, PATIENT_ROOT.uid: 1, STUDY_ROOT.uid: 0}


def test_level_is_refused_with_its_status(tmp_path: Path) -> None:
    with admitting(limited(levels=frozenset({Level.STUDY})), folder=tmp_path) as port:
        status = find(port, "SCU", "SERIES")
        assert status.Status == 0x0124
        assert status.ErrorComment == "SERIES level not authorized; allowed: STUDY"
        assert "OffendingElement" not in status
        assert find(port, "SCU", "STUDY").Status == 0x0000
        assert find(port, "OTHER", "SERIES").Status == 0x0000


def contexts(port: int, title: str) -> dict[str, int | None]:
    """The results of the presentation contexts by abstract syntax."""
    ae = AE(title)
    for uid in (VERIFICATION, PATIENT_ROOT.uid, STUDY_ROOT.uid):
        ae.add_requested_context(uid)
    with ae.associate(HOST, port) as association:
        return {
            str(context.abstract_syntax): context.result
            for context in (*association.accepted_contexts, *association.rejected_contexts)
        }


def find(port: int, title: str, level: str) -> Dataset:
    """The final status of a query."""
    ae = AE(title)
    ae.add_requested_context(STUDY_ROOT.uid)
    query = data_set(QueryRetrieveLevel=level, StudyInstanceUID="1.2.3")
    with ae.associate(HOST, port) as association:
        *_, (status, _) = association.send_c_find(query, STUDY_ROOT.uid)
    return status
