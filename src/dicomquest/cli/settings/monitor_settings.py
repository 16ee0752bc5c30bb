"""The settings by which operators see what the server does: metrics, queries explained."""

from __future__ import annotations

from dataclasses import dataclass

from dicomquest.cli.shared_options import SECONDS, network_address, setting


@dataclass(frozen=True)
class MonitorSettings:
    """The metrics, and the log of queries that are slow or find nothing."""

    metrics: str | None = setting(
        None,
        "Serve /metrics for Prometheus, /health and /ready by HTTP on this port, of this machine "
        "alone unless there is a HOST.",
        type=network_address,
        metavar="[HOST:]PORT",
    )
    slow_query: float | None = setting(
        None,
        "Log each query that takes at least this long, in words and with the database's plan.",
        type=SECONDS,
        metavar="SECONDS",
    )
    slow_query_values: bool = setting(
        False,
        "Log slow queries with the values of their keys, which are patient data.",
        is_flag=True,
        needs=("slow_query", "explain_nothing"),
    )
    explain_nothing: bool = setting(
        False,
        "Log of each query that finds nothing which key excludes everything, with the plan; "
        "costs two searches a key. Values as for --slow-query.",
        is_flag=True,
    )
