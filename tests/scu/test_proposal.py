"""The way to a peer and the time-outs of an SCU, from plain values."""

from __future__ import annotations

import ssl
import warnings

import pytest

from dicomquest.scu.proposal import patience, peer_at


def test_peer_without_tls() -> None:
    peer = peer_at("pacs.example", 104, bind_address=("127.0.0.1", 0))
    assert (peer.host, peer.port) == ("pacs.example", 104)
    assert peer == peer_at("pacs.example", 104, bind_address=("127.0.0.1", 0))
    assert peer != peer_at("pacs.example", 104)


@pytest.mark.requirement("UL-120")
@pytest.mark.parametrize(("name", "checked"), [("cert.example", "cert.example"), (None, "h")])
def test_certificate_is_always_checked_against_a_name(name: str | None, checked: str) -> None:
    context = ssl.create_default_context()
    peer = peer_at("h", 104, tls=(context, name))
    assert (peer.ssl_context, peer.server_hostname) == (context, checked)


@pytest.mark.requirement("UL-120")
def test_old_tls_is_refused() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with warnings.catch_warnings():
        # Python deprecates the old version that this test needs.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ValueError, match="TLSv1_1"):
        peer_at("h", 104, tls=(context, None))


@pytest.mark.requirement("UL-061")
def test_each_wait_has_its_time_out() -> None:
    timeouts = patience(connection=1, acse=2, dimse=3, network=4, artim=5, retrieve=6)
    assert timeouts.connect == 1
    assert (timeouts.associate_request, timeouts.association, timeouts.release) == (2, 2, 2)
    assert (timeouts.first_response, timeouts.dimse) == (3, 3)
    assert (timeouts.idle, timeouts.pdu, timeouts.write) == (4, 4, 4)
    assert (timeouts.artim, timeouts.retrieve) == (5, 6)


def test_none_waits_for_ever() -> None:
    timeouts = patience(
        connection=None, acse=None, dimse=None, network=None, artim=None, retrieve=None
    )
    assert {getattr(timeouts, name) for name in timeouts.__slots__} == {None}
