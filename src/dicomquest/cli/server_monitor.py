"""The observers of ``dicomquest serve``: metrics with their page, slow queries, the audit trail."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from dicomquest import __version__
from dicomquest.cli.messages import give_up
from dicomquest.cli.serve_settings import ServeSettings
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


@dataclass(slots=True)
class Monitor:
    """The observer of one process, None if nobody listens, and its probes.

    ``suspension`` gives the reason why nobody should be served now.
    """

    observer: Observer | None = None
    probes: Probes | None = None
    suspension: Callable[[], str] = str

    def end(self) -> None:
        """Tell the probes that the server ends."""
        if self.probes is not None:
            self.probes.end()


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
        observers: list[Observer] = []
        metrics = None
        probes = None
        if settings.metrics is not None:
            metrics = Metrics(settings.peers, __version__)
            observers.append(metrics)
            probes = Probes(index, asyncio.get_running_loop())
            stack.callback(probes.close)
            page = StatusPage(metrics.text, probes.fault, probes.unready)
            page.start(*host_and_port(settings.metrics))
            stack.callback(page.close)
        if settings.slow_query is not None:
            slow = SlowQueries(
                index,
                settings.slow_query,
                shows_values=settings.slow_query_values,
                count=metrics.slow_query if metrics is not None else lambda: None,
            )
            observers.append(slow)
            stack.callback(slow.close)
        if settings.explain_nothing:
            nothing = NothingFound(index, shows_values=settings.slow_query_values)
            observers.append(nothing)
            stack.callback(nothing.close)
        monitor = Monitor(probes=probes)
        if (sink := audit_sink(settings)) is not None:
            source = AuditSource(settings.audit_source or settings.aet, settings.audit_site or "")
            count_lost = metrics.audit_dropped if metrics is not None else lambda _: None
            trail = AuditTrail(
                sink, source, settings.aet, settings.audit_queue, count_lost=count_lost
            )
            observers.append(trail)
            stack.callback(trail.close)
            if settings.audit_full == "refuse":
                monitor.suspension = trail.objection
        monitor.observer = Audience(observers) if observers else None
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
