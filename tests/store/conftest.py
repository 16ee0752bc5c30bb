"""Tests of archives have an index on either database."""

from __future__ import annotations

from fixtures.locations import location

__all__ = ["location"]
