"""Our own user identity: from options, files and variables, never from a command line."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from dicomquest.cli.own_identity import own_identity, tell_if_readable
from dicomquest.pdu.user_information import UserIdentityRQ


@pytest.fixture
def secret(tmp_path: Path) -> str:
    path = tmp_path / "secret"
    path.write_bytes("Öffne dich\r\nmore\n".encode())
    return str(path)


def test_nothing_is_given_unless_asked_for() -> None:
    assert own_identity(None, None, None) is None


def test_name_alone_is_type_1() -> None:
    assert own_identity("ann", None, None) == UserIdentityRQ(1, b"ann")


def test_password_is_the_first_line_of_its_file(secret: str) -> None:
    expected = UserIdentityRQ(2, b"ann", "Öffne dich".encode())
    assert own_identity("ann", secret, None) == expected


def test_token_is_type_5(secret: str) -> None:
    assert own_identity(None, None, secret) == UserIdentityRQ(5, "Öffne dich".encode())


def test_variables_have_the_secrets(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    monkeypatch.setenv("DICOMQUEST_TOKEN", "a.b.c")
    assert own_identity(None, None, None) == UserIdentityRQ(5, b"a.b.c")
    monkeypatch.setenv("DICOMQUEST_PASSWORD", "mellon")
    assert own_identity("ann", None, None) == UserIdentityRQ(2, b"ann", b"mellon")
    expected = UserIdentityRQ(2, b"ann", "Öffne dich".encode())
    assert own_identity("ann", secret, None) == expected


def test_options_that_do_not_fit_are_told(secret: str, tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"\n")
    for given, words in [
        ((None, secret, None), "add --user NAME"),
        (("ann", None, secret), "give one of them"),
        (("ann", str(tmp_path / "empty"), None), "its first line is empty"),
        (("ann", str(tmp_path / "absent"), None), "No such file"),
    ]:
        with pytest.raises(click.UsageError, match=words):
            own_identity(*given)


@pytest.mark.parametrize(
    ("claim", "host", "tls", "what"),
    [
        (UserIdentityRQ(2, b"ann", b"mellon"), "pacs", False, "the password"),
        (UserIdentityRQ(5, b"a.b.c"), "10.1.2.3", False, "the token"),
        (UserIdentityRQ(2, b"ann", b"mellon"), "pacs", True, None),
        (UserIdentityRQ(2, b"ann", b"mellon"), "127.0.0.1", False, None),
        (UserIdentityRQ(1, b"ann"), "pacs", False, None),
        (None, "pacs", False, None),
    ],
)
def test_secret_without_tls_is_told(
    claim: UserIdentityRQ | None,
    host: str,
    tls: bool,
    what: str | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tell_if_readable(host, claim, tls=tls)
    words = f"Warning: {what} goes to {host} unencrypted. --tls or --tls-ca FILE encrypts it.\n"
    assert capsys.readouterr().err == ("" if what is None else words)
