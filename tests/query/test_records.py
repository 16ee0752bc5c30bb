"""The keys of records: what a request says of them, and which keys are none."""

from __future__ import annotations

import pytest

from dicomquest.dataset.elements import Element
from dicomquest.errors import IdentifierError
from dicomquest.query.records import RecordRequest, Records, records_of, take_records
from dicomquest.standard.levels import Level
from dicomquest.standard.tags import MAXIMUM_NUMBER_OF_RECORDS, PRIOR_RECORD_KEY, RECORD_KEY
from fixtures.building import data_set

IDENTITY = "0123456789abcdef"
PREFIX = "0123456789ab02"
KEY = f"{PREFIX}00000000000000ff".encode()


@pytest.mark.requirement("RQ-007")
def test_records_are_no_keys_of_the_query() -> None:
    asked = data_set(PatientID="P1") | {
        RECORD_KEY: Element("OB", (b"x",)),
        PRIOR_RECORD_KEY: Element("OB", (KEY,)),
        MAXIMUM_NUMBER_OF_RECORDS: Element("UV", (3,)),
    }
    keys, request = take_records(asked)
    assert keys == data_set(PatientID="P1")
    assert request == RecordRequest(is_returned=True, prior=KEY, most=3)


def test_elements_without_value_say_nothing() -> None:
    asked = {
        PRIOR_RECORD_KEY: Element("OB", (b"",)),
        MAXIMUM_NUMBER_OF_RECORDS: Element("UV", ()),
    }
    assert take_records(asked) == ({}, RecordRequest())


@pytest.mark.parametrize("values", [(0,), (1, 2), ("x",), (b"\0",)])
def test_wrong_number_of_records_is_refused(values: tuple[object, ...]) -> None:
    with pytest.raises(IdentifierError, match="one number from 1 on") as caught:
        take_records({MAXIMUM_NUMBER_OF_RECORDS: Element("UV", values)})
    assert caught.value.status == 0xA900


def test_lower_limit_holds() -> None:
    request = RecordRequest(prior=KEY, most=5)
    assert records_of(request, IDENTITY, Level.STUDY, 3) == Records(PREFIX, after=255, most=3)
    assert records_of(request, IDENTITY, Level.STUDY, None).most == 5
    assert not records_of(RecordRequest(most=5), IDENTITY, Level.STUDY, None).are_ordered


@pytest.mark.requirement("RQ-006")
@pytest.mark.parametrize(
    "key",
    [
        b"x",
        PREFIX.encode(),
        KEY.replace(b"02", b"03", 1),
        KEY.replace(b"0123", b"3210"),
        KEY + b"0",
        PREFIX.encode() + b"f" * 16,
        KEY[:-1] + b"\xff",
    ],
)
def test_key_of_another_index_or_level_is_invalid(key: bytes) -> None:
    with pytest.raises(IdentifierError, match="no key of this index and level") as caught:
        records_of(RecordRequest(prior=key), IDENTITY, Level.STUDY, None)
    assert caught.value.status == 0xA710
