"""`dicomquest serve --http` as a process, asked by a real client (PS3.18 8.2)."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import socket
import ssl
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from dicomweb_client.api import DICOMwebClient

from dicomquest import find
from dicomquest.index import Index
from dicomquest.web import application
from dicomquest.web.listener import WebListener
from fixtures.postgresql_cluster import wait_for
from fixtures.serving import Running, serving
from fixtures.timing import LONG
from fixtures.web import three_studies
from peers.ours import COMMAND, ENVIRONMENT
from peers.processes import free_port, wait_until_listening


class Served:
    """A running server with its HTTP port."""

    def __init__(self, running: Running, port: int, index: Path) -> None:
        self.running = running
        self.index = index
        self.port = port
        self.url = f"http://127.0.0.1:{port}/dicom-web"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("served")
    with Index(folder / "index.sqlite") as index:
        three_studies(index)
    port = free_port()
    options = ("--http", str(port), "--workers", "2", "--request-timeout", "1")
    with serving(folder / "index.sqlite", folder, *options) as running:
        running.log_with(f"listening by HTTP on 127.0.0.1 port {port}")
        yield Served(running, port, folder / "index.sqlite")


def test_a_viewers_link_is_good_at_each_worker(served: Served) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", served.port)) as connection:
        headers = {"Sec-Fetch-Site": "same-origin"}
        connection.request("POST", "/picked", b"do=weasis&uid=1.2.2", headers)
        link = connection.getresponse().headers["Location"]
    address = urllib.parse.unquote(link).split('"')[1]
    for _ in range(12):  # each by a connection of its own, which either worker may take
        with urllib.request.urlopen(address) as response:
            assert b"1.2.2" in response.read()


def test_the_name_of_another_site_is_refused(served: Served) -> None:
    """As a browser asks whom that site has told that its name is at this machine."""
    asked = urllib.request.Request(served.url + "/studies", headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(asked)
    with contextlib.closing(refused.value):
        assert refused.value.code == 421
    served.running.log_with("'evil.example', no name of this server")


def test_a_real_client_searches(served: Served) -> None:
    client = DICOMwebClient(served.url)
    studies = client.search_for_studies(search_filters={"PatientName": "Y*"}, fields=["00081030"])
    assert [each["0020000D"]["Value"] for each in studies] == [["1.2.2"]]
    assert client.search_for_studies(search_filters={"PatientID": "NOBODY"}) == []
    series = client.search_for_series("1.2.2")
    assert len(series) == 2
    assert len(client.search_for_instances("1.2.2", "1.2.2.3")) == 2
    assert len(client.search_for_instances(limit=2, get_remaining=True)) == 9


def test_the_http_side_runs_alone(served: Served, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    command = [*COMMAND, "web", "--index", str(served.index), "--http", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=ENVIRONMENT)
    try:
        wait_until_listening(process, port, log)
        client = DICOMwebClient(f"http://127.0.0.1:{port}/dicom-web")
        assert len(client.search_for_studies()) == 3
    finally:
        process.terminate()
    assert process.wait(LONG) == 0
    assert log.read_text("utf-8").count("listening") == 1


@pytest.mark.requirement("QI-015")
def test_both_sides_answer_from_one_index(served: Served) -> None:
    by_dimse = {
        study.StudyInstanceUID
        for study in find("127.0.0.1", served.running.port, PatientName="*", StudyInstanceUID="")
    }
    client = DICOMwebClient(served.url)
    assert {each["0020000D"]["Value"][0] for each in client.search_for_studies()} == by_dimse


def test_a_connection_answers_many_requests(served: Served) -> None:
    client = DICOMwebClient(served.url)
    for _ in range(50):
        assert len(client.search_for_studies()) == 3


def test_a_head_that_never_ends_is_given_up(served: Served) -> None:
    """A client that sends its headers byte by byte loses its connection in time."""
    with socket.create_connection(("127.0.0.1", served.port), LONG) as slow:
        slow.sendall(b"GET /dicom-web/studies HTTP/1.1\r\nHost: a\r\nX: ")
        assert slow.recv(1) == b""


def test_a_long_address_is_refused(served: Served) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{served.url}/studies?PatientName={'x' * 10_000}", timeout=LONG)
    with refused.value as response:
        assert response.status == 414


def test_the_answer_is_plain_json(served: Served) -> None:
    with urllib.request.urlopen(f"{served.url}/studies?PatientID=P1", timeout=LONG) as response:
        assert len(json.load(response)) == 1


@pytest.mark.requirement("WS-034")
def test_a_client_certificate_has_its_profile(served: Served, tmp_path: Path) -> None:
    """By HTTPS a certificate that a table names has the filter of that table."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        str(tmp_path / "server.pem")
    )
    client = authority.issue_cert("gateway", common_name="gateway")
    client.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "client.pem"))
    (tmp_path / "dicomquest.toml").write_text(
        '[peers.GATEWAY]\ncertificate = "CN=gateway"\nvisible = ["PatientID=P2"]\n', "utf-8"
    )
    port, log = free_port(), tmp_path / "log"
    command = [
        *COMMAND, "web", "--config", str(tmp_path / "dicomquest.toml"),
        "--index", str(served.index), "--http", str(port),
        "--tls-cert", str(tmp_path / "server.pem"), "--tls-ca", str(tmp_path / "ca.pem"),
    ]  # fmt: skip
    context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=ENVIRONMENT)
    try:
        wait_until_listening(process, port, log)
        url = f"https://127.0.0.1:{port}/dicom-web/studies"
        with pytest.raises((urllib.error.URLError, OSError)):
            urllib.request.urlopen(url, timeout=LONG, context=context)
        context.load_cert_chain(str(tmp_path / "client.pem"))
        with urllib.request.urlopen(url, timeout=LONG, context=context) as response:
            found = json.load(response)
    finally:
        process.terminate()
        process.wait(LONG)
    assert [each["0020000D"]["Value"] for each in found] == [["1.2.2"]]


def test_a_reload_begins_and_ends_no_tls(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with Index(tmp_path / "index.sqlite") as index:
        WebListener(application(index)).take_certificate(context)
        assert "HTTP goes on in clear text" in caplog.text
        caplog.clear()
        WebListener(application(index), ssl_context=context).take_certificate(None)
        assert "HTTP goes on with TLS" in caplog.text
        caplog.clear()
        WebListener(application(index)).take_certificate(None)
        WebListener(application(index), ssl_context=context).take_certificate(context)
    assert not caplog.text


def test_sighup_reads_the_certificate_again(served: Served, tmp_path: Path) -> None:
    """Requests under way and open connections go on; the next connection sees the new one."""
    authority = trustme.CA()
    first, second = (authority.issue_cert("127.0.0.1") for _ in range(2))
    pem = tmp_path / "server.pem"
    first.private_key_and_cert_chain_pem.write_to_path(str(pem))
    port, log = free_port(), tmp_path / "log"
    command = [
        *COMMAND, "web", "--index", str(served.index), "--http", str(port), "--workers", "2",
        "--tls-cert", str(pem),
    ]  # fmt: skip
    context = ssl.create_default_context()
    authority.configure_trust(context)

    def connected() -> http.client.HTTPSConnection:
        made = http.client.HTTPSConnection("127.0.0.1", port, timeout=LONG, context=context)
        made.connect()
        return made

    def shown(connection: http.client.HTTPSConnection) -> bytes | None:
        connection.request("GET", "/dicom-web/studies")
        with connection.getresponse() as response:
            assert (response.status, len(json.load(response))) == (200, 3)
        assert isinstance(connection.sock, ssl.SSLSocket)
        return connection.sock.getpeercert(binary_form=True)

    def shown_anew() -> bytes | None:
        with contextlib.closing(connected()) as connection:
            return shown(connection)

    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=ENVIRONMENT)
    try:
        wait_until_listening(process, port, log)
        kept = connected()
        before = shown(kept)
        second.private_key_and_cert_chain_pem.write_to_path(str(pem))
        process.send_signal(signal.SIGHUP)
        for _ in range(2):
            wait_for(lambda: shown_anew() != before, "the new certificate")
        assert shown(kept) == before
        kept.close()
    finally:
        process.terminate()
        process.wait(LONG)
