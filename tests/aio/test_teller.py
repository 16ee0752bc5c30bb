"""The events that observers hear, from a server and over the wire (PS3.15 A.5)."""

from __future__ import annotations

import logging

import pytest

from dicomquest.aio.teller import Teller
from dicomquest.pdu.pdus import AAssociateRJ
from dicomquest.services.life_cycle import LifeStage
from dicomquest.services.limit_names import LimitName
from dicomquest.services.observer import (
    AlertKind,
    AssociationBegan,
    AssociationOver,
    AssociationRefused,
    FindFinished,
    LimitHit,
    SecurityAlert,
)
from dicomquest.services.repeated_lines import RepeatedLines
from dicomquest.ul.negotiation import (
    AUTHENTICATION_FAILED,
    CALLING_AE_TITLE_NOT_RECOGNIZED,
    LOCAL_LIMIT_EXCEEDED,
)
from fixtures.observing import Heard
from fixtures.service_requests import USER, Channel, request


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def teller(heard: Heard) -> Teller:
    return Teller(7, RepeatedLines(), heard)


def test_association_begins_and_ends_once(teller: Teller, heard: Heard) -> None:
    association = request(Channel()).association
    teller.accepted(association)
    teller.ended(LifeStage.RELEASED, "released")
    teller.ended(LifeStage.ABORTED, "the server ends")
    began, over = heard.events
    assert began == AssociationBegan(association)
    assert isinstance(over, AssociationOver)
    assert (over.how, over.reason) == ("released", "released")
    assert over.seconds >= 0


def test_connection_without_association_has_no_end(teller: Teller, heard: Heard) -> None:
    teller.ended(LifeStage.ABORTED, "time-out")
    assert heard.events == []


@pytest.mark.parametrize("answer", [CALLING_AE_TITLE_NOT_RECOGNIZED, AUTHENTICATION_FAILED])
def test_refused_identity_is_an_alert(teller: Teller, heard: Heard, answer: AAssociateRJ) -> None:
    teller.rejected(USER, USER, answer, "10.1.2.3 is no address of this title")
    refused, alert = heard.events
    assert isinstance(refused, AssociationRefused)
    assert alert == SecurityAlert(AlertKind.IDENTITY, "127.0.0.1", "AE", refused.reason)


def test_level_that_is_not_authorized_is_an_alert(teller: Teller, heard: Heard) -> None:
    for status in (0x0124, 0xA900):
        teller.finished(request(Channel()), status, "SERIES level not authorized", ())
    assert [event for event in heard.events if isinstance(event, SecurityAlert)] == [
        SecurityAlert(
            AlertKind.FORBIDDEN,
            "127.0.0.1",
            "AE",
            "Refused: not authorized: SERIES level not authorized",
        )
    ]


def test_rejection_for_a_limit_is_a_limit_hit(teller: Teller, heard: Heard) -> None:
    unknown = AAssociateRJ(1, 1, 3)
    teller.rejected(USER, USER, unknown)
    teller.rejected(USER, USER, LOCAL_LIMIT_EXCEEDED, limit=LimitName.ASSOCIATIONS)
    assert heard.events == [
        AssociationRefused(7, USER, USER, unknown),
        AssociationRefused(7, USER, USER, LOCAL_LIMIT_EXCEEDED),
        LimitHit(LimitName.ASSOCIATIONS, "127.0.0.1", "AE"),
    ]


def test_request_is_told_once(teller: Teller, heard: Heard) -> None:
    find = request(Channel())
    teller.finished(find, 0xA700, "result limit 3 reached", ())
    teller.finished(find, None, "", ())
    (event,) = heard.events
    assert isinstance(event, FindFinished)
    assert event.status == 0xA700
    assert event.reason == "Refused: out of resources: result limit 3 reached"


def test_abandoned_find_has_no_status(teller: Teller, heard: Heard) -> None:
    teller.finished(request(Channel()), None, "", ())
    (event,) = heard.events
    assert isinstance(event, FindFinished)
    assert (event.status, event.code) == (None, "-")
    assert "ended with its association" in str(event)


def test_nobody_who_listens_costs_no_event(caplog: pytest.LogCaptureFixture) -> None:
    find = request(Channel())
    with caplog.at_level(logging.ERROR, "dicomquest.server"):
        Teller(7, RepeatedLines(), None).finished(find, 0, "", ())
    assert caplog.messages == []
    assert find.is_told
