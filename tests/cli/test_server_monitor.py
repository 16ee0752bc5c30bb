"""The sight of a server with two workers: metrics, probes, JSON log, slow queries."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydicom.dataset import Dataset

from fixtures.audit_messages import audited
from fixtures.faces import HOST, PATIENT_ROOT, associated, scu
from fixtures.postgresql_cluster import wait_for
from fixtures.serving import serving
from fixtures.syslog_server import SyslogServer
from fixtures.timing import LONG
from peers import certificates, corpus, ours
from peers.processes import free_port

ASSOCIATIONS = 12
SECRET = "ZZ-SECRET"


@dataclass(frozen=True, slots=True)
class Watched:
    """A server that has answered a query on each of ASSOCIATIONS associations, and stored."""

    port: int
    metrics_port: int
    folder: Path

    def get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(HOST, self.metrics_port)
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def sums(self) -> dict[str, float]:
        """The samples of all labels together, by the metric's name."""
        found: dict[str, float] = {}
        status, text = self.get("/metrics")
        assert status == 200
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found[sample.name] = found.get(sample.name, 0) + sample.value
        return found

    @property
    def log(self) -> str:
        return "".join(path.read_text() for path in self.folder.glob("serve-*.log"))

    def lines(self, words: str, count: int = 1) -> list[dict[str, Any]]:
        """The objects of the log with some words, as soon as there are so many."""
        wait_for(lambda: self.log.count(words) >= count, f"{words!r} in the log")
        return [json.loads(line) for line in self.log.splitlines() if words in line]


def secret() -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "PATIENT"
    identifier.PatientID = SECRET
    identifier.PatientName = ""
    return identifier


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("watched")
    (folder / "files").mkdir()
    corpus.write(folder / "files")
    ours.index(folder / "index.sqlite", folder / "files")
    port = free_port()
    options = (
        "--workers", "2", "--metrics", str(port), "--log-format", "json", "--log-keys",
        "--slow-query", "0.000001", "--check-aet", "--store", str(folder / "store"),
        "--audit-file", str(folder / "audit.xml"), "--audit-site", "Hospital",
    )  # fmt: skip
    with ours.serve(folder / "index.sqlite", *options) as peer:
        for _ in range(ASSOCIATIONS):
            with associated(peer.port, ae_title=peer.aet) as association:
                list(association.send_c_find(secret(), PATIENT_ROOT))
        assert scu().associate(HOST, peer.port, ae_title="WRONG").is_rejected
        done = ours.run("send", "--aec", peer.aet, str(folder / "files"), HOST, str(peer.port))
        assert done.status == 0, done.err
        yield Watched(peer.port, port, folder)


def test_counts_of_workers_are_added_up(watched: Watched) -> None:
    wait_for(
        lambda: watched.sums().get("dicomquest_associations_ended_total") == ASSOCIATIONS + 1,
        "the end of all associations",
    )
    for _ in range(4):  # whichever worker answers
        sums = watched.sums()
        assert sums["dicomquest_finds_total"] == ASSOCIATIONS
        assert sums["dicomquest_find_seconds_count"] == ASSOCIATIONS
        assert sums["dicomquest_associations_total"] == ASSOCIATIONS + 2
        assert sums["dicomquest_stores_total"] == len(corpus.instances())
        assert sums["dicomquest_associations_active"] == 0
        assert sums["dicomquest_workers"] == 2
        assert sums["dicomquest_slow_queries_total"] == ASSOCIATIONS


def test_labels_say_who_asked_and_how_it_ended(watched: Watched) -> None:
    _, text = watched.get("/metrics")
    assert 'dicomquest_finds_total{ae="SCU",level="PATIENT",status="0000"} 12.0' in text
    assert 'reason="rejected permanently: called AE title not recognized"' in text


def test_probes_answer_while_it_serves(watched: Watched) -> None:
    assert watched.get("/health") == (200, "ok\n")
    assert watched.get("/ready") == (200, "ok\n")


@pytest.mark.requirement("QR-173")
def test_find_is_one_object_of_the_log(watched: Watched) -> None:
    finds = watched.lines('"event": "find"', ASSOCIATIONS)
    assert len(finds) == ASSOCIATIONS
    for find in finds:
        assert (find["ae"], find["address"]) == ("SCU", HOST)
        assert (find["model"], find["query_level"]) == ("Patient Root", "PATIENT")
        assert (find["status"], find["reason"], find["matches"]) == ("0000", "Success", 0)
        assert 0 < find["milliseconds"] < 60_000
        assert find["matching_keys"] == ["Patient ID"]
    accepted = watched.lines('"association accepted"', ASSOCIATIONS + 1)
    ids = {(line["process"], line["association"]) for line in accepted if line["ae"] == "SCU"}
    assert {(find["process"], find["association"]) for find in finds} == ids
    assert len(ids) == ASSOCIATIONS


def test_slow_query_has_words_and_plan(watched: Watched) -> None:
    line = watched.lines("; plan: ", ASSOCIATIONS)[0]
    assert line["level"] == "warning"
    assert line["association"]
    assert "patients by Patient ID (Single Value)" in line["message"]
    assert "USING INDEX ix_patient_patient_id" in line["message"]


def test_log_has_no_value_of_a_query(watched: Watched) -> None:
    watched.lines("; plan: ", ASSOCIATIONS)
    assert SECRET not in watched.log


def test_trail_has_queries_transfers_and_alerts(watched: Watched) -> None:
    """Two workers write to one file, and each line is a message of the Standard's schema."""
    path = watched.folder / "audit.xml"
    wait_for(
        lambda: path.read_bytes().count(b"DICOM Instances Transferred") == len(corpus.STUDIES),
        "all transfers in the trail",
    )
    messages = [audited(line) for line in path.read_bytes().splitlines()]
    assert [each.event_type for each in messages if each.event == "Application Activity"] == [
        "Application Start"
    ] * 2
    queries = [each for each in messages if each.event == "Query"]
    assert len(queries) == ASSOCIATIONS
    assert all(SECRET.encode() in each.query for each in queries)
    assert all(
        each.values("AuditSourceIdentification", "AuditEnterpriseSiteID") == ["Hospital"]
        for each in messages
    )
    counts = [
        int(count)
        for each in messages
        if each.event == "DICOM Instances Transferred"
        for count in each.values("SOPClass", "NumberOfInstances")
    ]
    assert sum(counts) == len(corpus.instances())
    (alert,) = (each for each in messages if each.event == "Security Alert")
    assert "called AE title not recognized" in alert.description


def test_syslog_hears_of_start_and_stop(watched: Watched, tmp_path: Path) -> None:
    files = certificates.make(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=files.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(files.server.cert, files.server.key)
    server = SyslogServer(context)
    options = (
        "--audit-syslog", f"127.0.0.1:{server.port}", "--audit-ca", files.ca,
        "--audit-cert", files.client.cert, "--audit-key", files.client.key,
    )  # fmt: skip
    with (
        ours.serve(watched.folder / "index.sqlite", *options, folder=tmp_path) as peer,
        associated(peer.port, ae_title=peer.aet) as association,
    ):
        list(association.send_c_find(secret(), PATIENT_ROOT))
    wait_for(lambda: len(server.messages) == 3, "three messages")
    server.close()
    messages = [audited(each.document) for each in server.messages]
    assert [each.event for each in messages] == [
        "Application Activity", "Query", "Application Activity",
    ]  # fmt: skip
    assert messages[-1].event_type == "Application Stop"


def test_counts_outlive_their_worker(watched: Watched, tmp_path: Path) -> None:
    port = free_port()
    index = watched.folder / "index.sqlite"
    with serving(index, tmp_path, "--workers", "2", "--metrics", str(port)) as server:
        own = Watched(server.port, port, tmp_path)
        with associated(server.port) as association:
            list(association.send_c_find(secret(), PATIENT_ROOT))
        wait_for(lambda: len(server.listening()) == 2, "two workers")
        for worker in server.listening():
            os.kill(worker, signal.SIGKILL)
        wait_for(lambda: len(server.listening()) == 4, "two other workers")
        sums = own.sums()
    assert sums["dicomquest_finds_total"] == 1
    assert sums["dicomquest_associations_total"] == 1
    assert sums["dicomquest_workers"] == 2


def test_full_trail_refuses_service_if_asked_to(watched: Watched, tmp_path: Path) -> None:
    index, nobody = str(watched.folder / "index.sqlite"), free_port()
    options = (
        "--audit-syslog", f"127.0.0.1:{nobody}", "--audit-queue", "10", "--audit-full", "refuse",
    )  # fmt: skip
    with ours.serve(index, *options, folder=tmp_path) as peer:
        with associated(peer.port, ae_title=peer.aet) as association:
            statuses = [
                status.Status
                for _ in range(12)
                for status, _ in association.send_c_find(secret(), PATIENT_ROOT)
            ]
            assert statuses[0] == 0x0000
            assert statuses[-1] == 0xA700
            assert association.send_c_echo().Status == 0x0000
        assert scu().associate(HOST, peer.port, ae_title=peer.aet).is_rejected


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--audit-file", "missing/audit.xml"), "cannot be written: No such file or directory"),
        (("--audit-file", "a", "--audit-syslog", "b:1"), "choose one of them"),
        (("--audit-ca", __file__), "are for --audit-syslog HOST:PORT"),
    ],
)
def test_wrong_audit_settings_are_told(
    watched: Watched, options: tuple[str, ...], words: str
) -> None:
    index = str(watched.folder / "index.sqlite")
    done = ours.run("serve", "--index", index, "--port", "0", *options)
    assert done.status == 2
    assert words in done.err


def test_port_that_is_taken_is_told(watched: Watched) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = str(taken.getsockname()[1])
        index = str(watched.folder / "index.sqlite")
        done = ours.run("serve", "--index", index, "--port", "0", "--metrics", port)
    assert done.status == 1
    assert f"cannot listen on 127.0.0.1 port {port} for --metrics" in done.err


def trail_in(path: Path, count: int) -> list[str]:
    """The events of a trail, as soon as there are so many: of alerts their types."""
    wait_for(lambda: path.exists() and path.read_bytes().count(b"\n") >= count, f"{count} messages")
    messages = [audited(line) for line in path.read_bytes().splitlines()]
    return [
        each.event if each.event == "Query" else each.event_type or each.event for each in messages
    ]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sighup_reads_what_is_seen_again(watched: Watched, tmp_path: Path, workers: str) -> None:
    """Log, slow queries and audit trail change, for open associations too; the port does not."""
    config = tmp_path / "dicomquest.toml"
    metrics = f"metrics = {free_port()}\n"
    config.write_text(metrics)
    first, second = tmp_path / "first.xml", tmp_path / "second.xml"
    options = ("--workers", workers, "--config", str(config))
    with serving(watched.folder / "index.sqlite", tmp_path, *options) as server:

        def reload(text: str) -> None:
            before = server.log.count("the settings are read again")
            config.write_text(text)
            server.process.send_signal(signal.SIGHUP)
            wait_for(
                lambda: server.log.count("the settings are read again") == before + int(workers),
                "all processes have read the settings",
            )

        with associated(server.port) as association:

            def ask() -> None:
                list(association.send_c_find(secret(), PATIENT_ROOT))

            ask()
            reload(
                f'{metrics}log-format = "json"\nlog-keys = true\nslow-query = 0.000001\n'
                f'[audit]\naudit-file = "{first}"\n'
            )
            ask()
            server.log_with('"matching_keys": ["Patient ID"]')
            server.log_with(" slow: ")
            assert trail_in(first, int(workers) + 1).count("Query") == 1
            reload(f'{metrics}log-level = "info"\n[audit]\naudit-file = "{second}"\n')
            of_first = trail_in(first, 2 * int(workers) + 1)
            slow = server.log.count(" slow: ")
            ask()
            assert trail_in(second, int(workers) + 1).count("Query") == 1
            assert of_first.count("Query") == 1
            for bound in ("Audit Recording Started", "Audit Recording Stopped"):
                assert of_first.count(bound) == int(workers)
            assert server.log.count(" slow: ") == slow
            assert "metrics has changed" not in server.log
            config.write_text(f"metrics = {free_port()}\n[audit]\naudit-file = '/no/audit.xml'\n")
            server.process.send_signal(signal.SIGHUP)
            server.log_with("the settings stay as they are: --audit-file: /no/audit.xml cannot be")
            reload(f"metrics = {free_port()}\n")
            server.log_with("metrics has changed: that takes effect when the server is started")
            ask()
        server.process.terminate()
        assert server.process.wait(LONG) == 0, server.log
    assert trail_in(second, 2 * int(workers) + 1).count("Query") == 1
    assert "Traceback" not in server.log
