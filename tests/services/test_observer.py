"""The words and fields of events, which name keys and never their values."""

from __future__ import annotations

import json

import pytest

from dicomquest.services.observer import FindFinished, StoreFinished, logged_uid
from fixtures.retrieving import finished
from fixtures.service_requests import Channel, find_of, request

SECRETS = ("CITIZEN", "19700101")


def find(
    status: int | None = 0, comment: str = "", offending: tuple[int, ...] = ()
) -> FindFinished:
    event = find_of(PatientName="CITIZEN^JAN", PatientBirthDate="19700101")
    return event._replace(status=status, comment=comment, offending=offending)


def test_find_says_who_asked_what_and_how_it_ended() -> None:
    assert str(find()) == (
        "association 7: C-FIND Patient Root at PATIENT level by AE at 127.0.0.1 "
        "ended with 0000, Success; 1,234 matches in 4.2 ms"
    )


def test_keys_are_named_on_request_only() -> None:
    assert "Birth" not in str(find())
    named = find().with_keys()
    assert "matching keys: Patient's Name, Patient's Birth Date; return keys: Patient's" in named
    assert not any(secret in named for secret in SECRETS)


def test_fields_of_a_find_have_no_values() -> None:
    fields = find().fields() | find().key_fields()
    assert fields["status"] == "0000"
    assert fields["matches"] == 1234
    assert fields["milliseconds"] == 4.2
    assert fields["matching_keys"] == ["Patient's Name", "Patient's Birth Date"]
    assert not any(secret in json.dumps(fields) for secret in SECRETS)


@pytest.mark.parametrize(
    ("status", "comment", "offending", "reason"),
    [
        (
            0xA900,
            "StudyDate: 'CITIZEN' is no DA value",
            (0x00080020,),
            "Error: identifier does not match SOP class: Study Date",
        ),
        (0xC002, "the index failed", (), "Failed: unable to process: the index failed"),
        (0xFE00, "", (), "Matching terminated due to cancel request"),
        (0xB001, "", (), "Matching reached the response limit"),
        (0xA710, "", (0x0008041C,), "Invalid prior record key: Prior Record Key"),
        (0xBEEF, "", (), "a status of no table"),
    ],
)
def test_reason_names_the_key_not_its_value(
    status: int, comment: str, offending: tuple[int, ...], reason: str
) -> None:
    assert find(status, comment, offending).reason == reason


def test_equal_failures_have_equal_words() -> None:
    fast, slow = find(0xC002), find(0xC002)._replace(seconds=3.0)
    assert fast.without_time() == slow.without_time()
    assert str(fast) != str(slow)


def test_store_that_failed_names_its_instance() -> None:
    event = StoreFinished(
        request(Channel()).association, "1.2", "1.2.3", None, 0xA700, "disk full", 0.1
    )
    assert "C-STORE-RQ of 1.2.3 by AE at 127.0.0.1 ended with A700" in str(event)
    assert event.fields()["sop_instance"] == "1.2.3"


def test_uid_of_a_peer_is_one_short_word() -> None:
    assert logged_uid("1.2\n3") == "1.2\\n3"
    assert logged_uid("") == "no SOP Instance UID"
    assert len(logged_uid("1" * 1000)) == 128


def test_retrieve_says_what_became_of_each_instance() -> None:
    words = str(finished("STORE"))
    assert words.startswith("association 7: C-MOVE Study Root at STUDY level to STORE by ASKING")
    assert "ended with B000" in words
    assert "2 completed, 1 failed, 0 warning, 0 remaining in 0.500 s" in words
    fields = finished().fields()
    assert (fields["event"], fields["failed"], fields["milliseconds"]) == ("retrieve", 1, 500)
    assert "CITIZEN" not in f"{words}{fields}"
