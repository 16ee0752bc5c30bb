"""The schema's revisions (Alembic), packaged with the program and run by it."""

from __future__ import annotations

NEWEST_REVISION = "0009"
"""The newest of ``versions``; a later revision is a greater text."""
