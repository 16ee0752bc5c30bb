"""The rules of who may ask, as `dicomquest serve` reads, checks and tells them."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import click
import pytest

from dicomquest.cli.access_rules import admission, check_access, open_to, who_may_ask
from dicomquest.cli.configuration import read_configuration
from dicomquest.cli.serve_settings import ServeSettings
from dicomquest.errors import ConfigurationError
from dicomquest.services.access import ServiceKind
from dicomquest.services.admission import CertificatePin
from dicomquest.services.passcodes import write_users
from dicomquest.standard.levels import Level
from dicomquest.standard.models import STUDY_ROOT

FINGERPRINT = ":".join(["AB"] * 32)


def settings(folder: Path, text: str, **changes: Any) -> ServeSettings:
    """The settings of a configuration file, as `serve` makes them."""
    path = folder / "dicomquest.toml"
    path.write_text(text, encoding="utf-8")
    read = read_configuration(str(path))
    return ServeSettings(**{**read.settings, **changes}, peers=read.rules)


def test_table_of_a_peer_becomes_its_rule(tmp_path: Path) -> None:
    made = settings(
        tmp_path,
        f"""
        [access]
        known-only = true
        levels = ["STUDY", "series"]
        [peers.LAB]
        addresses = ["10.1.0.0/16", "2001:db8::7"]
        certificate = ["sha256:{FINGERPRINT}", "CN=lab.hospital"]
        users = "ann"
        services = ["find", "verification"]
        models = ["study"]
        user-optional = true
        visible = ["InstitutionName=EAST*", "StudyDate=20200101-"]
        result-limit = 7
        [peers.PACS]
        host = "pacs"
        port = 104
        levels = ["PATIENT"]
        [peers.ONLY_ASKED]
        host = "pacs2"
        port = 104
        """,
    )
    rules = admission(made, 60).rules
    assert rules.known_only
    assert rules.peers.keys() == {"LAB", "PACS"}
    lab = rules.peers["LAB"]
    assert lab.networks == (ip_network("10.1.0.0/16"), ip_network("2001:db8::7/128"))
    assert lab.pins == (
        CertificatePin(fingerprint="ab" * 32),
        CertificatePin(common_name="lab.hospital"),
    )
    assert lab.users == ("ann",)
    assert lab.is_user_optional
    assert lab.profile.services == {ServiceKind.FIND, ServiceKind.VERIFICATION}
    assert lab.profile.models == {STUDY_ROOT}
    assert lab.profile.levels == {Level.STUDY, Level.SERIES}
    assert lab.profile.choices.result_limit == 7
    assert [key.path[0].tag for key in lab.profile.visible] == [0x00080020, 0x00080080]
    assert rules.default.profile.visible == ()
    assert lab.profile.choices.options.timezone_offset_minutes == 60
    assert rules.peers["PACS"].profile.levels == {Level.PATIENT}
    assert rules.default.profile.levels == {Level.STUDY, Level.SERIES}
    assert not rules.default.is_user_optional


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('addresses = "10.1.0.1/16"', "10.1.0.1/16 has host bits set; write an address"),
        ('addresses = "lab"', "write an address (10.1.2.3, 2001:db8::7) or a network"),
        ("addresses = []", "write a text, or a list"),
        ("addresses = [7]", "write a text, or a list"),
        ('certificate = "sha256:12"', "names no certificate"),
        ('certificate = "lab"', "write sha256: and its 64 hexadecimal digits, or CN=name"),
        ('levels = "STUDY"', "write a list"),
        ('services = ["fnd"]', "is not one of"),
        ('users-file = "x"', "is not a setting here"),
    ],
)
def test_wrong_rule_is_told_with_the_remedy(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings(tmp_path, f"[peers.LAB]\n{line}\n")
    (fault,) = caught.value.faults
    assert fault.startswith(f"{tmp_path}/dicomquest.toml line 2: [peers.LAB] ")
    assert words in fault


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[access]\nknown-only = true", "known-only lets nobody in"),
        (
            '[access]\nknown-only = true\n[peers.X]\nhost = "x"\nport = 1',
            "known-only lets nobody in",
        ),
        ('[peers.X]\ncertificate = "CN=x"', "add --tls-ca FILE"),
        ('[peers.X]\nusers = ["ann"]', "add --users-file FILE"),
        ('[access]\nusers-file = "absent"', "No such file"),
        ('[peers.X]\nvisible = ["Institution=EAST*"]', "visibility filter"),
        ('[peers.X]\nvisible = ["InstitutionName"]', "asks for nothing"),
        ('[access]\nuser-hook = "absent:hook"', "the hook 'absent:hook'"),
    ],
)
def test_rules_that_cannot_hold_are_told(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(click.UsageError, match=words):
        check_access(settings(tmp_path, text))


def test_usual_rules_can_hold(tmp_path: Path) -> None:
    write_users(tmp_path / "users", {})
    check_access(ServeSettings())
    check_access(
        settings(
            tmp_path,
            f'[access]\nknown-only = true\nusers-file = "{tmp_path}/users"\n'
            '[peers.X]\nusers = ["ann"]\n[peers.Y]\n',
        )
    )


@pytest.mark.parametrize(
    ("text", "host", "line", "warning"),
    [
        ("", "127.0.0.1", "programs of this machine", ""),
        ("", "::1", "programs of this machine", ""),
        ("", "localhost", "programs of this machine", ""),
        ("", "0.0.0.0", "programs of the network", "everybody who reaches 0.0.0.0 port 11112"),
        ('users-file = "u"', "::", "programs of the network, with a verified user", ""),
        (
            'users-file = "u"\nuser-optional = true',
            "::",
            "programs of the network, with a verified user, or none",
            "everybody who reaches :: port 11112",
        ),
        (
            'known-only = true\n[peers.A]\naddresses = "10.1.2.3"\n[peers.B]',
            "10.1.2.2",
            "programs of the network, as A, B",
            "everybody who calls as B may ask",
        ),
        (
            'known-only = true\n[peers.A]\naddresses = "10.1.2.3"',
            "10.1.2.2",
            "programs of the network, as A",
            "",
        ),
    ],
)
def test_start_tells_who_may_ask(
    tmp_path: Path, text: str, host: str, line: str, warning: str
) -> None:
    made = settings(tmp_path, f"[access]\n{text}", host=host)
    assert who_may_ask(made) == f"who may ask: {line}"
    told = open_to(made)
    assert told.startswith(warning)
    assert bool(told) is bool(warning)


def test_certificates_of_an_authority_keep_others_out() -> None:
    made = ServeSettings(host="0.0.0.0", tls_cert="server.pem", tls_ca="ca.pem")
    assert who_may_ask(made) == "who may ask: programs of the network, with a certificate of ca.pem"
    assert open_to(made) == ""


def test_hundreds_of_titles_are_counted() -> None:
    made = ServeSettings(known_only=True, peers={f"AE{number}": {} for number in range(300)})
    assert who_may_ask(made).endswith("as AE0, AE1, AE2, AE3, AE4 and 295 more")
