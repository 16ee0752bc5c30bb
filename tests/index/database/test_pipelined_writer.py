"""Short transactions of a server wait for results only, and are undone as others are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dicomquest.errors import WriteConflictError
from dicomquest.index.tables.dialects import execute

if TYPE_CHECKING:
    from dicomquest.index import Index

pytestmark = pytest.mark.peer("postgres")

NEW = "INSERT INTO setting (name, value) VALUES (?, 'x')"


@pytest.fixture
def backend() -> str:
    return "postgresql"


def names(index: Index) -> set[str]:
    with index._database.connect() as connection:
        return set(connection.exec_driver_sql("SELECT name FROM setting").scalars())


def write(index: Index, *written: str) -> None:
    with index._database.begin_short([1]) as connection:
        for name in written:
            execute(connection, NEW, (name,))


def test_statements_go_out_before_results_come(index: Index) -> None:
    """A transaction sends its statements while it waits for its locks."""

    def write_and_leave() -> None:
        with index._database.begin_short([1]) as connection:
            execute(connection, NEW, ("one",))
            raise InterruptedError

    with index._database.begin([1]), pytest.raises(InterruptedError):
        write_and_leave()
    assert "one" not in names(index)


def test_late_failure_undoes_the_transaction(index: Index) -> None:
    """A statement that fails is known by the commit, and the next transaction is sound."""
    with pytest.raises(WriteConflictError):
        write(index, "one", "one")
    write(index, "two")
    assert "one" not in names(index)
    assert "two" in names(index)
