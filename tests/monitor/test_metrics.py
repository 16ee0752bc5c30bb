"""The metrics of events, in one process and added up over several."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dicomquest.monitor.metrics import MOST_TITLES, OTHERS, Metrics, forget_dead
from dicomquest.pdu.pdus import AAssociateRJ
from dicomquest.services.limit_names import LimitName
from dicomquest.services.observer import (
    AlertKind,
    AssociationBegan,
    AssociationOver,
    AssociationRefused,
    Event,
    LimitHit,
    SecurityAlert,
    StoreFinished,
    UpstreamFinished,
)
from dicomquest.services.request import ServiceUser
from dicomquest.services.step_events import StepFinished
from fixtures.retrieving import finished
from fixtures.service_requests import USER, Channel, find_of, request
from fixtures.timing import LONG

ASSOCIATION = request(Channel()).association


def values(text: str) -> dict[str, float]:
    """Each sample by its name and labels, as a line has them."""
    return {
        f"{sample.name}{dict(sorted(sample.labels.items())) or ''}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def counted(*events: Event) -> dict[str, float]:
    metrics = Metrics()
    for event in events:
        metrics.tell(event)
    return values(metrics.text().decode())


def test_find_counts_by_title_level_and_status() -> None:
    found = counted(find_of(), find_of(), find_of()._replace(status=0xA700, matches=0))
    labels = "'ae': 'AE', 'level': 'PATIENT'"
    assert found[f"dicomquest_finds_total{{{labels}, 'status': '0000'}}"] == 2
    assert found[f"dicomquest_finds_total{{{labels}, 'status': 'A700'}}"] == 1
    assert found[f"dicomquest_matches_total{{{labels}}}"] == 2468
    assert found["dicomquest_find_seconds_count{'level': 'PATIENT'}"] == 3
    assert found["dicomquest_find_seconds_bucket{'le': '0.0025', 'level': 'PATIENT'}"] == 0
    assert found["dicomquest_find_seconds_bucket{'le': '0.005', 'level': 'PATIENT'}"] == 3


def test_steps_count_by_title_service_and_status() -> None:
    event = StepFinished(ASSOCIATION, "N-CREATE", "1.2", None, 0x0111, "", 0.1)
    found = counted(event, event, event._replace(service="N-SET", status=0))
    labels = "'ae': 'AE', 'service'"
    assert found[f"dicomquest_steps_total{{{labels}: 'N-CREATE', 'status': '0111'}}"] == 2
    assert found[f"dicomquest_steps_total{{{labels}: 'N-SET', 'status': '0000'}}"] == 1


def test_association_counts_by_result_and_end() -> None:
    began, over = AssociationBegan(ASSOCIATION), AssociationOver(ASSOCIATION, "released", "", 1.0)
    found = counted(began, began, over, AssociationRefused(1, USER, USER, AAssociateRJ(1, 1, 3)))
    result = "dicomquest_associations_total{'reason': "
    assert found[result + "'', 'result': 'accepted'}"] == 2
    rejected = "'rejected permanently: calling AE title not recognized', 'result': 'rejected'}"
    assert found[result + rejected] == 1
    assert found["dicomquest_associations_active"] == 1
    assert found["dicomquest_associations_ended_total{'how': 'released'}"] == 1


def test_stores_limits_and_alerts_are_counted() -> None:
    stored = StoreFinished(ASSOCIATION, "1.2", "1.2.3", None, 0, "", 0.2)
    found = counted(
        stored,
        LimitHit(LimitName.RESULTS, "127.0.0.1"),
        SecurityAlert(AlertKind.HANDSHAKE, "127.0.0.1", "", "no TLS"),
    )
    assert found["dicomquest_stores_total{'ae': 'AE', 'status': '0000'}"] == 1
    assert found["dicomquest_store_seconds_sum"] == pytest.approx(0.2)
    assert found["dicomquest_limits_hit_total{'limit': 'result-limit'}"] == 1
    assert found["dicomquest_security_alerts_total{'kind': 'TLS handshake failed'}"] == 1


def test_retrieves_and_their_instances_are_counted() -> None:
    found = counted(finished(), finished("STORE", status=0))
    labels = "'ae': 'ASKING', 'level': 'STUDY'"
    get = f"{{{labels}, 'service': 'C-GET', 'status': 'B000'}}"
    assert found[f"dicomquest_retrieves_total{get}"] == 1
    outcome = "{'outcome': 'failed', 'service': 'C-MOVE'}"
    assert found[f"dicomquest_sub_operations_total{outcome}"] == 1
    assert found["dicomquest_sent_bytes_total{'service': 'C-GET'}"] == 1000
    assert found["dicomquest_retrieve_seconds_count{'service': 'C-MOVE'}"] == 1


def test_titles_beyond_the_most_share_a_label() -> None:
    """Anybody can make up titles; those of the configuration keep their label all the same."""
    metrics = Metrics({"KNOWN"})
    for title in (*(f"AE{number}" for number in range(MOST_TITLES + 10)), "KNOWN", "\x1b\n"):
        requestor = ServiceUser(title, "127.0.0.1", 104)
        association = type(ASSOCIATION)(7, requestor, USER, {})
        metrics.tell(find_of()._replace(association=association))
    found = values(metrics.text().decode())
    finds = [name for name in found if name.startswith("dicomquest_finds_total")]
    assert len(finds) == MOST_TITLES + 2
    labels = "'level': 'PATIENT', 'status': '0000'}"
    assert found[f"dicomquest_finds_total{{'ae': '{OTHERS}', {labels}"] == 11
    assert found[f"dicomquest_finds_total{{'ae': 'KNOWN', {labels}"] == 1


PROCESSES = """
import os
from dicomquest.monitor.metrics import Metrics
children = []
for _ in range(3):
    if (child := os.fork()) == 0:
        metrics = Metrics()
        metrics.slow_query()
        metrics.audit_dropped(2)
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
print(Metrics().text().decode())
"""


def test_processes_are_added_up_dead_ones_too(tmp_path: Path) -> None:
    """Counters of a dead worker stay in the sum; its gauges do not."""
    done = subprocess.run(
        [sys.executable, "-c", PROCESSES],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
        timeout=6 * LONG,
    )
    found = values(done.stdout)
    assert found["dicomquest_slow_queries_total"] == 3
    assert found["dicomquest_audit_dropped_total"] == 6
    assert found["dicomquest_workers"] == 1


def test_only_gauges_of_the_dead_are_removed(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait(LONG)
    kept = [f"gauge_livesum_{os.getpid()}.db", f"counter_{dead.pid}.db"]
    for name in (*kept, f"gauge_livesum_{dead.pid}.db"):
        (tmp_path / name).touch()
    forget_dead(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


def test_page_lists_each_metric() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/metrics.md").read_text(encoding="utf-8")
    text = Metrics().text().decode()
    families = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    listed = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `dicomquest_")}
    created = {name for name in families if name.endswith("_created")}
    assert families - created == listed


def test_upstreams_count_by_their_ends() -> None:
    found = counted(
        UpstreamFinished("main", "complete", 3, 0.02),
        UpstreamFinished("main", "complete", 0, 0.04),
        UpstreamFinished("old", "timed out", 0, 30.0),
    )
    name = "dicomquest_upstream_finds_total"
    assert found[f"{name}{{'result': 'complete', 'upstream': 'main'}}"] == 2
    assert found[f"{name}{{'result': 'timed out', 'upstream': 'old'}}"] == 1
    assert found["dicomquest_upstream_find_seconds_count{'upstream': 'main'}"] == 2
    assert found["dicomquest_upstream_find_seconds_sum{'upstream': 'old'}"] == 30
