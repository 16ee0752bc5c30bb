"""The log's line about the end of a request."""

from __future__ import annotations

import logging

import pytest

from dicomquest.aio.response_log import ResponseLog
from dicomquest.dimse.commands import CStoreRQ
from dicomquest.services.observer import LONGEST_LOGGED, StoreFinished
from dicomquest.services.repeated_lines import RepeatedLines
from fixtures.service_requests import USER, Channel, find_of, request
from fixtures.storage_scp import CT


def store_of(uid: str) -> CStoreRQ:
    return CStoreRQ(message_id=1, affected_sop_class_uid=CT, affected_sop_instance_uid=uid)


def stored(uid: str, status: int | None) -> StoreFinished:
    return StoreFinished(request(Channel()).association, CT, uid, None, status, "", 0.01)


def line(caplog: pytest.LogCaptureFixture, uid: str, status: int | None) -> tuple[int, str]:
    with caplog.at_level(logging.INFO, "dicomquest.server"):
        ResponseLog(7, RepeatedLines()).store(stored(uid, status))
    (record,) = caplog.records
    return record.levelno, record.getMessage()


def test_usual_end_is_one_short_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "dicomquest.server"):
        ResponseLog(7, RepeatedLines()).echo(0)
    assert caplog.messages == ["association 7: C-ECHO-RQ ended with 0000"]


def test_store_whose_peer_is_gone_is_told(caplog: pytest.LogCaptureFixture) -> None:
    level, text = line(caplog, "1.2.3", None)
    assert level == logging.INFO
    assert text.endswith("of 1.2.3 by AE at 127.0.0.1 ended with its association")


def test_failed_store_names_instance_and_sender(caplog: pytest.LogCaptureFixture) -> None:
    level, text = line(caplog, "1.2.3", 0xA700)
    assert level == logging.WARNING
    assert text.startswith("association 7: C-STORE-RQ of 1.2.3 by AE at 127.0.0.1 ended with ")
    assert "A700" in text


@pytest.mark.parametrize("uid", ["1.2\n2024 ERROR forged", "1.2\x1b[31m", "é" * 10])
def test_uid_of_a_peer_stays_on_its_line(caplog: pytest.LogCaptureFixture, uid: str) -> None:
    _, text = line(caplog, uid, 0xA700)
    assert text.isascii()
    assert text.isprintable()


def test_long_uid_is_cut_and_missing_one_is_told(caplog: pytest.LogCaptureFixture) -> None:
    _, text = line(caplog, "1" * 1_000_000, 0xA700)
    assert "1" * LONGEST_LOGGED in text
    assert "1" * (LONGEST_LOGGED + 1) not in text
    caplog.clear()
    assert "no SOP Instance UID" in line(caplog, "", 0xA700)[1]


def test_repeated_failures_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    """A peer must not fill the log with echoes and refusals; stored instances have a line each."""
    lines = RepeatedLines()
    log = ResponseLog(7, lines)
    with caplog.at_level(logging.INFO, "dicomquest.server"):
        for _ in range(100):
            log.echo(0)
            log.refused(USER, store_of("1.2.3"), 0x0122, "")
        for _ in range(3):
            log.store(stored("1.2.3", 0))
        lines.end()
    counted = [message for message in caplog.messages if "99 more like it" in message]
    assert len(counted) == 2
    assert sum("C-STORE-RQ ended with 0000" in message for message in caplog.messages) == 3
    assert len(caplog.messages) == 2 + 2 + 3


def test_each_page_of_a_listing_has_its_line(caplog: pytest.LogCaptureFixture) -> None:
    """A page that ends with B001 was answered; a listing has many of them."""
    log = ResponseLog(7, RepeatedLines())
    with caplog.at_level(logging.INFO, "dicomquest.server"):
        for _ in range(3):
            log.find(find_of()._replace(status=0xB001))
    assert sum("ended with B001, Matching reached" in each for each in caplog.messages) == 3
