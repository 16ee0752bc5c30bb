"""The connections that short write transactions of a server use again and again, as pipelines.

In a pipeline statements go out without waiting for the results of those before, so a transaction
waits once for each result that it needs, not for each statement. SQLAlchemy would ask the server
before each transaction whether it is there, and begin and lock by a round trip each.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine
    from sqlalchemy.pool import PoolProxiedConnection


class PipelinedConnection:
    """A connection out of the pool, as ``tables.dialects.execute`` takes it."""

    __slots__ = ("_pipeline", "connection", "connection", "dialect", "driver", "info")

    def __init__(self, engine: Engine) -> None:
        self.connection: PoolProxiedConnection = engine.raw_connection()
        self.dialect = engine.dialect
        self.driver: Any = cast("Any", self.connection.driver_connection)
        self.info: dict[Any, Any] = self.connection.info
        # Kept, because the pipeline ends with this object.
        self._pipeline = self.driver.pipeline()
        self._pipeline.__enter__()

    def drop(self) -> None:
        """Close the connection, whatever it waits for."""
        with suppress(Exception):
            self.connection.invalidate()
            self._pipeline.__exit__(None, None, None)


class PipelinedWriters:
    """The connections that no transaction uses at the moment, each in pipeline mode.

    ``is_lost`` tells whether the server has ended the driver's connection.
    """

    def __init__(self, is_lost: Callable[[Any], bool]) -> None:
        self._is_lost = is_lost
        self._idle: list[PipelinedConnection] = []

    @contextmanager
    def transaction(
        self, engine: Engine, begin: Callable[[PipelinedConnection], None]
    ) -> Iterator[PipelinedConnection]:
        """Give a connection after ``begin``, whose statements need not be done; commit at the end.

        A statement's failure is raised where a result is fetched, or by the commit.
        """
        held = self._take(engine)
        try:
            begin(held)
            yield held
            held.driver.commit()
        except BaseException:
            # Nobody knows where the pipeline stands. The server rolls back.
            held.drop()
            raise
        self._idle.append(held)

    def release(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().drop()

    def _take(self, engine: Engine) -> PipelinedConnection:
        while self._idle:
            try:
                held = self._idle.pop()
            except IndexError:
                break  # another thread was quicker
            if not self._is_lost(held.driver):
                return held
            held.drop()
        return PipelinedConnection(engine)
