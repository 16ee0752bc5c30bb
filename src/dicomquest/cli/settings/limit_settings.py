"""The bounds of the server in number, size and time (PS3.8 9.1.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import click

from dicomquest.cli.shared_options import SECONDS, setting
from dicomquest.ul.timers import Timeouts

TIMEOUTS = Timeouts()


@dataclass(frozen=True)
class LimitSettings:
    """The bounds on what peers may make the server do."""

    TABLE: ClassVar[str] = "limits"

    max_associations: int = setting(
        100,
        "Hold at most N associations in a process; reject one more.",
        type=click.IntRange(1),
        metavar="N",
    )
    max_associations_per_peer: int | None = setting(
        None,
        "Hold at most N associations of one address in a process; four fifths of "
        "--max-associations by default.",
        type=click.IntRange(1),
        metavar="N",
    )
    max_pdu: int = setting(
        65536,
        "The longest P-DATA-TF PDU to receive.",
        type=click.IntRange(4096, 1 << 20),
        metavar="BYTES",
    )
    request_timeout: float | None = setting(
        TIMEOUTS.associate_request,
        "Wait at most this long for the TLS handshake and the association request.",
        type=SECONDS,
        metavar="SECONDS",
    )
    artim_timeout: float | None = setting(
        TIMEOUTS.artim,
        "Wait at most this long for the peer to close a connection that has ended (ARTIM).",
        type=SECONDS,
        metavar="SECONDS",
    )
    idle_timeout: float | None = setting(
        TIMEOUTS.idle,
        "End an association that is without a request for this long.",
        type=SECONDS,
        metavar="SECONDS",
    )
    pdu_timeout: float | None = setting(
        TIMEOUTS.pdu,
        "End an association whose PDU takes this long to arrive.",
        type=SECONDS,
        metavar="SECONDS",
    )
    write_timeout: float | None = setting(
        TIMEOUTS.write,
        "End an association whose peer reads nothing for this long.",
        type=SECONDS,
        metavar="SECONDS",
    )
    grace: float = setting(
        5,
        "At the end give running requests this long; then abort their associations.",
        type=click.FloatRange(min=0),
        metavar="SECONDS",
    )
    result_limit: int | None = setting(
        None,
        "End a query with A700 after N matches.",
        type=click.IntRange(1),
        metavar="N",
        by_peer=True,
    )
    limit_is_success: bool = setting(
        False,
        "End such a query with Success instead of A700.",
        is_flag=True,
        by_peer=True,
    )
