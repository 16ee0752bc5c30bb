"""Tests of the worklist run on either database."""

from __future__ import annotations

from fixtures.locations import location

__all__ = ["location"]
