"""The turns of threads that share an association: one request at a time (PS3.7 9.1)."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from dicomquest.errors import LocalProtocolError
from dicomquest.scu.requestor import Operation


@dataclass(slots=True, eq=False)
class Turn:
    """The turn of a thread; a query lasts until its last response is read or its reader is gone."""

    thread: threading.Thread
    operation: Operation | None = None

    def hinders(self, thread: threading.Thread) -> bool:
        """Tell whether another thread has to wait: it would cut off responses that will be read."""
        return (
            self.thread is not thread
            and self.thread.is_alive()
            and (self.operation is None or not self.operation.is_answered)
        )


class Turns:
    """The order in which threads use one association.

    A thread that has the turn may begin its next request at once: its query before gives way.
    """

    def __init__(self) -> None:
        # The turn may be given back by a generator's end, which comes at any time and in any
        # thread. A Condition has a reentrant lock, and nobody waits for the peer under it.
        self._changed = threading.Condition()
        self._held: Turn | None = None

    def take(self, patience: float | None) -> Turn:
        """Wait for the turn; LocalProtocolError if another thread keeps it for so many seconds."""
        thread = threading.current_thread()
        with self._changed:
            if not self._changed.wait_for(
                lambda: self._held is None or not self._held.hinders(thread), patience
            ):
                raise LocalProtocolError(
                    f"the association has been in use by another thread for {patience:g} s: "
                    "read its query to the end, or give each thread an association of its own"
                )
            self._held = Turn(thread)
            return self._held

    def give_back(self, turn: Turn) -> None:
        """End a turn; one that has been taken over is over already."""
        with self._changed:
            if self._held is turn:
                self._held = None
                self._changed.notify_all()
