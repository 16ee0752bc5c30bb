"""Lines of a log that a peer can cause at will: repeated ones are counted (PS3.7 9.3.2.3)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from time import monotonic

MOST_A_SECOND = 20
"""Different lines of one kind that are logged in a second; the others are counted."""


@dataclass(slots=True)
class _Kind:
    logger: logging.Logger
    level: int
    last: str = ""
    more: int = 0
    since: float = 0.0
    logged: int = 0


class RepeatedLines:
    """The lines of one association, or of a server's connections, each of a kind.

    A peer that sends a hundred thousand C-CANCELs for nothing must not fill the disk of the log: a
    line that is equal to the last of its kind is counted, and so are those of a kind beyond
    MOST_A_SECOND. The count is logged before the next line of the kind, and at the end.
    """

    def __init__(self) -> None:
        self._kinds: dict[str, _Kind] = {}

    def log(
        self,
        logger: logging.Logger,
        level: int,
        kind: str,
        line: str,
        event: object | None = None,
    ) -> None:
        """Log a line, or count it; ``kind`` is a constant of the caller, nothing of the peer's.

        The first of equal lines is logged as the ``event``, which has the time besides.
        """
        if not logger.isEnabledFor(level):
            return
        of_kind = self._kinds.setdefault(kind, _Kind(logger, level))
        if line == of_kind.last:
            of_kind.more += 1
            return
        now = monotonic()
        if now - of_kind.since >= 1:
            of_kind.since, of_kind.logged = now, 0
        if of_kind.logged >= MOST_A_SECOND:
            of_kind.more += 1
            return
        self._log_count(of_kind)
        of_kind.last = line
        of_kind.logged += 1
        logger.log(level, "%s", line if event is None else event)

    def end(self) -> None:
        """Log the counts that are left."""
        for of_kind in self._kinds.values():
            self._log_count(of_kind)

    def _log_count(self, of_kind: _Kind) -> None:
        if of_kind.more:
            of_kind.logger.log(
                of_kind.level, "%s … and %s more like it", of_kind.last, f"{of_kind.more:,}"
            )
            of_kind.more = 0
