"""Fresh certificates for TLS tests: an authority, a server, a client, and a stranger."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key, as PEM files."""

    cert: str
    key: str


@dataclass(frozen=True, slots=True)
class Certificates:
    """``ca`` is the authority's certificate; ``stranger`` is signed by another one."""

    ca: str
    server: Identity
    client: Identity
    stranger: Identity


def make(folder: Path) -> Certificates:
    # RSA, because DCMTK's profiles have cipher suites for it in every version.
    authority, other = (
        trustme.CA(key_type=trustme.KeyType.RSA),
        trustme.CA(key_type=trustme.KeyType.RSA),
    )
    ca = folder / "ca.pem"
    authority.cert_pem.write_to_path(ca)

    def identity(name: str, issuer: trustme.CA, *hosts: str) -> Identity:
        issued = issuer.issue_cert(*hosts, key_type=trustme.KeyType.RSA)
        cert, key = folder / f"{name}.pem", folder / f"{name}.key"
        issued.cert_chain_pems[0].write_to_path(cert)
        issued.private_key_pem.write_to_path(key)
        return Identity(str(cert), str(key))

    return Certificates(
        str(ca),
        identity("server", authority, "127.0.0.1", "localhost"),
        identity("client", authority, "client.example"),
        identity("stranger", other, "stranger.example"),
    )
