"""Portions fetched over several associations that take from one queue (PS3.4 C.4.2, C.4.3)."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Protocol

from dicomquest.cli.messages import say
from dicomquest.cli.retrieving.instances_there import InstancesThere
from dicomquest.cli.retrieving.portions import Listed, Portion, split
from dicomquest.cli.retrieving.selection import Selection
from dicomquest.cli.retrieving.tally import Tally
from dicomquest.errors import AssociationError
from dicomquest.standard.levels import Level
from dicomquest.standard.statuses import (
    INCOMPLETE,
    MOVE_DESTINATION_UNKNOWN,
    SOP_CLASS_NOT_SUPPORTED,
    StatusClass,
    status_class,
)

MOST_LOST = 3
"""Give up when so many associations have ended early, one after the other, and brought nothing."""

HOPELESS = {MOVE_DESTINATION_UNKNOWN, SOP_CLASS_NOT_SUPPORTED}
"""Statuses that every other request would get, too."""

ATTEMPTS = 2
"""Requests for the same portion, if the association is lost during the first."""


@dataclass(slots=True)
class Arrivals:
    """The instances that a request has brought, and by UID the reason why one is not kept.

    ``count`` is their number where they go elsewhere, and only the peer counts them.
    """

    uids: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    count: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of one request; without a ``status`` the association ended before it.

    ``words`` are the status with the peer's comment, or the reason of the loss.
    """

    status: int | None
    words: str
    completed: int | None = None
    warning: int = 0
    failed: int = 0
    failed_uids: tuple[str, ...] = ()

    @property
    def is_success(self) -> bool:
        """Tell whether the peer says that all instances have been sent."""
        return self.status is not None and status_class(self.status) is StatusClass.SUCCESS


class Carrier(Protocol):
    """The way of requests to the peer, over one association at a time."""

    def fetch(self, portion: Portion, arrivals: Arrivals) -> Ended:
        """Send a request, and return its end; AssociationError if there is no association."""

    def cancel(self) -> None:
        """Send a C-CANCEL for what runs; any thread may."""

    def abort(self) -> None:
        """End the association at once; any thread may."""

    def close(self) -> None:
        """Release the association."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The portions that are listed before they are fetched, and the cut of requests."""

    needs_classes: bool = False
    needs_uids: bool = False
    by_series: bool = False


class PortionQueue:
    """A queue of portions, and the carriers that empty it."""

    def __init__(
        self,
        portions: Iterable[Portion],
        tally: Tally,
        there: InstancesThere | frozenset[str],
        listing: Callable[[], AbstractContextManager[Selection]],
        rules: Rules,
    ) -> None:
        self._portions = deque(portions)
        self._tally = tally
        self._there = there
        self._listing = listing
        self._rules = rules
        self._carriers: list[Carrier] = []
        self._over = threading.Event()
        self._lost = 0
        self._working = 0
        self._is_listing = True
        tally.expect(sum(portion.count or 0 for portion in self._portions))

    def run(self, carriers: Iterable[Carrier]) -> None:
        """Fetch all portions, and return when nothing more can come."""
        self._carriers = list(carriers)
        self._working = len(self._carriers)
        threads = [
            threading.Thread(target=self._work, args=(carrier,), daemon=True)
            for carrier in self._carriers
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            # With a time-out, or no signal would reach the main thread.
            while thread.is_alive():
                thread.join(0.2)

    def cancel(self) -> None:
        """Cancel the running requests, and begin no other."""
        self._over.set()
        for carrier in self._carriers:
            carrier.cancel()

    def abort(self) -> None:
        """End all associations at once."""
        self._over.set()
        for carrier in self._carriers:
            carrier.abort()

    def stop(self, reason: str) -> None:
        """Cancel everything for a reason that leaves no hope, such as a full disk."""
        self._tally.give_up(reason)
        if not self._over.is_set():
            self._over.set()
            # The caller may be within a request of the association that is to be cancelled.
            threading.Thread(target=self.cancel, daemon=True).start()

    def _work(self, carrier: Carrier) -> None:
        try:
            with ExitStack() as stack:
                stack.callback(carrier.close)
                self._empty(carrier, stack)
        except AssociationError as error:
            with self._tally.lock:
                self._working -= 1
            if not self._working:
                self.stop(str(error))
            elif not self._over.is_set():
                say(f"Note: {self._working} associations, not {self._working + 1}: {error}")
        except BaseException as error:
            self.stop(f"{type(error).__name__}: {error}")
            raise

    def _empty(self, carrier: Carrier, stack: ExitStack) -> None:
        """Fetch portion after portion; AssociationError leaves what is not fetched to others."""
        lister: Selection | None = None
        while not self._over.is_set() and (portion := self._next()) is not None:
            if lister is None and self._must_list(portion):
                lister = self._lister(stack)
            requests = deque(self._requests(portion, lister))
            try:
                while requests:
                    self._fetch(carrier, requests[0])
                    requests.popleft()
            except AssociationError:
                self._portions.extendleft(reversed(requests))
                raise

    def _lister(self, stack: ExitStack) -> Selection | None:
        try:
            return stack.enter_context(self._listing())
        except AssociationError as error:
            self._note_unlisted(error)
            return None

    def _note_unlisted(self, error: AssociationError) -> None:
        with self._tally.lock:
            is_first, self._is_listing = self._is_listing, False
        if is_first:
            say(f"Note: instances are fetched though they may be there: {error}")

    def _next(self) -> Portion | None:
        try:
            return self._portions.popleft()
        except IndexError:
            return None

    def _must_list(self, portion: Portion) -> bool:
        return (
            self._is_listing
            and portion.listed is None
            and (
                bool(self._there)
                or self._rules.by_series
                or (self._rules.needs_classes and not portion.sop_classes)
            )
        )

    def _requests(self, portion: Portion, lister: Selection | None) -> list[Portion]:
        """Return the requests for a portion: for the whole, or for what is not there yet."""
        listed: Sequence[Listed] | None = portion.listed
        if lister is not None and self._must_list(portion):
            try:
                listed = lister.listed(portion)
            except AssociationError as error:
                self._note_unlisted(error)
        if not listed:
            return [portion]
        whole = portion.with_listed(listed)
        by_series = self._rules.by_series and portion.level < Level.SERIES
        requests = split(whole, self._there, by_series=by_series)
        to_come = sum(each.count or 0 for each in requests)
        self._tally.expect(to_come - (portion.count or 0))
        self._tally.skip(len(listed) - to_come)
        return requests

    def _fetch(
        self, carrier: Carrier, request: Portion, arrivals: Arrivals | None = None, attempt: int = 1
    ) -> None:
        if self._over.is_set():
            return
        arrivals = arrivals or Arrivals()
        before = len(arrivals.uids) + arrivals.count
        try:
            ended = carrier.fetch(request, arrivals)
        except AssociationError as error:
            if attempt == 1:
                raise
            ended = Ended(None, str(error))
        if ended.status in HOPELESS:
            self.stop(ended.words)
        has_come_further = ended.status is not None or len(arrivals.uids) + arrivals.count > before
        self._lost = 0 if has_come_further else self._lost + 1
        if self._lost >= MOST_LOST:
            self.stop(f"{self._lost} associations ended early, one after the other: {ended.words}")
        if self._over.is_set():
            return
        if ended.status is not None or attempt == ATTEMPTS:
            self._judge(request, arrivals, ended)
        elif request.listed is None:
            self._fetch(carrier, request, arrivals, attempt + 1)
        else:
            self._report_refused(arrivals)
            for rest in split(request, arrivals.uids | arrivals.refused.keys()):
                self._fetch(carrier, rest, None, attempt + 1)

    def _report_refused(self, arrivals: Arrivals) -> None:
        for uid, reason in arrivals.refused.items():
            self._tally.fail(f"not kept: {reason}", uid)

    def _judge(self, request: Portion, arrivals: Arrivals, ended: Ended) -> None:
        """Count what did not come, by counts and status together (RT-032)."""
        tally = self._tally
        self._report_refused(arrivals)
        known = arrivals.uids | arrivals.refused.keys()
        words = f"the peer did not send it: {ended.words}"
        named = [uid for uid in dict.fromkeys(ended.failed_uids) if uid not in known]
        if request.listed is not None and not arrivals.count:
            missing = [each.uid for each in request.listed if each.uid not in known]
            named = [*named, *(uid for uid in missing if uid not in named)]
        if ended.is_success:
            words = "the peer did not send it, and says Success"
        for uid in named:
            tally.fail(words, uid)
        if ended.warning:
            tally.warn(ended.warning)
        came = len(arrivals.uids) + arrivals.count + len(arrivals.refused)
        lacking = max(ended.failed - len(arrivals.refused), (request.count or 0) - came)
        unnamed = lacking - len(named)
        if unnamed > 0:
            tally.fail(words, f"{unnamed:,} of {request.name}", unnamed)
        elif not (ended.is_success or named or came or ended.warning):
            tally.fail(words, request.name, 0)
        elif ended.status == INCOMPLETE:
            tally.fall_short(ended.words)
        if request.count is None:
            tally.expect(came + len(named) + max(unnamed, 0))
