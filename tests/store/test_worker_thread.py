"""A thread of its own does jobs in their order, and ends with its owner."""

from __future__ import annotations

import gc
import threading
from functools import partial

import pytest

from dicomquest.store.worker_thread import Outcome, WorkerThread
from fixtures.timing import LONG


def test_jobs_are_done_in_their_order_by_one_thread() -> None:
    done: list[tuple[int, int]] = []
    worker, is_over = WorkerThread("worker"), threading.Event()
    for number in range(100):
        worker.do(partial(lambda each: done.append((each, threading.get_ident())), number))
    worker.do(is_over.set)
    assert is_over.wait(LONG)
    assert [number for number, _ in done] == list(range(100))
    assert len({thread for _, thread in done} - {threading.get_ident()}) == 1


def test_thread_ends_when_nobody_has_it_any_more() -> None:
    worker, threads, is_known = WorkerThread("worker"), list[threading.Thread](), threading.Event()
    worker.do(lambda: threads.append(threading.current_thread()))
    worker.do(is_known.set)
    assert is_known.wait(LONG)
    del worker
    gc.collect()
    threads[0].join(LONG)
    assert not threads[0].is_alive()


def test_outcome_is_awaited_by_any_number() -> None:
    worker, outcome, gate = WorkerThread("worker"), Outcome(), threading.Event()
    worker.do(lambda: outcome.run(gate.wait))
    threading.Timer(0, gate.set).start()
    outcome.result()
    assert outcome.exception() is None


@pytest.mark.parametrize("failure", [OSError("the disk is full"), SystemExit()])
def test_outcome_keeps_the_failure(failure: BaseException) -> None:
    def fail() -> None:
        raise failure

    outcome = Outcome()
    outcome.run(fail)
    assert outcome.exception() is failure
    for _ in range(2):
        with pytest.raises(type(failure)):
            outcome.result()
