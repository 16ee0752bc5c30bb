"""The errors are those that pynetdicom's users catch, over the wire and beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pynetdicom
import pytest
from pydicom import DataElement
from pydicom.dataset import Dataset

import dicomquest
from dicomquest.errors import LONGEST_COMMENT, error_comment
from fixtures.faces import HOST, PATIENT_ROOT, QUERY, STUDY_ROOT, VERIFICATION

UNENCODABLE = Dataset()
UNENCODABLE.add(DataElement(0x00280010, "US", "no number", already_converted=True))


def after_release(association: Any) -> None:
    association.release()
    association.send_c_echo()


def after_abort(association: Any) -> None:
    association.abort()
    association.send_c_find(QUERY, PATIENT_ROOT)


def cancel_after_release(association: Any) -> None:
    association.release()
    association.send_c_cancel(1, query_model=PATIENT_ROOT)


def without_context(association: Any) -> None:
    association.send_c_find(QUERY, STUDY_ROOT)


def cancel_without_context(association: Any) -> None:
    association.send_c_cancel(1, query_model=STUDY_ROOT)


def unencodable(association: Any) -> None:
    association.send_c_find(UNENCODABLE, PATIENT_ROOT)


def unencodable_text(association: Any) -> None:
    query = Dataset()
    query.add(DataElement(0x00100020, "LO", object(), already_converted=True))
    association.send_c_find(query, PATIENT_ROOT)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    ae = dicomquest.AE()
    for uid in (VERIFICATION, PATIENT_ROOT):
        ae.add_supported_context(uid)
    with ae.start_server((HOST, 0), block=False) as server:
        yield server.server_address[1]


def raised(action: Callable[[Any], None], package: ModuleType, port: int) -> type[Exception]:
    """The class that the action raises: RuntimeError, ValueError or TypeError."""
    ae = package.AE()
    for uid in (VERIFICATION, PATIENT_ROOT):
        ae.add_requested_context(uid)
    association = ae.associate(HOST, port)
    assert association.is_established
    try:
        with pytest.raises((RuntimeError, ValueError, TypeError)) as caught:
            action(association)
    finally:
        association.abort()
    return next(
        kind for kind in (RuntimeError, ValueError, TypeError) if isinstance(caught.value, kind)
    )


@pytest.mark.parametrize(
    "action",
    [
        after_release,
        after_abort,
        cancel_after_release,
        without_context,
        cancel_without_context,
        unencodable,
        unencodable_text,
    ],
)
def test_request_raises_what_pynetdicom_raises(action: Callable[[Any], None], port: int) -> None:
    kinds = [raised(action, package, port) for package in (dicomquest, pynetdicom)]
    assert kinds[0] is kinds[1]


def test_no_message_is_no_comment() -> None:
    """A response of Success has no Error Comment."""
    assert error_comment("") == ""
    assert error_comment("", "short") == "short"


@pytest.mark.parametrize("mark", [": ", "; ", " ("])
def test_clauses_behind_the_limit_do_not_count(mark: str) -> None:
    """A comment is cut in its first clause, if that alone is too long."""
    words = "no archive can say " * 5
    comment = error_comment(f"{words}{mark}and why")
    assert comment == "no archive can say no archive can say no archive can say no..."
    assert len(error_comment(f"{'x' * 70}{mark}and why")) == LONGEST_COMMENT
