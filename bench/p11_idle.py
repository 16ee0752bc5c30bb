"""P11: associations that are held and do nothing: memory each, and processor time."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING

from client import Client
from measure import Claim, Figure, number
from servers import ours, resident_bytes

if TYPE_CHECKING:
    from sizes import Size

SECONDS = 5.0


def processor_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def run(size: Size) -> Claim:
    claim = Claim(
        "P11", f"{size.idle:,} idle associations", "at most 100 KB each and no processor time"
    )
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 3 * size.idle + 1000), hard))
    with ours(size.growth[0]) as served:
        Client(served.port, served.aet).release()
        before = resident_bytes(served.pid)
        clients = [Client(served.port, served.aet) for _ in range(size.idle)]
        each = (resident_bytes(served.pid) - before) / size.idle / 1000
        ticks = processor_ticks(served.pid)
        seconds = SECONDS if size.runs > 1 else SECONDS / 10
        time.sleep(seconds)
        used = (processor_ticks(served.pid) - ticks) / 100 / seconds
        for client in clients:
            client.close()
    claim.is_met = each <= 100 and used <= 0.02
    claim.figures = [
        Figure("memory each, KB", number(each)),
        Figure("processor time, share of a core", f"{used:.3f}"),
    ]
    return claim
