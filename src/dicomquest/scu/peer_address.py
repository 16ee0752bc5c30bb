"""The address of a peer, and the way to it (PS3.8 7.1.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl


@dataclass(frozen=True, slots=True)
class Peer:
    """The address of the acceptor, and the way to it.

    With TLS, ``server_hostname`` is the name that its certificate must have. ``bind_address`` is
    this end's (address, port).
    """

    host: str
    port: int
    ssl_context: ssl.SSLContext | None = None
    server_hostname: str | None = None
    bind_address: tuple[str, int] | None = None

    @property
    def has_own_port(self) -> bool:
        """Tell whether the connection comes from a certain port, which the next one needs again."""
        return self.bind_address is not None and self.bind_address[1] != 0

    def __str__(self) -> str:
        return f"{self.host} port {self.port}"
