import base64
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from argon2 import PasswordHasher

from dicomquest.index import Index
from dicomquest.pdu.user_information import UserIdentityRQ
from dicomquest.services import passcodes
from dicomquest.services.access import Identity
from dicomquest.services.admission import AccessRules, Admission
from dicomquest.services.observer import (
    AlertKind,
    AssociationRefused,
    Event,
    SecurityAlert,
    SignedIn,
)
from dicomquest.services.passcodes import PasscodeFile, read_users, write_users
from dicomquest.services.user_verification import (
    USERNAME_AND_PASSCODE,
    Unverified,
    UserVerification,
    Verified,
    Verifier,
)
from dicomquest.web import WebSettings
from dicomquest.web.cookies import COOKIE
from dicomquest.web.page_settings import PageSettings
from dicomquest.web.sessions import Sessions
from dicomquest.web.sign_in import local_address
from fixtures.web import Browser, three_studies

ANN = {"user": "ann", "passcode": "sésame"}


class Passcodes:
    """A verifier of one user."""

    types = frozenset({USERNAME_AND_PASSCODE})

    def verify(self, claim: UserIdentityRQ, identity: Identity) -> Verified | Unverified:
        if (claim.primary, claim.secondary) == (b"ann", "sésame".encode()):
            return Verified("ann")
        return Unverified("wrong passcode")


class Server:
    """A server where people sign in, its clock, and what its observer hears."""

    def __init__(self, index: Index, folder: Path, verifier: Verifier | None = None) -> None:
        self.now = 1_000_000.0
        self.heard: list[Event] = []
        sessions = Sessions(folder / "sign-ins.sqlite", clock=lambda: self.now)
        verification = UserVerification([verifier or Passcodes()], penalty=0)
        self.browser = Browser(
            index,
            WebSettings(
                admission=Admission(AccessRules(), verification),
                observer=self,
                page=PageSettings(sessions=sessions),
            ),
        )

    def tell(self, event: Event) -> None:
        self.heard.append(event)

    def get(self, path: str, cookie: str = "", **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.browser.request("GET", path, named | ({"cookie": cookie} if cookie else {}))

    def post(self, path: str, cookie: str = "", **form: str) -> httpx.Response:
        headers = {"content-type": "application/x-www-form-urlencoded", "cookie": cookie}
        return self.browser.request("POST", path, headers, urlencode(form).encode())

    def signed_in(self) -> str:
        response = self.post("/sign-in", **ANN)
        return response.headers["set-cookie"].partition(";")[0]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index(tmp_path_factory.mktemp("web") / "index.sqlite") as opened:
        three_studies(opened)
        yield opened


@pytest.fixture
def server(index: Index, tmp_path: Path) -> Server:
    return Server(index, tmp_path)


def test_a_page_leads_to_the_form_and_back(server: Server) -> None:
    refused = server.get("/?mod=CT&all")
    assert refused.status_code == 303
    assert refused.headers["location"] == "/sign-in?to=%2F%3Fmod%3DCT%26all"
    form = server.get(refused.headers["location"])
    assert form.status_code == 200
    assert 'name="to" value="/?mod=CT&amp;all"' in form.text
    done = server.post("/sign-in", to="/?mod=CT&all", **ANN)
    assert (done.status_code, done.headers["location"]) == (303, "/?mod=CT&all")
    name, *attributes = done.headers["set-cookie"].split("; ")
    assert name.startswith(f"{COOKIE}=")
    assert attributes == ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"]
    assert server.get("/", name).status_code == 200
    assert "Sign out" in server.get("/", name).text


def test_a_sign_in_is_told_to_the_observer(server: Server) -> None:
    cookie = server.signed_in()
    server.post("/sign-out", cookie)
    told = [each for each in server.heard if isinstance(each, SignedIn)]
    assert [(each.association.user_identity, each.begins) for each in told] == [
        ("ann", True), ("ann", False),
    ]  # fmt: skip


@pytest.mark.parametrize("form", [ANN | {"passcode": "x"}, ANN | {"user": "bob"}, {"user": "a:b"}])
def test_a_wrong_passcode_is_refused_and_told(server: Server, form: dict[str, str]) -> None:
    response = server.post("/sign-in", to="/keys", **form)
    assert response.status_code == 401
    assert "set-cookie" not in response.headers
    assert "www-authenticate" not in response.headers
    assert "The user is not known, or the passcode is wrong." in response.text
    assert 'value="/keys"' in response.text
    told = [each for each in server.heard if isinstance(each, AssociationRefused)]
    assert len(told) == (":" not in form["user"])


def test_a_sign_in_ends_when_it_is_idle(server: Server) -> None:
    cookie = server.signed_in()
    server.now += 800
    assert server.get("/keys", cookie, sec_fetch_dest="document").status_code == 200
    server.now += 899
    assert server.get("/keys", cookie, sec_fetch_dest="empty").status_code == 200
    server.now += 1
    assert server.get("/keys", cookie).status_code == 303


def test_a_background_request_does_not_prolong(server: Server) -> None:
    cookie = server.signed_in()
    server.now += 800
    assert server.get("/stay-signed-in", cookie).text == "100"
    assert server.post("/stay-signed-in", cookie).text == "900"
    server.now += 900
    over = server.get("/stay-signed-in", cookie)
    assert over.status_code == 401


def test_a_script_gets_401_and_no_dialog(server: Server) -> None:
    response = server.get("/?all", sec_fetch_mode="cors")
    assert response.status_code == 401
    assert "www-authenticate" not in response.headers


def test_sign_out_ends_the_cookie_everywhere(server: Server) -> None:
    cookie = server.signed_in()
    response = server.post("/sign-out", cookie)
    assert (response.status_code, response.headers["location"]) == (303, "/sign-in")
    assert response.headers["clear-site-data"] == '"cache", "cookies", "storage"'
    assert "Max-Age=0" in response.headers["set-cookie"]
    assert server.get("/keys", cookie).status_code == 303


def test_a_cookie_reads_dicomweb_but_changes_nothing(server: Server) -> None:
    cookie = server.signed_in()
    assert server.get("/dicom-web/studies", cookie).status_code == 200
    assert server.get("/dicom-web/studies").status_code == 401
    stored = server.browser.request("POST", "/dicom-web/studies", {"cookie": cookie}, b"x")
    assert stored.status_code in {401, 405}


def test_basic_still_works_beside_the_form(server: Server) -> None:
    basic = "Basic " + base64.b64encode("ann:sésame".encode()).decode()
    assert server.get("/keys", authorization=basic).status_code == 200


@pytest.mark.parametrize(
    "address",
    ["//evil.example/", "https://evil.example", "/\\evil.example", "x", "/a b", "/é", "/sign-in"],
)
def test_the_form_leads_to_this_server_alone(server: Server, address: str) -> None:
    assert local_address(address) == "/"
    assert server.post("/sign-in", to=address, **ANN).headers["location"] == "/"


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
)
@pytest.mark.parametrize("path", ["/search", "/sign-in", "/sign-out", "/stay-signed-in", "/none"])
def test_a_post_of_another_site_is_refused(
    server: Server, path: str, headers: dict[str, str]
) -> None:
    response = server.browser.request("POST", path, headers, urlencode(ANN).encode())
    assert response.status_code == 403
    assert "set-cookie" not in response.headers
    (alert,) = server.heard
    assert isinstance(alert, SecurityAlert)
    assert alert.kind is AlertKind.FORBIDDEN


def test_a_post_of_the_own_origin_is_taken(server: Server) -> None:
    headers = {"origin": "http://pacs.example"}
    done = server.browser.request("POST", "/sign-in", headers, urlencode(ANN).encode())
    assert done.status_code == 303


@pytest.mark.parametrize("path", ["/sign-in", "/none", "/keys", "/", "/studies/1.2/none"])
def test_each_page_has_the_headers_of_safety(server: Server, path: str) -> None:
    headers = server.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-robots-tag"] == "noindex"
    assert headers["x-content-type-options"] == "nosniff"


def test_another_site_stores_nothing(server: Server) -> None:
    headers = {"sec-fetch-site": "cross-site", "origin": "https://evil.example"}
    response = server.browser.request("POST", "/dicom-web/studies", headers, b"x")
    assert response.status_code == 403


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passcodes, "hasher", lambda: cheap)
    path = tmp_path / "users"
    write_users(path, {"ann": cheap.hash(ANN["passcode"]), "bob": cheap.hash("x")})
    return path


def test_a_removed_user_is_signed_out(index: Index, tmp_path: Path, users: Path) -> None:
    server = Server(index, tmp_path, PasscodeFile(users))
    cookie = server.signed_in()
    before = read_users(users)
    write_users(users, {"ann": before["ann"], "eve": before["bob"]})
    assert server.get("/keys", cookie).status_code == 200
    write_users(users, {"bob": before["bob"]})
    assert server.get("/keys", cookie).status_code == 303
    assert server.get("/dicom-web/studies", cookie).status_code == 401
    told = [each for each in server.heard if isinstance(each, SignedIn)]
    assert [each.begins for each in told] == [True, False]
    assert told[1].association.user_identity == "ann"
    # Another person who gets the name later does not find the session open.
    write_users(users, before)
    assert server.get("/keys", cookie).status_code == 303


def test_another_passcode_ends_all_sessions(index: Index, tmp_path: Path, users: Path) -> None:
    server = Server(index, tmp_path, PasscodeFile(users))
    cookies = [server.signed_in(), server.signed_in()]
    before = read_users(users)
    write_users(users, before | {"bob": passcodes.hasher().hash("y")})
    assert [server.get("/keys", each).status_code for each in cookies] == [200, 200]
    write_users(users, before | {"ann": passcodes.hasher().hash("other")})
    assert [server.get("/keys", each).status_code for each in cookies] == [303, 303]
    assert server.post("/sign-in", **ANN).status_code == 401
    again = server.post("/sign-in", user="ann", passcode="other")
    assert server.get("/keys", again.headers["set-cookie"].partition(";")[0]).status_code == 200


@pytest.mark.parametrize("change", ["removed", "another passcode"])
def test_a_passcode_is_believed_while_it_holds(
    index: Index, tmp_path: Path, users: Path, change: str
) -> None:
    server = Server(index, tmp_path, PasscodeFile(users))
    basic = "Basic " + base64.b64encode("ann:sésame".encode()).decode()
    before = read_users(users)
    assert server.get("/dicom-web/studies", authorization=basic).status_code == 200
    if change == "removed":
        write_users(users, {"bob": before["bob"]})
    else:
        write_users(users, before | {"ann": passcodes.hasher().hash("other")})
    assert server.get("/dicom-web/studies", authorization=basic).status_code == 401
    write_users(users, before)
    assert server.get("/dicom-web/studies", authorization=basic).status_code == 200


def test_users_that_cannot_be_read_end_no_session(
    index: Index, tmp_path: Path, users: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(index, tmp_path, PasscodeFile(users))
    cookie = server.signed_in()
    users.rename(tmp_path / "elsewhere")
    assert server.get("/keys", cookie).status_code == 503
    assert "users" in caplog.text
    (tmp_path / "elsewhere").rename(users)
    assert server.get("/keys", cookie).status_code == 200
