"""The rules for AE titles, users and certificates hold for callers by HTTP (PS3.18 8.2)."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from dicomquest.index import Index
from dicomquest.pdu.user_information import UserIdentityRQ
from dicomquest.query.visibility import parse_visible
from dicomquest.services.access import Certificate, Identity, Profile, ServiceKind
from dicomquest.services.admission import AccessRules, Admission, CertificatePin, PeerRule
from dicomquest.services.observer import (
    AssociationRefused,
    Event,
    FindFinished,
    LimitHit,
    SecurityAlert,
)
from dicomquest.services.tokens import read_key
from dicomquest.services.user_verification import (
    USERNAME_AND_PASSCODE,
    Unverified,
    UserVerification,
    Verified,
    Verifier,
)
from dicomquest.web import WebSettings
from dicomquest.web.callers import HTTP_TITLE, title_of
from fixtures.web import Browser, three_studies

SECRET = b"0123456789abcdef0123456789abcdef"
ANN = {"authorization": "Basic " + base64.b64encode("ann:sésame".encode()).decode()}
EVE = {"authorization": "Basic " + base64.b64encode(b"ann:guess").decode()}
CERTIFICATE = Certificate("ab" * 32, "gateway")


class Passcodes:
    """A verifier of one user, which counts how often it is asked."""

    types = frozenset({USERNAME_AND_PASSCODE})

    def __init__(self) -> None:
        self.asked = 0

    def verify(self, claim: UserIdentityRQ, identity: Identity) -> Verified | Unverified:
        self.asked += 1
        if (claim.primary, claim.secondary) == (b"ann", "sésame".encode()):
            return Verified("ann")
        return Unverified("wrong passcode of 'ann'")


class Events:
    """An observer that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[Event] = []

    def tell(self, event: Event) -> None:
        self.heard.append(event)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index(tmp_path_factory.mktemp("web") / "index.sqlite") as opened:
        three_studies(opened)
        yield opened


def browser(
    index: Index, rules: AccessRules, *verifiers: Verifier, observer: Events | None = None,
    origins: tuple[str, ...] = (),
) -> Browser:  # fmt: skip
    verification = UserVerification(verifiers, penalty=0) if verifiers else None
    admission = Admission(rules, verification)
    settings = WebSettings(admission=admission, observer=observer, origins=origins)
    return Browser(index, settings)


def studies(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return sorted(each["0020000D"]["Value"][0] for each in response.json())


def only(patient: str, **rule: Any) -> PeerRule:
    visible = parse_visible([f"PatientID={patient}"])
    return PeerRule(profile=Profile(visible=visible), **rule)


@pytest.mark.requirement("QI-043", "WS-034")
def test_a_user_has_to_prove_who_it_is(index: Index) -> None:
    events = Events()
    asked = browser(index, AccessRules(), Passcodes(), observer=events)
    anonymous = asked.get("/studies")
    assert anonymous.status_code == 401
    assert anonymous.headers["www-authenticate"].startswith('Basic realm="dicomquest"')
    assert not events.heard
    assert asked.get("/studies", **EVE).status_code == 401
    refused = [each for each in events.heard if isinstance(each, AssociationRefused)]
    assert [each.user for each in refused] == ["ann"]
    line = "request 2: by HTTP at 127.0.0.1, refused: wrong passcode of 'ann'"
    assert str(refused[0]) == line
    assert refused[0].fields()["event"] == "request refused"
    assert len(studies(asked.get("/studies", **ANN))) == 3
    other = asked.get("/studies", authorization="Digest username=ann")
    assert other.status_code == 401


def test_a_passcode_is_verified_once_a_minute(index: Index) -> None:
    passcodes = Passcodes()
    asked = browser(index, AccessRules(), passcodes)

    async def ask() -> None:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(asked.application), base_url="http://a"
        ) as client:
            for headers in (ANN, ANN, EVE, EVE, ANN):
                await client.get("/dicom-web/studies", headers=headers)

    asyncio.run(ask())
    assert passcodes.asked == 3


@pytest.mark.requirement("WS-034")
def test_a_token_names_its_user(index: Index, tmp_path: Path) -> None:
    key = tmp_path / "secret"
    key.write_bytes(SECRET)
    rules = AccessRules(peers={"RESEARCH": only("P2", users=("ann",))})
    asked = browser(index, rules, read_key(key))
    token = jwt.encode({"sub": "ann", "exp": time.time() + 60}, SECRET, "HS256")
    assert studies(asked.get("/studies", authorization=f"Bearer {token}")) == ["1.2.2"]
    late = jwt.encode({"sub": "ann", "exp": time.time() - 60}, SECRET, "HS256")
    refused = asked.get("/studies", authorization=f"Bearer {late}")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"


@pytest.mark.requirement("QI-048")
def test_a_user_has_the_profile_of_its_title(index: Index) -> None:
    """A table that names the user has its filter; everybody else has the default."""
    rules = AccessRules(
        default=only("P1", is_user_optional=True), peers={"WARD": only("P3", users=("ann",))}
    )
    asked = browser(index, rules, Passcodes())
    assert studies(asked.get("/studies")) == ["1.2.1"]
    assert studies(asked.get("/studies", **ANN)) == ["1.2.3"]


def test_callers_without_a_table_are_http(index: Index) -> None:
    rules = AccessRules(peers={HTTP_TITLE: only("P2")}, known_only=True)
    assert studies(browser(index, rules).get("/studies")) == ["1.2.2"]
    nobody = browser(index, AccessRules(known_only=True)).get("/studies")
    assert nobody.status_code == 403
    elsewhere = replace(only("P2"), networks=(ip_network("10.0.0.0/8"),))
    asked = browser(index, AccessRules(peers={HTTP_TITLE: elsewhere}))
    assert asked.get("/studies").status_code == 403


def test_a_certificate_has_the_profile_of_its_title() -> None:
    pinned = PeerRule(pins=(CertificatePin(fingerprint="ab" * 32),))
    both = PeerRule(pins=(CertificatePin(common_name="gateway"),), users=("ann",))
    rules = AccessRules(peers={"BOTH": both, "PINNED": pinned, "OPEN": PeerRule()})
    assert title_of(rules, None, CERTIFICATE) == "PINNED"
    assert title_of(rules, "ann", CERTIFICATE) == "BOTH"
    assert title_of(rules, "ann", None) == HTTP_TITLE
    assert title_of(rules, None, Certificate("cd" * 32, "other")) == HTTP_TITLE


@pytest.mark.requirement("QI-043", "WS-034", "WS-036")
def test_a_service_that_is_not_allowed_is_403(index: Index) -> None:
    events = Events()
    profile = Profile(services=frozenset({ServiceKind.STORE}))
    rules = AccessRules(default=PeerRule(profile=profile))
    refused = browser(index, rules, observer=events).get("/studies?PatientName=Secret")
    assert refused.status_code == 403
    assert "Secret" not in refused.text
    assert any(isinstance(each, SecurityAlert) for each in events.heard)


def test_the_observer_hears_of_a_search(index: Index) -> None:
    events = Events()
    asked = browser(index, AccessRules(), observer=events)
    asked.get("/studies?PatientName=Y*")
    asked.get("/studies?StudyDate=yesterday")
    found, failed = events.heard
    assert isinstance(found, FindFinished)
    assert (found.status, found.matches, found.level) == (0, 1, "STUDY")
    assert str(found).startswith("request 1: QIDO-RS at STUDY level by HTTP at 127.0.0.1 ended")
    assert found.fields()["request"] == 1
    assert found.matching_keys == ["Patient's Name"] or found.matching_keys
    assert found.identifier
    assert isinstance(failed, FindFinished)
    assert failed.status == 0xA900


def test_a_rate_of_searches_is_held(index: Index) -> None:
    """The limit is that of the title, as for DIMSE."""
    events = Events()
    choices = replace(Profile().choices, finds_per_second=1.0)
    rules = AccessRules(default=PeerRule(profile=Profile(choices=choices)))
    asked = browser(index, rules, observer=events)
    assert asked.get("/studies").status_code == 200
    refused = asked.get("/studies")
    assert refused.status_code == 503
    assert refused.headers["retry-after"]
    assert any(isinstance(each, LimitHit) for each in events.heard)


@pytest.mark.requirement("WS-033")
def test_pages_of_a_named_origin_may_ask(index: Index) -> None:
    """A preflight needs no credentials; refusals have the headers, too."""
    viewer = "https://viewer.example"
    asked = browser(index, AccessRules(), Passcodes(), origins=(viewer,))
    headers = {
        "Origin": viewer,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    preflight = asked.request("OPTIONS", "/dicom-web/studies", headers)
    assert preflight.is_success
    assert preflight.headers["access-control-allow-origin"] == viewer
    assert "Authorization" in preflight.headers["access-control-allow-headers"]
    refused = asked.get("/studies", origin=viewer)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, viewer)
    found = asked.get("/studies", origin=viewer, **ANN)
    assert "Warning" in found.headers["access-control-expose-headers"]
    other = asked.get("/studies", origin="https://other.example", **ANN)
    assert "access-control-allow-origin" not in other.headers
    assert (
        "access-control-allow-origin"
        not in browser(index, AccessRules()).get("/studies", origin=viewer).headers
    )


@pytest.mark.requirement("WS-035")
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_an_unknown_method_names_the_others(index: Index, method: str) -> None:
    asked = browser(index, AccessRules())
    refused = asked.request(method, "/dicom-web/studies", {})
    assert refused.status_code == 405
    assert "GET" in refused.headers["allow"]
    assert asked.get("/nothing").status_code == 404
