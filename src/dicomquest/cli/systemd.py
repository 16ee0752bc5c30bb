"""The sockets that systemd hands to a service, and the states that it wants to hear.

The protocols are those of sd_listen_fds(3) and sd_notify(3).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping, MutableMapping
from contextlib import suppress

FIRST_DESCRIPTOR = 3
"""The number of the first socket that the manager passes (SD_LISTEN_FDS_START)."""


def inherited_sockets(environment: MutableMapping[str, str] = os.environ) -> list[socket.socket]:
    """Take over the sockets that the service manager opened for this process; none without one."""
    number, pid = (environment.pop(name, "") for name in ("LISTEN_FDS", "LISTEN_PID"))
    environment.pop("LISTEN_FDNAMES", None)
    if not (number.isdigit() and pid == str(os.getpid())):
        return []
    descriptors = range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + int(number))
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return [socket.socket(fileno=descriptor) for descriptor in descriptors]


def tell_manager(words: str, environment: Mapping[str, str] = os.environ) -> None:
    """Tell the service manager a state such as READY=1; without one, nobody."""
    place = environment.get("NOTIFY_SOCKET", "")
    if not place.startswith(("/", "@")):
        return
    # A leading @ stands for the zero byte of Linux's abstract sockets.
    address = f"\0{place[1:]}" if place.startswith("@") else place
    if words == "RELOADING=1":
        # Type=notify-reload asks for the time of the monotonic clock.
        words += f"\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"
    with (
        suppress(OSError),  # a manager that is gone must not end the service
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
    ):
        manager.sendto(words.encode(), address)
