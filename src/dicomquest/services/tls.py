"""The demands on an ssl.SSLContext, and the certificates that peers show (PS3.15 B.12)."""

from __future__ import annotations

import hashlib
import ssl
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from dicomquest.services.access import Certificate


def check_tls(context: ssl.SSLContext) -> None:
    """Raise ValueError for a context that would speak TLS below 1.2."""
    if context.minimum_version not in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        raise ValueError(
            f"the SSLContext allows {context.minimum_version.name}: "
            "set its minimum_version to ssl.TLSVersion.TLSv1_2 or TLSv1_3"
        )


class ContextOfNow(ssl.SSLContext):
    """The context ``now``, for each handshake that begins.

    A server keeps the context that it was made with, and another server on its port would lose who
    connects in between.
    """

    now: ssl.SSLContext

    def __new__(cls, now: ssl.SSLContext) -> Self:
        """Stand for a context."""
        made = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        made.now = now
        return made

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """Begin a handshake."""
        return self.now.wrap_bio(*args, **kwargs)


def certificate_of(connection: ssl.SSLObject | ssl.SSLSocket | None) -> Certificate | None:
    """Return the certificate that a peer showed; None without TLS, or if it showed none."""
    from dicomquest.services.access import Certificate  # noqa: PLC0415 (clients need none)

    encoded = connection.getpeercert(binary_form=True) if connection is not None else None
    if connection is None or not encoded:
        return None
    # Empty unless the certificate has been verified: then its subject proves nothing.
    subject: Any = (connection.getpeercert() or {}).get("subject", ())
    names = [value for parts in subject for key, value in parts if key == "commonName"]
    return Certificate(hashlib.sha256(encoded).hexdigest(), names[0] if len(names) == 1 else "")
