"""The metrics of a server, as Prometheus reads them; docs/reference/metrics.md lists them.

With several processes each writes its values to files of its own in one folder, and whichever is
asked adds up those of all. A counter of a process that has died stays in the sum, so no counter
ever goes back.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from dicomquest.errors import MonitorError
from dicomquest.escaping import escaped
from dicomquest.services.disclosures import InstancesAccessed, StudiesExported
from dicomquest.services.observer import (
    AssociationBegan,
    AssociationOver,
    AssociationRefused,
    Event,
    FindFinished,
    LimitHit,
    RetrieveFinished,
    SecurityAlert,
    SignedIn,
    StoreFinished,
    UpstreamFinished,
)
from dicomquest.services.step_events import StepFinished

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Histogram

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""The folder of the processes' files, for prometheus_client, which reads it when imported."""

MOST_TITLES = 64
"""AE titles that have a label of their own; anybody can make up titles, and each costs memory."""

OTHERS = "other"
"""The label of AE titles beyond the most."""

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""The bounds of the histograms: most queries take some milliseconds, the worst a minute."""

_LIVE_GAUGE = re.compile(r"gauge_live[a-z]*_(\d+)\.db")


class Metrics:
    """An observer that counts; MonitorError without prometheus_client.

    ``known_titles`` have labels of their own, however many others come before them.
    """

    def __init__(self, known_titles: Collection[str] = (), version: str = "") -> None:
        try:
            from prometheus_client import (  # noqa: PLC0415 (an extra)
                CollectorRegistry,
                Counter,
                Gauge,
                Histogram,
            )
        except ImportError as error:
            raise MonitorError(
                "metrics need prometheus-client: pip install 'dicomquest[metrics]'"
            ) from error
        own = CollectorRegistry()
        self._registry = own
        self._titles: dict[str, str] = {}
        self.know(known_titles)
        self._room = MOST_TITLES

        def counter(name: str, words: str, *labels: str) -> Counter:
            return Counter(f"dicomquest_{name}", words, labels, registry=own)

        def histogram(name: str, words: str, *labels: str) -> Histogram:
            return Histogram(f"dicomquest_{name}", words, labels, registry=own, buckets=SECONDS)

        def gauge(name: str, words: str, *labels: str) -> Gauge:
            return Gauge(
                f"dicomquest_{name}", words, labels, registry=own, multiprocess_mode="livesum"
            )

        self._answered = counter(
            "associations_total", "Association requests by their answer.", "result", "reason"
        )
        self._ended = counter(
            "associations_ended_total", "Accepted associations by the way they ended.", "how"
        )
        self._active = gauge("associations_active", "Associations that are established.")
        self._finds = counter(
            "finds_total", "C-FIND requests by their final status.", "ae", "level", "status"
        )
        self._matches = counter("matches_total", "Matches sent to C-FIND requests.", "ae", "level")
        self._find_seconds = histogram(
            "find_seconds", "Time from a C-FIND request to its final response.", "level"
        )
        self._stores = counter("stores_total", "C-STORE requests by their status.", "ae", "status")
        self._store_seconds = histogram(
            "store_seconds", "Time from a C-STORE request to its response."
        )
        self._retrieves = counter(
            "retrieves_total",
            "C-GET and C-MOVE requests by their final status.",
            "ae",
            "service",
            "level",
            "status",
        )
        self._sub_operations = counter(
            "sub_operations_total",
            "Instances of retrieves by their outcome.",
            "service",
            "outcome",
        )
        self._sent_bytes = counter(
            "sent_bytes_total", "Bytes of the data sets that retrieves have sent.", "service"
        )
        self._retrieve_seconds = histogram(
            "retrieve_seconds", "Time from a retrieve to its final response.", "service"
        )
        self._steps = counter(
            "steps_total",
            "N-CREATE and N-SET requests of performed steps by their status.",
            "ae",
            "service",
            "status",
        )
        self._limits = counter("limits_hit_total", "Limits that peers have reached.", "limit")
        self._alerts = counter("security_alerts_total", "Security alerts by kind.", "kind")
        self._upstreams = counter(
            "upstream_finds_total",
            "Queries to the archives behind this one by their end.",
            "upstream",
            "result",
        )
        self._upstream_seconds = histogram(
            "upstream_find_seconds", "Time until an archive behind this one ended.", "upstream"
        )
        self._slow = counter("slow_queries_total", "Queries slower than --slow-query.")
        self._dropped = counter(
            "audit_dropped_total", "Audit messages lost because they could not be delivered."
        )
        gauge("workers", "Processes that serve.").set(1)
        gauge("info", "The version that runs, in its label.", "version").labels(version).set(1)
        # A child looked up once is cheaper than by its labels each time.
        self._accepted = self._answered.labels("accepted", "")

    def know(self, titles: Collection[str]) -> None:
        """Give titles labels of their own from now on; those that have one keep it."""
        self._titles |= {title: escaped(title) for title in titles}

    def tell(self, event: Event) -> None:
        """Count an event."""
        match event:
            case FindFinished():
                ae, level = self._title(event.association.requestor.ae_title), event.level
                self._finds.labels(ae, level, event.code).inc()
                if event.matches:
                    self._matches.labels(ae, level).inc(event.matches)
                self._find_seconds.labels(level).observe(event.seconds)
            case StoreFinished():
                ae = self._title(event.association.requestor.ae_title)
                self._stores.labels(ae, event.code).inc()
                self._store_seconds.observe(event.seconds)
            case RetrieveFinished():
                ae = self._title(event.association.requestor.ae_title)
                self._retrieves.labels(ae, event.service, event.level, event.code).inc()
                for outcome, count in event.counts.items():
                    self._sub_operations.labels(event.service, outcome).inc(count)
                if (progress := event.retrieved.progress) is not None:
                    self._sent_bytes.labels(event.service).inc(progress.bytes_sent)
                self._retrieve_seconds.labels(event.service).observe(event.seconds)
            case StepFinished():
                ae = self._title(event.association.requestor.ae_title)
                self._steps.labels(ae, event.service, event.code).inc()
            case AssociationBegan():
                self._accepted.inc()
                self._active.inc()
            case AssociationOver() if event.association.is_http:
                pass  # it has not been counted
            case AssociationOver():
                self._ended.labels(event.how).inc()
                self._active.dec()
            case AssociationRefused():
                self._answered.labels("rejected", str(event.answer)).inc()
            case LimitHit():
                self._limits.labels(event.limit.value).inc()
            case SecurityAlert():
                self._alerts.labels(event.kind.value).inc()
            case UpstreamFinished():
                self._upstreams.labels(event.upstream, event.how).inc()
                self._upstream_seconds.labels(event.upstream).observe(event.seconds)
            case SignedIn() | InstancesAccessed() | StudiesExported():
                pass  # each request counts
            case _:
                assert_never(event)

    def slow_query(self) -> None:
        """Count a slow query; in any thread."""
        self._slow.inc()

    def audit_dropped(self, count: int) -> None:
        """Count audit messages that are lost; in any thread."""
        self._dropped.inc(count)

    def text(self) -> bytes:
        """Return the metrics of all processes, in Prometheus's text format; in any thread."""
        from prometheus_client import generate_latest  # noqa: PLC0415

        return generate_latest(self._all())

    def _all(self) -> CollectorRegistry:
        """Return the registry that collects from all processes."""
        folder = os.environ.get(FOLDER_VARIABLE)
        if folder is None:
            return self._registry
        from prometheus_client import CollectorRegistry  # noqa: PLC0415
        from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

        forget_dead(Path(folder))
        registry = CollectorRegistry()
        MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
        return registry

    def _title(self, title: str) -> str:
        """Return the label of an AE title."""
        label = self._titles.get(title)
        if label is None:
            if not self._room:
                return OTHERS
            self._room -= 1
            label = self._titles[title] = escaped(title)
        return label


def forget_dead(folder: Path) -> None:
    """Remove the gauges of processes that are gone, however they died."""
    for path in folder.iterdir():
        if (found := _LIVE_GAUGE.fullmatch(path.name)) and not _lives(int(found[1])):
            path.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
