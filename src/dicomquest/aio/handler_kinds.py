"""The two kinds of handlers: those that block, and those for the event loop (PS3.7 9.1)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any


def is_async(function: Callable[..., Any]) -> bool:
    """Tell whether calling a function gives a coroutine or an async generator, so never blocks."""
    while isinstance(function, partial):
        function = function.func
    # inspect knows functions only, so of an object with __call__ that is looked at.
    called = function
    if not hasattr(function, "__code__"):
        called = getattr(type(function), "__call__", function)  # noqa: B004
    return iscoroutinefunction(called) or isasyncgenfunction(called)
