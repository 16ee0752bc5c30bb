"""A condition of a statement: text with a ``?`` for each parameter, and the parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

Sql: TypeAlias = "tuple[str, tuple[Any, ...]]"

# More operands than this become a tree of halves.
_MOST_OPERANDS = 8


def joined(operator: str, conditions: Sequence[Sql]) -> Sql:
    """Return the conditions joined by ``AND`` or ``OR``; there is at least one."""
    if len(conditions) == 1:
        return conditions[0]
    if len(conditions) > _MOST_OPERANDS:
        # A balanced tree, because SQLite bounds the depth of an expression (1,000) and reads a
        # chain of operators as one level each.
        half = len(conditions) // 2
        conditions = [joined(operator, conditions[:half]), joined(operator, conditions[half:])]
    text = f" {operator} ".join(f"({text})" for text, _ in conditions)
    return text, tuple(parameter for _, parameters in conditions for parameter in parameters)
