"""The instances that a peer sends to its requestor, from the wire to a handler (PS3.4 C.4.3).

Both faces do the same: ``take`` the parts of an instance as they arrive, and, once it is whole,
call the handler with ``event`` and answer by ``failure``.
"""

from __future__ import annotations

import os
from typing import Any

from dicomquest import evt
from dicomquest.errors import StoreError
from dicomquest.handled_request import part10_start
from dicomquest.scu.incoming_store import IncomingStore
from dicomquest.services.failures import Failure, failure_of, failure_of_handler
from dicomquest.services.received_instance import ReceivedInstance
from dicomquest.standard import statuses

NO_HANDLER = Failure(statuses.SOP_CLASS_NOT_SUPPORTED, "no handler is bound to EVT_C_STORE")


class SubOperations:
    """The C-STORE requests of an association, one after the other.

    ``folder`` is where their instances are written to, None to keep them in memory.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self.folder = folder
        self._instance: ReceivedInstance | None = None
        self._failure: Failure | None = None

    def take(self, store: IncomingStore, parts: list[bytes], *, is_whole: bool) -> None:
        """Take the next parts of the instance; may block on a file."""
        if self._failure is not None:
            return
        try:
            if self._instance is None:
                syntax = store.context.transfer_syntax
                start = b"" if self.folder is None else part10_start(store.command, syntax)
                self._instance = ReceivedInstance(start, self.folder)
            self._instance.write(parts)
            if is_whole:
                self._instance.complete()
        except StoreError as error:
            evt.LOGGER.warning("an instance of C-GET is refused: %s", error)
            self._failure = failure_of(error)

    def event(self, association: Any, store: IncomingStore) -> evt.Event | None:
        """Return the event for the handler; None if the instance could not be taken."""
        if self._instance is None or self._failure is not None:
            return None
        return evt.store_event(
            association,
            store.command,
            store.context,
            data_set=self._instance.data_set,
            path=self._instance.path,
        )

    def answer(self, outcome: Any, failure: BaseException | None, store: IncomingStore) -> Failure:
        """Return the answer: the refusal, or what the handler returned or raised."""
        from dicomquest.services.handlers import parse_status

        if self._failure is not None:
            return self._failure
        if failure is not None:
            return failure_of_handler(failure, store.command)
        with evt.guarded("EVT_C_STORE") as guard:
            return Failure(*parse_status(outcome, statuses.C_STORE_STATUSES).explained)
        return failure_of_handler(guard.failure, store.command)

    def end(self) -> None:
        """Forget the instance; its file goes, unless the handler has moved it."""
        if self._instance is not None:
            self._instance.discard()
        self._instance = self._failure = None
