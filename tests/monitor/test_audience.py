"""Several observers as one."""

from __future__ import annotations

import pytest

from dicomquest.monitor.audience import Audience
from dicomquest.services.observer import Event
from fixtures.observing import Heard
from fixtures.service_requests import find_of


class Broken:
    def tell(self, event: Event) -> None:
        raise RuntimeError(f"cannot hear {type(event).__name__}")


def test_one_that_fails_harms_no_other(caplog: pytest.LogCaptureFixture) -> None:
    heard = Heard()
    audience = Audience([Broken(), heard])
    for _ in range(3):
        audience.tell(find_of())
    assert len(heard.events) == 3
    assert caplog.messages == ["Broken failed; the server goes on"]
