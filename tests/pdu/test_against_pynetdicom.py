"""The bytes of PDUs, as pynetdicom reads and writes them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from pynetdicom import pdu as theirs

from dicomquest.pdu.pdus import (
    AAbort,
    AAssociateAC,
    AAssociateRJ,
    AAssociateRQ,
    AReleaseRP,
    AReleaseRQ,
    PDataTF,
    decode,
    encode,
)
from strategies.pdu import ABORT, ASSOCIATE_AC, ASSOCIATE_RJ, ASSOCIATE_RQ, P_DATA


def through(their_class: Any, data: bytes) -> tuple[Any, bytes]:
    """Read our bytes by pynetdicom; return its object and the bytes that it writes."""
    read = their_class()
    read.decode(data)
    return read, read.encode()


def has_a_name(pdu: AAssociateRQ) -> bool:
    """Tell whether any identity is not empty: pynetdicom misreads an empty primary field."""
    identity = pdu.user_information.user_identity_rq
    return identity is None or identity.primary != b""


@given(ASSOCIATE_RQ.filter(has_a_name))
def test_requests(pdu: AAssociateRQ) -> None:
    data = encode(pdu)
    read, written = through(theirs.A_ASSOCIATE_RQ, data)
    assert (read.called_ae_title, read.calling_ae_title) == (
        pdu.called_ae_title,
        pdu.calling_ae_title,
    )
    assert [
        (item.presentation_context_id, item.abstract_syntax, tuple(item.transfer_syntax))
        for item in read.presentation_context
    ] == [
        (context.context_id, context.abstract_syntax, context.transfer_syntaxes)
        for context in pdu.presentation_contexts
    ]
    assert read.user_information.maximum_length == pdu.user_information.maximum_length
    assert (
        read.user_information.implementation_class_uid
        == pdu.user_information.implementation_class_uid
    )
    # pynetdicom writes each sub-item in its old place, so equal bytes mean equal fields.
    assert written == data
    assert decode(1, written[6:]) == pdu


@given(ASSOCIATE_AC)
def test_acceptances(pdu: AAssociateAC) -> None:
    data = encode(pdu)
    read, written = through(theirs.A_ASSOCIATE_AC, data)
    assert [
        (item.presentation_context_id, item.result, item.transfer_syntax)
        for item in read.presentation_context
    ] == [
        (context.context_id, context.result, context.transfer_syntax)
        for context in pdu.presentation_contexts
    ]
    # pynetdicom does not keep reserved bytes.
    assert written[:10] == data[:10]
    assert written[74:] == data[74:]


@given(ASSOCIATE_RJ)
def test_rejections(pdu: AAssociateRJ) -> None:
    read, written = through(theirs.A_ASSOCIATE_RJ, encode(pdu))
    assert (read.result, read.source, read.reason_diagnostic) == (
        pdu.result,
        pdu.source,
        pdu.reason,
    )
    assert written == encode(pdu)


@given(P_DATA)
def test_data(pdu: PDataTF) -> None:
    read, written = through(theirs.P_DATA_TF, encode(pdu))
    assert [
        (item.presentation_context_id, item.presentation_data_value)
        for item in read.presentation_data_value_items
    ] == [(pdv.context_id, bytes([pdv.control]) + pdv.fragment) for pdv in pdu.pdvs]
    assert written == encode(pdu)


@pytest.mark.parametrize(
    ("pdu", "their_class"),
    [(AReleaseRQ(), theirs.A_RELEASE_RQ), (AReleaseRP(), theirs.A_RELEASE_RP)],
)
def test_releases(pdu: AReleaseRQ | AReleaseRP, their_class: Any) -> None:
    assert through(their_class, encode(pdu))[1] == encode(pdu)


@given(ABORT)
def test_aborts(pdu: AAbort) -> None:
    read, written = through(theirs.A_ABORT_RQ, encode(pdu))
    assert (read.source, read.reason_diagnostic) == (pdu.source, pdu.reason)
    assert written == encode(pdu)
