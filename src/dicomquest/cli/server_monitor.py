"""The observers of ``dicomquest serve``: metrics with their page, slow queries, the audit trail."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from dicomquest import __version__
from dicomquest.cli.messages import give_up
from dicomquest.cli.serve_settings import ServeSettings
from dicomquest.cli.settings.audit_settings import AuditSettings
from dicomquest.cli.shared_options import client_tls, host_and_port
from dicomquest.index.index import Index
from dicomquest.monitor.audience import Audience
from dicomquest.monitor.audit_message import AuditSource
from dicomquest.monitor.audit_sinks import FileSink, Sink, SyslogSink
from dicomquest.monitor.audit_trail import AuditTrail
from dicomquest.monitor.metrics import FOLDER_VARIABLE, Metrics
from dicomquest.monitor.nothing_found import NothingFound
from dicomquest.monitor.probes import Probes
from dicomquest.monitor.slow_queries import SlowQueries
from dicomquest.monitor.status_page import StatusPage
from dicomquest.services.observer import Observer


class Monitor:
    """The observers of one process by its settings, and its probes.

    ``observer`` is None if nobody listens. ``suspension`` gives the reason why nobody should be
    served now.
    """

    def __init__(
        self,
        settings: ServeSettings,
        index: Index,
        metrics: Metrics | None = None,
        probes: Probes | None = None,
    ) -> None:
        """Observe by settings; UsageError if they name no place for the audit trail."""
        self.observer: Observer | None = None
        self.suspension: Callable[[], str] = str
        self._index = index
        self._metrics = metrics
        self._probes = probes
        self._slow: SlowQueries | None = None
        self._nothing: NothingFound | None = None
        self._trail: AuditTrail | None = None
        self._settings = settings
        self._observe(settings, has_started=False)

    def reconfigure(self, settings: ServeSettings) -> None:
        """Observe by other settings; UsageError, before anything changes, as at the start.

        What the trail still has to deliver goes to the new place.
        """
        self._observe(settings, has_started=True)

    def end(self) -> None:
        """Tell the probes that the server ends."""
        if self._probes is not None:
            self._probes.end()

    def close(self) -> None:
        """Let the observers deliver what they have."""
        for each in (self._trail, self._slow, self._nothing):
            if each is not None:
                each.close()

    def _observe(self, settings: ServeSettings, *, has_started: bool) -> None:
        before = self._settings
        # First of all, because it may fail.
        changes_trail = not has_started or of_trail(settings) != of_trail(before)
        sink = audit_sink(settings) if changes_trail else None
        if changes_trail:
            self._follow(settings, sink, has_started=has_started)
        if not has_started or of_queries(settings) != of_queries(before):
            self._explain(settings)
        if self._metrics is not None:
            self._metrics.know(settings.peers)
        listeners = self._metrics, self._slow, self._nothing, self._trail
        observers = [each for each in listeners if each is not None]
        self.observer = Audience(observers) if observers else None
        is_strict = self._trail is not None and settings.audit_full == "refuse"
        self.suspension = self._trail.objection if is_strict and self._trail is not None else str
        self._settings = settings

    def _follow(self, settings: ServeSettings, sink: Sink | None, *, has_started: bool) -> None:
        """Keep an audit trail in a place, or end the one that there is."""
        source = AuditSource(settings.audit_source or settings.aet, settings.audit_site or "")
        if sink is None:
            if self._trail is not None:
                self._trail.stop()
            self._trail = None
        elif self._trail is not None:
            self._trail.redirect(sink, source, settings.aet, settings.audit_queue)
        else:
            count_lost = self._metrics.audit_dropped if self._metrics is not None else None
            self._trail = AuditTrail(
                sink, source, settings.aet, settings.audit_queue,
                count_lost=count_lost or (lambda _: None), has_started=has_started,
            )  # fmt: skip

    def _explain(self, settings: ServeSettings) -> None:
        """Explain queries that are slow or find nothing, as far as that is asked for."""
        for each in (self._slow, self._nothing):
            if each is not None:
                each.stop()
        self._slow = self._nothing = None
        if settings.slow_query is not None:
            self._slow = SlowQueries(
                self._index,
                settings.slow_query,
                shows_values=settings.slow_query_values,
                count=self._metrics.slow_query if self._metrics is not None else lambda: None,
            )
        if settings.explain_nothing:
            self._nothing = NothingFound(self._index, shows_values=settings.slow_query_values)


def of_trail(settings: ServeSettings) -> tuple[object, ...]:
    """Return the settings that the place of the audit trail depends on."""
    of_audit = (getattr(settings, each.name) for each in fields(AuditSettings))
    return settings.aet, *of_audit


def of_queries(settings: ServeSettings) -> tuple[object, ...]:
    """Return the settings that say which queries are explained in the log."""
    return settings.slow_query, settings.slow_query_values, settings.explain_nothing


@contextmanager
def shared_metrics(settings: ServeSettings) -> Iterator[ServeSettings]:
    """Prepare what the processes share, before any starts; give the settings for them.

    A wrong port, or a package that is missing, ends the command here.
    """
    if settings.metrics is None:
        yield settings
        return
    if importlib.util.find_spec("prometheus_client") is None:
        raise give_up("--metrics needs prometheus-client: pip install 'dicomquest[metrics]'")
    host, port = host_and_port(settings.metrics)
    try:
        port = _free(host, port)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise give_up(f"cannot listen on {host} port {port} for --metrics: {reason}") from error
    with ExitStack() as stack:
        if settings.workers > 1:
            # Set before prometheus_client is imported, which each process does for itself.
            os.environ[FOLDER_VARIABLE] = stack.enter_context(
                TemporaryDirectory(prefix="dicomquest-metrics-")
            )
        yield replace(settings, metrics=f"{host}:{port}")


def _free(host: str, port: int) -> int:
    """Return the port if nobody listens there, a free one for 0; else raise OSError."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        found: int = probe.getsockname()[1]
        return found


@contextmanager
def monitoring(settings: ServeSettings, index: Index) -> Iterator[Monitor]:
    """Observe the server of this process, in whose event loop this is called."""
    with ExitStack() as stack:
        metrics = None
        probes = None
        if settings.metrics is not None:
            metrics = Metrics(settings.peers, __version__)
            probes = Probes(index, asyncio.get_running_loop())
            stack.callback(probes.close)
            page = StatusPage(metrics.text, probes.fault, probes.unready)
            page.start(*host_and_port(settings.metrics))
            stack.callback(page.close)
        monitor = Monitor(settings, index, metrics, probes)
        stack.callback(monitor.close)
        yield monitor


def check_audit(settings: ServeSettings) -> None:
    """Raise UsageError for settings of the audit trail that do not fit each other."""
    if settings.audit_file is not None and settings.audit_syslog is not None:
        raise click.UsageError("--audit-file and --audit-syslog: choose one of them")
    for_syslog = (settings.audit_ca, settings.audit_cert, settings.audit_key)
    if settings.audit_syslog is None and any(for_syslog):
        raise click.UsageError(
            "--audit-ca, --audit-cert and --audit-key are for --audit-syslog HOST:PORT"
        )
    if settings.audit_syslog is not None:
        _syslog_tls(settings)


def audit_sink(settings: ServeSettings) -> Sink | None:
    """Make the place of audit messages; None without any, UsageError for one that is no place."""
    if settings.audit_syslog is not None:
        return SyslogSink(*host_and_port(settings.audit_syslog), _syslog_tls(settings))
    if settings.audit_file is None:
        return None
    try:
        return FileSink(Path(settings.audit_file))
    except OSError as error:
        raise click.UsageError(
            f"--audit-file: {settings.audit_file} cannot be written: {error.strerror}"
        ) from error


def _syslog_tls(settings: ServeSettings) -> ssl.SSLContext:
    context = client_tls(
        tls=True, cert=settings.audit_cert, key=settings.audit_key, ca=settings.audit_ca
    )
    assert context is not None  # noqa: S101  tls is asked for
    return context
