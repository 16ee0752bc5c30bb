"""The connection that short write transactions of an SQLite index use again and again.

SQLAlchemy takes a connection from its pool, wraps it, and resets it for each transaction. For a
transaction of one instance that is a third of all its work.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine
    from sqlalchemy.pool import PoolProxiedConnection


class HeldConnection:
    """A connection out of the pool, as ``tables.dialects.execute`` takes it."""

    __slots__ = ("connection", "dialect", "driver", "engine", "info", "pooled")

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.pooled: PoolProxiedConnection = engine.raw_connection()
        self.dialect = engine.dialect
        self.driver: Any = self.pooled.driver_connection
        self.info: dict[Any, Any] = self.pooled.info
        self.connection = cast("PoolProxiedConnection", _Direct(self.driver))


class _Direct(NamedTuple):
    """The driver's connection without the pool's, whose properties each statement would ask."""

    driver_connection: Any


class HeldWriters:
    """The connections that no transaction uses at the moment: one, as SQLite has one writer."""

    def __init__(self) -> None:
        self._idle: list[HeldConnection] = []

    @contextmanager
    def transaction(self, engine: Engine) -> Iterator[HeldConnection]:
        """Give a connection of this engine, with the write lock; commit at the end."""
        held = self._take(engine)
        try:
            held.driver.execute("BEGIN IMMEDIATE")
            yield held
            held.driver.commit()
        except BaseException as error:
            if not isinstance(error, Exception):
                # An interruption leaves the driver in an unknown state.
                held.pooled.invalidate()
            # The pool rolls back.
            held.pooled.close()
            raise
        self._idle.append(held)

    def release(self) -> None:
        """Give the idle connections back to the pool."""
        while True:
            try:
                held = self._idle.pop()
            except IndexError:
                return
            # The file may be gone, and its pool closed.
            with suppress(Exception):
                held.pooled.close()

    def _take(self, engine: Engine) -> HeldConnection:
        """Take an idle connection of this engine; the engine of a replaced file has others."""
        try:
            held = self._idle.pop()
        except IndexError:
            return HeldConnection(engine)
        if held.engine is engine:
            return held
        held.pooled.close()
        return self._take(engine)
