"""Handlers that block and handlers that do not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import pytest

from dicomquest.aio.handler_kinds import is_async


def a_function(event: object) -> int:
    return 0


def a_generator(event: object) -> Iterator[int]:
    yield 0


async def a_coroutine(event: object) -> int:
    return 0


async def an_async_generator(event: object) -> AsyncIterator[int]:
    yield 0


class Blocking:
    def __call__(self, event: object) -> int:
        return 0

    async def method(self, event: object) -> int:
        return 0


class Asynchronous:
    async def __call__(self, event: object) -> int:
        return 0


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (a_function, False),
        (a_generator, False),
        (lambda event: 0, False),
        (len, False),
        (Blocking(), False),
        (Blocking, False),
        (partial(a_function, 1), False),
        (a_coroutine, True),
        (an_async_generator, True),
        (Asynchronous(), True),
        (Blocking().method, True),
        (partial(partial(a_coroutine), 1), True),
    ],
)
def test_kind_of_a_handler(handler: Callable[..., Any], expected: bool) -> None:
    assert is_async(handler) is expected
