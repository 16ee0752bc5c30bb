"""Portions over several associations: retries, failures, an end before the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import pytest

from dicomquest.cli.retrieving.portion_queue import (
    MOST_LOST,
    Arrivals,
    Ended,
    PortionQueue,
    Rules,
)
from dicomquest.cli.retrieving.portions import Listed, Portion
from dicomquest.cli.retrieving.selection import Selection
from dicomquest.cli.retrieving.tally import Tally
from dicomquest.errors import AssociationError
from dicomquest.standard.levels import Level

CT = frozenset({"1.2.840.10008.5.1.4.1.1.2"})
SUCCESS = Ended(0x0000, "0000, Success")
LOST = Ended(None, "no answer: the connection is lost")

Script = Callable[[Portion, Arrivals], Ended]


class ScriptedCarrier:
    """A carrier that does what the test says, request by request."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[Portion] = []
        self.ends: list[str] = []

    def fetch(self, portion: Portion, arrivals: Arrivals) -> Ended:
        self.asked.append(portion)
        return self.script(portion, arrivals)

    def cancel(self) -> None:
        self.ends.append("cancel")

    def abort(self) -> None:
        self.ends.append("abort")

    def close(self) -> None:
        self.ends.append("close")


def studies(count: int, instances: int | None = 2) -> list[Portion]:
    return [
        Portion(Level.STUDY, {Level.STUDY: (f"1.{number}",)}, instances, CT)
        for number in range(1, count + 1)
    ]


def series(count: int) -> Portion:
    """A listed series."""
    uniques = {Level.STUDY: ("1.1",), Level.SERIES: ("1.1.1",)}
    return Portion(Level.SERIES, uniques).with_listed(
        [Listed("1.1.1", f"1.1.1.{number}", *CT) for number in range(1, count + 1)]
    )


def no_listing() -> AbstractContextManager[Selection]:
    raise AssertionError("nothing is to be listed")


def bring(tally: Tally, arrivals: Arrivals, *uids: str) -> None:
    for uid in uids:
        if uid not in arrivals.uids:
            arrivals.uids.add(uid)
            tally.arrive(1000)


def run(
    portions: Sequence[Portion], script: Callable[[Tally], Script], jobs: int = 1
) -> tuple[Tally, list[ScriptedCarrier]]:
    tally = Tally()
    queue = PortionQueue(portions, tally, frozenset(), no_listing, Rules(needs_classes=True))
    carriers = [ScriptedCarrier(script(tally)) for _ in range(jobs)]
    queue.run(carriers)
    return tally, carriers


def brings_all(tally: Tally) -> Script:
    def fetch(portion: Portion, arrivals: Arrivals) -> Ended:
        own = portion.uniques[portion.level][0]
        bring(tally, arrivals, *(f"{own}.{number}" for number in range(portion.count or 2)))
        return SUCCESS

    return fetch


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_all_portions_come_over_several_jobs(jobs: int) -> None:
    tally, carriers = run(studies(20), brings_all, jobs)
    assert (tally.arrived, tally.expected, tally.remaining, tally.failed) == (40, 40, 0, {})
    asked = [each.uniques[Level.STUDY] for carrier in carriers for each in carrier.asked]
    assert sorted(asked) == sorted(each.uniques[Level.STUDY] for each in studies(20))
    assert all(carrier.ends == ["close"] for carrier in carriers)


def test_number_that_was_not_told_counts_afterwards() -> None:
    tally, _ = run(studies(2, None), brings_all)
    assert (tally.arrived, tally.expected) == (4, 4)


@pytest.mark.requirement("RT-032")
def test_failed_uids_are_named_with_status() -> None:
    def script(tally: Tally) -> Script:
        def fetch(_: Portion, arrivals: Arrivals) -> Ended:
            bring(tally, arrivals, "1.1.1.1")
            return Ended(
                0xB000, "B000, some failed: no codec", 1, 0, 2, ("1.1.1.2", "1.1.1.2", "9")
            )

        return fetch

    tally, _ = run(studies(1, 3), script)
    assert tally.failed == {
        "the peer did not send it: B000, some failed: no codec": ["1.1.1.2", "9"]
    }
    assert tally.failed_count == 2


@pytest.mark.requirement("RT-032")
def test_success_does_not_hide_what_is_lacking() -> None:
    """A peer that says Success, but has sent one of three."""

    def script(tally: Tally) -> Script:
        def fetch(_: Portion, arrivals: Arrivals) -> Ended:
            bring(tally, arrivals, "1.1.1.1")
            return SUCCESS

        return fetch

    words = "the peer did not send it, and says Success"
    tally, _ = run(studies(1, 3), script)
    assert tally.failed == {words: ["2 of study 1.1"]}
    tally, _ = run([series(3)], script)
    assert tally.failed == {words: ["1.1.1.2", "1.1.1.3"]}


@pytest.mark.requirement("RT-032")
def test_counts_of_failures_without_a_list() -> None:
    def script(_: Tally) -> Script:
        return lambda *_: Ended(0xA702, "A702, Refused", failed=5)

    tally, _ = run(studies(1, None), script)
    assert tally.failed == {"the peer did not send it: A702, Refused": ["5 of study 1.1"]}
    assert tally.failed_count == 5


def test_refusal_without_any_count_is_told() -> None:
    tally, _ = run(studies(1, None), lambda _: lambda *_: Ended(0xA900, "A900, Error"))
    assert tally.failed == {"the peer did not send it: A900, Error": ["study 1.1"]}


def test_instance_that_we_refuse_is_told_once() -> None:
    def fetch(_: Portion, arrivals: Arrivals) -> Ended:
        arrivals.refused["1.1.1.1"] = "malformed data set"
        return Ended(0xA702, "A702", failed=1, failed_uids=("1.1.1.1",))

    tally, _ = run(studies(1, 1), lambda _: fetch)
    assert tally.failed == {"not kept: malformed data set": ["1.1.1.1"]}


def test_lost_association_asks_for_the_rest_only() -> None:
    def script(tally: Tally) -> Script:
        def fetch(portion: Portion, arrivals: Arrivals) -> Ended:
            first = portion.level is Level.SERIES
            wanted = portion.listed or ()
            bring(tally, arrivals, *(each.uid for each in (wanted[:2] if first else wanted)))
            return LOST if first else SUCCESS

        return fetch

    tally, (carrier,) = run([series(4)], script)
    assert [each.uniques[each.level] for each in carrier.asked] == [
        ("1.1.1",), ("1.1.1.3", "1.1.1.4"),
    ]  # fmt: skip
    assert (tally.arrived, tally.failed, tally.fatal) == (4, {}, "")


def test_unlisted_portion_is_asked_for_once_more() -> None:
    """An instance that comes twice counts once."""

    def script(tally: Tally) -> Script:
        lost = iter([True, False])

        def fetch(_: Portion, arrivals: Arrivals) -> Ended:
            if next(lost):
                bring(tally, arrivals, "1")
                return LOST
            bring(tally, arrivals, "1", "2")
            return SUCCESS

        return fetch

    tally, (carrier,) = run(studies(1), script)
    assert (len(carrier.asked), tally.arrived, tally.failed) == (2, 2, {})


def test_peer_that_always_hangs_up_is_given_up() -> None:
    tally, (carrier,) = run(studies(100), lambda _: lambda *_: LOST)
    assert len(carrier.asked) == MOST_LOST
    assert tally.fatal == (
        "3 associations ended early, one after the other: no answer: the connection is lost"
    )


def test_unknown_destination_ends_all() -> None:
    words = "PACS knows no destination LAB"
    tally, (carrier,) = run(studies(100), lambda _: lambda *_: Ended(0xA801, words))
    assert (len(carrier.asked), tally.fatal) == (1, words)


def test_no_association_ends_all() -> None:
    def fetch(*_: object) -> Ended:
        raise AssociationError("no connection")

    tally, _ = run(studies(100), lambda _: fetch, jobs=3)
    assert (tally.fatal, tally.failed) == ("no connection", {})


def test_cancel_begins_no_other_request() -> None:
    """The request that runs comes to its end, and nothing of it counts as failed."""
    begun, cancelled = threading.Event(), threading.Event()

    def fetch(*_: object) -> Ended:
        begun.set()
        assert cancelled.wait(30)
        return Ended(0xFE00, "FE00, cancelled")

    tally = Tally()
    queue = PortionQueue(studies(5), tally, frozenset(), no_listing, Rules(needs_classes=True))
    carrier = ScriptedCarrier(fetch)
    thread = threading.Thread(target=queue.run, args=([carrier],))
    thread.start()
    assert begun.wait(30)
    queue.cancel()
    cancelled.set()
    thread.join(30)
    assert (len(carrier.asked), carrier.ends) == (1, ["cancel", "close"])
    assert (tally.failed, tally.remaining) == ({}, 10)


def test_full_disk_cancels_all() -> None:
    tally = Tally()
    queue = PortionQueue(studies(5), tally, frozenset(), no_listing, Rules(needs_classes=True))
    cancelled = threading.Event()

    class Filled(ScriptedCarrier):
        def cancel(self) -> None:
            cancelled.set()

    def fetch(*_: object) -> Ended:
        queue.stop("scans: No space left on device")
        # The C-CANCEL goes out while the request still runs.
        assert cancelled.wait(30)
        return Ended(0xFE00, "FE00, cancelled")

    carrier = Filled(fetch)
    queue.run([carrier])
    assert (len(carrier.asked), tally.fatal) == (1, "scans: No space left on device")


def test_warnings_of_the_peer_count() -> None:
    tally, _ = run(studies(1, None), lambda _: lambda *_: Ended(0xB000, "B000", warning=2))
    assert (tally.warned, tally.failed) == (2, {})


def test_fewer_associations_than_jobs_fetch_all(capsys: pytest.CaptureFixture[str]) -> None:
    """A peer that takes one association at a time gets all requests on that one."""
    tally = Tally()
    queue = PortionQueue(studies(20), tally, frozenset(), no_listing, Rules(needs_classes=True))
    refused = threading.Event()

    def refuse(*_: object) -> Ended:
        refused.set()
        raise AssociationError("temporary congestion")

    def fetch(portion: Portion, arrivals: Arrivals) -> Ended:
        assert refused.wait(30)
        return brings_all(tally)(portion, arrivals)

    queue.run([ScriptedCarrier(fetch), ScriptedCarrier(refuse)])
    assert (tally.arrived, tally.fatal, tally.failed) == (40, "", {})
    assert capsys.readouterr().err == "Note: 1 associations, not 2: temporary congestion\n"


def test_unlisted_instances_are_fetched_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """A peer that answers no query of instances, though some are in the folder."""

    def refuse() -> AbstractContextManager[Selection]:
        raise AssociationError("no association")

    tally = Tally()
    queue = PortionQueue(studies(3), tally, frozenset({"1"}), refuse, Rules(needs_classes=True))
    queue.run([ScriptedCarrier(brings_all(tally))])
    assert tally.arrived == 6
    words = "Note: instances are fetched though they may be there: no association\n"
    assert capsys.readouterr().err == words
