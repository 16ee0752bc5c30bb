"""Tests of upkeep share a folder of files."""

from __future__ import annotations

from fixtures.indexed_folder import folder

__all__ = ["folder"]
