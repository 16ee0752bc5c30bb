"""A peer that gives no association: the reason in words, and the way out."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from dicomquest import AE
from dicomquest.cli import main
from dicomquest.cli.connection_trouble import services_in_words
from fixtures.faces import HOST, PATIENT_ROOT, STUDY_ROOT, VERIFICATION, scp, serving
from fixtures.misbehaving import (
    Serve,
    authority,
    hang_up,
    listening,
    say_nothing,
    speak_http,
    speak_tls,
    wait_for_http,
)
from peers.processes import free_port

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"


def ask(command: str, port: int, *options: str) -> str:
    """Ask a peer that gives no association, and return the message."""
    done = CliRunner().invoke(main, [command, HOST, str(port), *options])
    assert done.exit_code == 1, done.stderr
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize(
    ("serve", "options", "message"),
    [
        (speak_http, [], "speaks HTTP, not DICOM.\n  Name the peer's DICOM port."),
        (wait_for_http, ["--acse-timeout", "2"], "speaks HTTP, not DICOM."),
        (speak_tls(), [], "speaks TLS: add --tls or --tls-ca FILE."),
        (
            say_nothing,
            ["--acse-timeout", "0.3"],
            "no answer to A-ASSOCIATE-RQ within 0.3 s\n  It takes connections",
        ),
        (hang_up, [], "the peer closed the connection\n  It takes connections"),
        (speak_http, ["--tls"], "speaks HTTP, not DICOM. Leave the TLS options out"),
        (hang_up, ["--tls"], "does not seem to speak TLS there"),
        (speak_tls(), ["--tls"], "  Name the authority that signed the peer's certificate"),
    ],
)
def test_other_protocol_is_named(serve: Serve, options: list[str], message: str) -> None:
    """The message names the protocol that the peer speaks, and what to do."""
    with listening(serve) as port:
        said = ask("echo", port, *options)
    assert message in said
    assert "_ssl.c" not in said


def test_peer_that_asks_for_a_certificate(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    authority().cert_pem.write_to_path(path)
    with listening(speak_tls(asks_for_certificate=True)) as port:
        said = ask("echo", port, "--tls-ca", str(path))
    assert "Perhaps the peer asks for our certificate: --tls-cert FILE" in said


def test_dicom_without_tls_is_named() -> None:
    with serving() as port:
        said = ask("echo", port, "--tls")
    assert "speaks DICOM without TLS: leave the TLS options out" in said


def test_closed_port_and_unknown_host() -> None:
    assert "refused\n  Nothing listens there: check the port" in ask("find", free_port())
    done = CliRunner().invoke(main, ["echo", "no.such.host.invalid", "104"])
    assert done.exit_code == 1
    assert "no.such.host.invalid" in done.stderr


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ([], "ANY-SCP is only our default. Name the peer's title: --aec TITLE."),
        (["--aec", "PACS"], "The peer does not call itself PACS."),
    ],
)
def test_wrong_called_title(options: list[str], remedy: str) -> None:
    ae = scp()
    ae.require_called_aet = True
    with serving(ae=ae) as port:
        said = ask("find", port, *options)
    assert "called AE title not recognized" in said
    assert said.endswith(f"\n  {remedy}\n") or remedy in said


def test_unknown_calling_title() -> None:
    ae = scp()
    ae.require_calling_aet = ["LAB"]
    with serving(ae=ae) as port:
        said = ask("echo", port)
    assert "calling AE title not recognized" in said
    assert "The peer does not know DICOMQUEST (our default)." in said
    assert "--aet TITLE" in said


def test_no_context_names_what_the_peer_takes() -> None:
    """A peer without the service: the message names the services that it has."""
    ae = AE("SCP")
    for uid in (VERIFICATION, CT_IMAGE):
        ae.add_supported_context(uid)
    with serving(ae=ae) as port:
        said = ask("find", port)
    assert "accepts associations but no Find under Study Root: it takes Verification" in said
    assert "Verification and Storage (1 class)" in said


def test_other_model_is_named() -> None:
    ae = AE("SCP")
    ae.add_supported_context(PATIENT_ROOT)
    with serving(ae=ae) as port:
        said = ask("find", port)
    assert "it takes Find under Patient Root\n  Ask by that model: -m patient." in said


def test_services_in_words() -> None:
    assert services_in_words(()) == "it takes nothing that we know"
    assert services_in_words({STUDY_ROOT}) == "it takes Find under Study Root"
    assert services_in_words({CT_IMAGE, VERIFICATION, "1.2"}) == (
        "it takes Verification and Storage (2 classes)"
    )
