"""The event of a study that is shown: its line and its fields name no patient."""

from __future__ import annotations

from dataclasses import replace

from dicomquest.services.disclosures import InstancesAccessed
from dicomquest.services.retrieve_source import StudyOfPatient
from fixtures.service_requests import Channel, request

EVENT = InstancesAccessed(
    replace(request(Channel()).association, is_http=True),
    "header",
    StudyOfPatient("1.2.3", "P7", "Citizen^Jan"),
)


def test_the_line_says_what_was_shown_to_whom() -> None:
    assert str(EVENT) == "request 7: header shown to AE at 127.0.0.1"


def test_the_fields_name_no_patient() -> None:
    assert EVENT.fields() == {
        "event": "access",
        "request": 7,
        "ae": "AE",
        "address": "127.0.0.1",
        "shown": "header",
    }
