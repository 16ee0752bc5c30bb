"""JSON Web Tokens, verified with a given key (PS3.7 D.3.3.7, RFC 7519)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dicomquest.errors import AccessError
from dicomquest.pdu.user_information import UserIdentityRQ
from dicomquest.services.access import Identity
from dicomquest.services.user_verification import JWT, Unverified, Verified

LEEWAY = 30
"""Seconds that the clocks of issuer and server may differ."""

SHORTEST_SECRET = 32
"""Bytes of a shared secret: as many as HS256's hash has (RFC 7518, 3.2)."""


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A verifier of JSON Web Tokens; the user is the token's subject (``sub``).

    - ``key`` and ``algorithms`` say what the signature has to be. The token's own word on the
      algorithm decides nothing: a public key taken for a shared secret would let all in.
    - ``audience`` and ``issuer`` are what a token has to name; a token for an audience is refused
      unless that is ours. None for a token without.
    """

    key: Any
    algorithms: tuple[str, ...]
    audience: str | None = None
    issuer: str | None = None

    types = frozenset({JWT})

    def verify(self, claim: UserIdentityRQ, identity: Identity) -> Verified | Unverified:
        """Verify a token's signature, time and words."""
        import jwt  # noqa: PLC0415 (an extra)

        del identity
        try:
            claims: dict[str, Any] = jwt.decode(
                claim.primary,
                self.key,
                algorithms=list(self.algorithms),
                audience=self.audience,
                issuer=self.issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "sub"]},
            )
        except jwt.PyJWTError as error:
            return Unverified(f"the token: {error}")
        return Verified(claims["sub"]) if claims["sub"] else Unverified("the token: no subject")


def read_key(path: Path, audience: str | None = None, issuer: str | None = None) -> TokenKey:
    """Read a public key, a certificate (PEM) or a shared secret; AccessError for another file."""
    try:
        import jwt  # noqa: F401, PLC0415 (an extra)
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
        from cryptography.x509 import load_pem_x509_certificate  # noqa: PLC0415
    except ImportError as error:
        raise AccessError("JSON Web Tokens need PyJWT: pip install 'dicomquest[access]'") from error
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AccessError(f"the key {path}: {error.strerror}") from error
    if not data.lstrip().startswith(b"-----BEGIN"):
        secret = data.strip()
        if len(secret) < SHORTEST_SECRET:
            raise AccessError(
                f"the key {path}: a shared secret of {len(secret)} bytes; "
                f"at least {SHORTEST_SECRET} are needed"
            )
        return TokenKey(secret, ("HS256", "HS384", "HS512"), audience, issuer)
    try:
        key = (
            load_pem_x509_certificate(data).public_key()
            if b"BEGIN CERTIFICATE" in data
            else serialization.load_pem_public_key(data)
        )
    except ValueError as error:
        raise AccessError(
            f"the key {path}: expected a public key or a certificate (PEM), or a shared secret"
        ) from error
    return TokenKey(key, _algorithms(key, path), audience, issuer)


def _algorithms(key: Any, path: Path) -> tuple[str, ...]:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415

    match key:
        case rsa.RSAPublicKey():
            return "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"
        case ec.EllipticCurvePublicKey():
            return "ES256", "ES384", "ES512"
        case ed25519.Ed25519PublicKey():
            return ("EdDSA",)
        case _:
            raise AccessError(f"the key {path}: expected RSA, an elliptic curve or Ed25519")
