"""The event of a performed step in the log: no patient, and no wild UID."""

from __future__ import annotations

import pytest

from dicomquest.services.request import StoredInstance
from dicomquest.services.step_events import StepFinished
from fixtures.service_requests import Channel, request

INSTANCE = StoredInstance("1.2.840.1", "P1", "DOE^JANE")


def _event(uid: str = "1.2", status: int | None = 0) -> StepFinished:
    association = request(Channel()).association
    return StepFinished(association, "N-SET", uid, INSTANCE, status, "", 0.01)


@pytest.mark.parametrize("status", [0, 0x0107, 0x0110, None])
def test_line_has_no_patient(status: int | None) -> None:
    event = _event(status=status)
    for told in (str(event), str(event.fields())):
        assert "DOE" not in told
        assert "1.2.840.1" not in told
        assert event.code in told or status is None


def test_wild_uid_is_escaped_and_cut() -> None:
    assert "\n" not in str(_event("1\n2" * 1000))
    assert len(str(_event("1" * 1000))) < 300
    assert "no SOP Instance UID" in str(_event(""))
