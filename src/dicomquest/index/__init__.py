"""The index: instances in a database, and queries against it (``Index``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dicomquest.index.index import Index, open_index
    from dicomquest.index.search.sqlite_cursor import Cursor

__all__ = ["Cursor", "Index", "open_index"]


def __getattr__(name: str) -> Any:
    """Import on demand, because a process that only reads files needs no database."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dicomquest.index import index  # noqa: PLC0415
    from dicomquest.index.search import sqlite_cursor  # noqa: PLC0415

    return getattr(sqlite_cursor if name == "Cursor" else index, name)
