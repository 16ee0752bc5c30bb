"""A database that a class opens for itself, and closes as a ``with`` statement does."""

from __future__ import annotations

import os
from typing import Self

from dicomquest.index.database.pool import Database


class OwnedDatabase:
    """The base of classes that own the connections to their database."""

    def __init__(self, location: str | os.PathLike[str], *, create: bool) -> None:
        self._database = Database(location, create=create)

    def close(self) -> None:
        """Close the connections."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
