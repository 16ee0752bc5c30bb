"""The demands on an ssl.SSLContext (PS3.15 B.12)."""

from __future__ import annotations

import ssl


def check_tls(context: ssl.SSLContext) -> None:
    """Raise ValueError for a context that would speak TLS below 1.2."""
    if context.minimum_version not in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        raise ValueError(
            f"the SSLContext allows {context.minimum_version.name}: "
            "set its minimum_version to ssl.TLSVersion.TLSv1_2 or TLSv1_3"
        )
