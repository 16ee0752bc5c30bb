"""TLS tests share one certificate authority."""

from __future__ import annotations

from fixtures.authority import authority

__all__ = ["authority"]
