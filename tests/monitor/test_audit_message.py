"""Audit messages as XML."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from dicomquest.monitor.audit_message import (
    AuditMessage,
    AuditSource,
    Code,
    Outcome,
    Participant,
    ParticipantObject,
)
from fixtures.audit_messages import SCHEMA, audited

QUERY = Code("110112", "Query")
SOURCE = AuditSource("ARCHIVE", "Hospital")


def message(name: str = "SCU", query: bytes | None = None) -> AuditMessage:
    return AuditMessage(
        QUERY,
        "E",
        0.5,
        Outcome.SUCCESS,
        (Participant(name, is_requestor=True, ae_titles=(name, "OTHER"), address="::1"),),
        Code("1", "a type"),
        name,
        (
            ParticipantObject(
                name, QUERY, "2", "3", name, query, (("a", b"\0"),), (("1.2", 3), (name, 4))
            ),
        ),
    )


def test_message_is_one_line_of_the_schema() -> None:
    document = message(query=b"\x08\0").xml(SOURCE)
    assert document.startswith(b'<?xml version="1.0" encoding="UTF-8"?><AuditMessage>')
    assert b"\n" not in document
    found = audited(document)
    assert found.query == b"\x08\0"
    assert found.values("EventIdentification", "EventDateTime") == ["1970-01-01T00:00:00.500Z"]
    assert found.values("ActiveParticipant", "AlternativeUserID") == ["AETITLES=SCU;OTHER"]
    assert found.values("AuditSourceIdentification", "AuditEnterpriseSiteID") == ["Hospital"]
    assert found.values("SOPClass", "NumberOfInstances") == ["3", "4"]


@given(st.text())
@pytest.mark.parametrize("query", [None, b""])
def test_any_name_of_a_peer_stays_in_its_place(query: bytes | None, name: str) -> None:
    document = message(name, query).xml(SOURCE)
    assert b"\n" not in document
    assert len(audited(document).root) == 4


def test_schema_refuses_what_is_no_message() -> None:
    """The check itself can fail: a message without its outcome is none."""
    root = etree.fromstring(message().xml(SOURCE))
    del root.find("EventIdentification").attrib["EventOutcomeIndicator"]
    assert not SCHEMA.validate(root)
