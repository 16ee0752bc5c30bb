"""Tests of services have an index on either database."""

from __future__ import annotations

from fixtures.find_service import index, postgresql_index, sqlite_index
from fixtures.locations import location

__all__ = ["index", "location", "postgresql_index", "sqlite_index"]
