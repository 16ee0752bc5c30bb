"""The items that an association negotiates besides its contexts (PS3.7 D.3.3)."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.uid import UID

from dicomquest import (
    AsynchronousOperationsWindowNegotiation,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
    build_role,
    evt,
)
from dicomquest.errors import AssociationRejectedError
from fixtures.faces import (
    HOST,
    PATIENT_ROOT,
    QUERY,
    VERIFICATION,
    associated,
    names,
    patients,
    scp,
    scu,
    serving,
)


def extended(uid: str, information: bytes) -> SOPClassExtendedNegotiation:
    item = SOPClassExtendedNegotiation()
    item.sop_class_uid = uid
    item.service_class_application_information = information
    return item


@pytest.mark.requirement("UL-036")
def test_extended_negotiation_is_read_on_both_sides() -> None:
    """The handler answers an extended negotiation, and both sides can read it."""
    seen: list[Any] = []

    def answer(event: evt.Event) -> dict[UID, bytes]:
        seen.append(event.app_info)
        return {UID(PATIENT_ROOT): b"\1\0", UID("1.2.3"): b"\1"}

    bindings: list[evt.Binding] = [
        (evt.EVT_SOP_EXTENDED, answer),
        (evt.EVT_ESTABLISHED, lambda event: seen.append(event.assoc.extended_negotiation)),
    ]
    offers = [extended(PATIENT_ROOT, b"\1\1\1"), extended(VERIFICATION, b"\0")]
    with serving(None, *bindings) as port, associated(port, ext_neg=offers) as association:
        assert association.extended_negotiation == {PATIENT_ROOT: b"\1\0"}
        assert association.acceptor.sop_class_extended == {PATIENT_ROOT: b"\1\0"}
        assert association.requestor.sop_class_extended == {
            PATIENT_ROOT: b"\1\1\1",
            VERIFICATION: b"\0",
        }
        assert association.send_c_echo().Status == 0x0000
    assert seen == [{PATIENT_ROOT: b"\1\1\1", VERIFICATION: b"\0"}, {PATIENT_ROOT: b"\1\0"}]


@pytest.mark.requirement("UL-036")
def test_without_handler_or_offer_no_answer() -> None:
    """Without a handler or an offer nothing is answered."""
    with (
        serving() as port,
        associated(port, ext_neg=[extended(PATIENT_ROOT, b"\1")]) as association,
    ):
        assert association.extended_negotiation == {}
    asked: list[evt.Event] = []
    with (
        serving(None, (evt.EVT_SOP_EXTENDED, asked.append)) as port,
        associated(port) as association,
    ):
        assert association.extended_negotiation == {}
    assert asked == []


def test_failing_negotiation_handler_answers_nothing() -> None:
    with (
        serving(None, (evt.EVT_SOP_EXTENDED, lambda _: 1 / 0)) as port,
        associated(port, ext_neg=[extended(PATIENT_ROOT, b"\1")]) as association,
    ):
        assert association.extended_negotiation == {}


@pytest.mark.requirement("UL-041", "UL-042", "UL-043")
def test_user_identity(caplog: pytest.LogCaptureFixture) -> None:
    def verify(event: evt.Event) -> tuple[bool, bytes | None]:
        fields = (event.user_id_type, event.primary_field, event.secondary_field)
        return fields == (2, b"marie", b"secret"), None

    def identity(passcode: bytes) -> UserIdentityNegotiation:
        return UserIdentityNegotiation(2, b"marie", passcode, positive_response_requested=True)

    with caplog.at_level("DEBUG"), serving(None, (evt.EVT_USER_ID, verify)) as port:
        with associated(port, ext_neg=[identity(b"secret")]) as association:
            assert association.send_c_echo().Status == 0x0000
        refused = scu().associate(HOST, port, ext_neg=[identity(b"guessed")])
        assert refused.is_rejected
        failure = refused.failure
        assert isinstance(failure, AssociationRejectedError)
        assert (failure.result, failure.source) == (1, 2)
        with associated(port) as anonymous:
            assert anonymous.send_c_echo().Status == 0x0000
    assert "secret" not in caplog.text
    assert "guessed" not in caplog.text
    assert "secret" not in repr(identity(b"secret"))


def test_failing_identity_handler_lets_nobody_in() -> None:
    with serving(None, (evt.EVT_USER_ID, lambda _: 1 / 0)) as port:
        assert (
            scu().associate(HOST, port, ext_neg=[UserIdentityNegotiation(1, b"marie")]).is_rejected
        )


@pytest.mark.requirement("UL-037", "UL-038", "UL-039")
def test_other_items_are_sent_and_harmless() -> None:
    server = scp()
    server.add_supported_context(PATIENT_ROOT, scu_role=True, scp_role=True)
    items = [
        AsynchronousOperationsWindowNegotiation(5, 5),
        SOPClassCommonExtendedNegotiation(PATIENT_ROOT, "1.2.840.10008.4.2", ["1.2.3"]),
        build_role(PATIENT_ROOT, scu_role=True, scp_role=True),
    ]
    with (
        serving(lambda _: patients(1), ae=server) as port,
        associated(port, ext_neg=items) as association,
    ):
        assert [context.as_scp for context in association.accepted_contexts] == [False, True]
        assert names(association.send_c_find(QUERY, PATIENT_ROOT)) == ["0"]
