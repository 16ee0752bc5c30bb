"""The index: instances in a database, and queries against it (``Index``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dicomquest.index.cursor import Cursor
    from dicomquest.index.find import Index

__all__ = ["Cursor", "Index"]


def __getattr__(name: str) -> Any:
    """Import on demand: a process that only reads files needs no database."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dicomquest.index import cursor, find  # noqa: PLC0415

    return getattr(cursor if name == "Cursor" else find, name)
