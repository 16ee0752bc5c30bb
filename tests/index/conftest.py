"""Tests of the index run on either database."""

from __future__ import annotations

from fixtures.indexes import (
    backend,
    index,
    location,
    own_location,
    postgresql_index,
    postgresql_template,
)

__all__ = [
    "backend",
    "index",
    "location",
    "own_location",
    "postgresql_index",
    "postgresql_template",
]
