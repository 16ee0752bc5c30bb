"""The settings of the audit trail (PS3.15 A.5, A.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import click

from dicomquest.cli.shared_options import FILE, network_address, setting


@dataclass(frozen=True)
class AuditSettings:
    """The destination of audit messages, and what happens if it takes none."""

    TABLE: ClassVar[str] = "audit"

    audit_file: str | None = setting(
        None,
        "Append audit messages to this file, an XML document a line.",
        type=click.Path(dir_okay=False),
        metavar="FILE",
    )
    audit_syslog: str | None = setting(
        None,
        "Send audit messages to this syslog server over TLS; 6514 is the usual port.",
        type=network_address,
        metavar="HOST:PORT",
    )
    audit_ca: str | None = setting(
        None,
        "The authorities that the syslog server's certificate is checked against (PEM); those of "
        "the system by default.",
        type=FILE,
        metavar="FILE",
    )
    audit_cert: str | None = setting(
        None, "Show the syslog server this certificate (PEM).", type=FILE, metavar="FILE"
    )
    audit_key: str | None = setting(
        None,
        "The key of --audit-cert, if it is in a file of its own (PEM).",
        type=FILE,
        metavar="FILE",
    )
    audit_source: str | None = setting(
        None,
        "The Audit Source ID of messages; the AE title of the server by default.",
        metavar="TEXT",
        needs=("audit_file", "audit_syslog"),
    )
    audit_site: str | None = setting(
        None,
        "The Audit Enterprise Site ID of messages.",
        metavar="TEXT",
        needs=("audit_file", "audit_syslog"),
    )
    audit_queue: int = setting(
        10000,
        "Hold at most N messages, of each process, that cannot be delivered.",
        type=click.IntRange(10),
        metavar="N",
        needs=("audit_file", "audit_syslog"),
    )
    audit_full: str = setting(
        "drop",
        "If there are more: drop them, and serve on, or refuse associations and requests until "
        "there is room.",
        type=click.Choice(["drop", "refuse"]),
        needs=("audit_file", "audit_syslog"),
    )
