"""Tests against the reference have an index for each zone."""

from __future__ import annotations

from fixtures.reference_indexes import indexes

__all__ = ["indexes"]
