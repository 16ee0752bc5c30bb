"""The limits of orders by HL7, without the package that reads them."""

from __future__ import annotations

from dataclasses import dataclass

LARGEST_MESSAGE = 1 << 20
"""Bytes of a message: an order has some thousand."""


@dataclass(frozen=True, slots=True)
class Hl7Limits:
    """The limits of the listener.

    ``connections`` at a time; the one that is silent for the longest gives way to a new one.
    ``message_seconds`` is the time that a message may take to come, once it has begun, and the
    time that its answer may take to go. ``idle_seconds`` is the longest time between two messages.
    """

    connections: int = 64
    message_seconds: float = 30.0
    message_bytes: int = LARGEST_MESSAGE
    idle_seconds: float = 86_400.0
