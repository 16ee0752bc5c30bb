"""Negotiation: the proposal, the answer, and the outcome on both sides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.errors import LocalProtocolError, RemoteProtocolError
from dicomquest.pdu.items import PresentationContextAC, PresentationContextRQ
from dicomquest.pdu.pdus import AAbort, AAssociateAC, AAssociateRJ, AAssociateRQ, decode, encode
from dicomquest.pdu.user_information import (
    AsyncOperationsWindow,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    RoleSelection,
    UserIdentityAC,
    UserIdentityRQ,
    UserInformation,
)
from dicomquest.ul.connection import UpperLayer
from dicomquest.ul.indications import ProviderAborted
from dicomquest.ul.negotiation import (
    LOCAL_LIMIT_EXCEEDED,
    TEMPORARY_CONGESTION,
    AcceptedContext,
    AcceptorPolicy,
    SupportedSyntax,
    accepted_contexts,
    check_answer,
    check_own_answer,
    negotiate,
    propose_contexts,
)
from dicomquest.ul.states import Role, State
from fixtures.associations import AC, NEVER, NOW, RQ, carry, layer_in, sent_by
from strategies.pdu import ASSOCIATE_RQ, WINDOWS, uids
from vectors.pdus import EXPLICIT, IMPLICIT, STUDY_ROOT_FIND, VERIFICATION

DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
CT_STORAGE = "1.2.840.10008.5.1.4.1.1.2"

POLICY = AcceptorPolicy(
    {
        VERIFICATION: SupportedSyntax((EXPLICIT, IMPLICIT)),
        STUDY_ROOT_FIND: SupportedSyntax((EXPLICIT, DEFLATED)),
        CT_STORAGE: SupportedSyntax((EXPLICIT, IMPLICIT), scu_role=False, scp_role=True),
    }
)


def request(contexts: Mapping[str, tuple[str, ...]], **information: object) -> AAssociateRQ:
    """A request that proposes these transfer syntaxes by abstract syntax."""
    return replace(
        RQ,
        presentation_contexts=tuple(
            PresentationContextRQ(2 * number + 1, abstract, transfer)
            for number, (abstract, transfer) in enumerate(contexts.items())
        ),
        user_information=UserInformation(**information),  # type: ignore[arg-type]
    )


def accept(rq: AAssociateRQ, policy: AcceptorPolicy = POLICY) -> AAssociateAC:
    """The acceptance, which may be sent and which the requestor takes."""
    ac = negotiate(rq, policy)
    assert isinstance(ac, AAssociateAC)
    check_own_answer(rq, ac)
    received = decode(2, encode(ac)[6:])
    assert received == ac
    check_answer(rq, ac)
    return ac


@pytest.mark.requirement("UL-021", "UL-023")
@given(st.lists(st.tuples(uids(), st.lists(uids(), max_size=3)), min_size=1, max_size=128))
def test_proposed_contexts_are_numbered_and_complete(wanted: list[tuple[str, list[str]]]) -> None:
    contexts = propose_contexts(wanted)
    assert [context.context_id for context in contexts] == list(range(1, 2 * len(wanted), 2))
    assert [context.abstract_syntax for context in contexts] == [abstract for abstract, _ in wanted]
    for context, (_, transfer) in zip(contexts, wanted, strict=True):
        assert context.transfer_syntaxes[: len(set(transfer))] == tuple(dict.fromkeys(transfer))


@pytest.mark.requirement("UL-022")
@given(
    st.lists(
        st.tuples(
            st.sampled_from((VERIFICATION, CT_STORAGE)),
            st.lists(st.sampled_from((IMPLICIT, EXPLICIT, DEFLATED))),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_implicit_vr_is_offered_once_per_syntax(wanted: list[tuple[str, list[str]]]) -> None:
    """Implicit VR Little Endian is offered once for each abstract syntax."""
    offered: dict[str, list[str]] = {}
    for context in propose_contexts(wanted):
        offered.setdefault(context.abstract_syntax, []).extend(context.transfer_syntaxes)
    for abstract, transfer in offered.items():
        asked = [uid for each, uids_ in wanted for uid in dict.fromkeys(uids_) if each == abstract]
        assert transfer.count(IMPLICIT) == max(1, asked.count(IMPLICIT))
        if DEFLATED in transfer:
            assert transfer.count(EXPLICIT) == max(1, asked.count(EXPLICIT))


@pytest.mark.requirement("UL-023")
@pytest.mark.parametrize("count", [0, 129])
def test_no_more_contexts_than_there_are_numbers(count: int) -> None:
    with pytest.raises(LocalProtocolError, match=f"{count} presentation contexts"):
        propose_contexts([(VERIFICATION, [IMPLICIT])] * count)


@pytest.mark.requirement(
    "UL-024",
    "UL-025",
    "UL-026",
    "UL-027",
    "UL-034",
    "UL-036",
    "UL-037",
    "UL-038",
    "UL-039",
    "UL-041",
)
@given(
    ASSOCIATE_RQ,
    st.dictionaries(
        uids(),
        st.builds(
            SupportedSyntax, st.lists(uids(), max_size=3).map(tuple), st.booleans(), st.booleans()
        ),
    ),
    WINDOWS,
    st.sampled_from([None, b"", b"answer"]),
)
def test_every_answer_keeps_the_rules(
    rq: AAssociateRQ,
    supported: dict[str, SupportedSyntax],
    window: AsyncOperationsWindow,
    answer: bytes | None,
) -> None:
    policy = AcceptorPolicy(
        supported,
        async_operations_window=window,
        answer_extended=lambda _uid, _offer: answer,
        verify_identity=lambda _identity: answer or b"",
    )
    ac = accept(replace(rq, echo=bytes(64)), policy)
    proposed = {context.context_id: context for context in rq.presentation_contexts}
    assert [result.context_id for result in ac.presentation_contexts] == list(proposed)
    for result in ac.presentation_contexts:
        context = proposed[result.context_id]
        if context.abstract_syntax not in supported:
            assert result.result == 3
            continue
        own = (*supported[context.abstract_syntax].transfer_syntaxes, IMPLICIT)
        common = [uid for uid in own if uid in context.transfer_syntaxes]
        assert (result.result, result.transfer_syntax) == (
            (0, common[0]) if common else (4, IMPLICIT)
        )
    asked, given_ = rq.user_information, ac.user_information
    assert (given_.async_operations_window is None) == (asked.async_operations_window is None)
    assert {role.sop_class_uid for role in given_.roles} <= {
        role.sop_class_uid for role in asked.roles
    }
    assert {each.sop_class_uid for each in given_.extended_negotiations} <= {
        each.sop_class_uid for each in asked.extended_negotiations
    }
    assert given_.common_extended_negotiations == ()
    wants_identity = (
        asked.user_identity_rq is not None and asked.user_identity_rq.positive_response_requested
    )
    assert (given_.user_identity_ac is not None) == wants_identity


@pytest.mark.requirement("UL-025", "UL-026", "UL-027")
@pytest.mark.parametrize(
    ("abstract", "offered", "result", "transfer"),
    [
        (VERIFICATION, (IMPLICIT,), 0, IMPLICIT),
        (VERIFICATION, (IMPLICIT, EXPLICIT), 0, EXPLICIT),
        (STUDY_ROOT_FIND, (DEFLATED, IMPLICIT, EXPLICIT), 0, EXPLICIT),
        (STUDY_ROOT_FIND, (DEFLATED, IMPLICIT), 0, DEFLATED),
        (STUDY_ROOT_FIND, (IMPLICIT,), 0, IMPLICIT),
        (VERIFICATION, (BIG_ENDIAN, "1.2.3"), 4, IMPLICIT),
        (VERIFICATION, (), 4, IMPLICIT),
        ("1.2.3", (IMPLICIT,), 3, IMPLICIT),
    ],
)
def test_context_follows_acceptors_preference(
    abstract: str, offered: tuple[str, ...], result: int, transfer: str
) -> None:
    """A context is answered by the acceptor's preference."""
    ac = accept(request({abstract: offered}))
    assert ac.presentation_contexts == (PresentationContextAC(1, result, transfer),)


@pytest.mark.requirement("UL-028")
def test_no_acceptable_context_is_no_rejection() -> None:
    """An association without an acceptable context is not rejected for that."""
    ac = accept(request({"1.2.3": (IMPLICIT,), "1.2.4": (EXPLICIT,)}))
    assert [result.result for result in ac.presentation_contexts] == [3, 3]


@pytest.mark.requirement("UL-005", "UL-029")
@pytest.mark.parametrize(
    ("titles", "called", "is_accepted"),
    [
        (None, "ANYTHING", True),
        (frozenset({"OURS"}), "OURS", True),
        (frozenset({"OURS", "ALSO OURS"}), "  ALSO OURS ", True),
        (frozenset({"OURS"}), "ours", False),
        (frozenset({"OURS"}), "THEIRS", False),
        (frozenset(), "OURS", False),
    ],
)
def test_called_title_is_checked_when_asked_for(
    titles: frozenset[str] | None, called: str, is_accepted: bool
) -> None:
    data = bytearray(encode(RQ))
    data[10:26] = called.encode().ljust(16)
    rq = decode(1, bytes(data[6:]))
    assert isinstance(rq, AAssociateRQ)
    answer = negotiate(rq, replace(POLICY, called_ae_titles=titles))
    assert isinstance(answer, AAssociateAC) if is_accepted else answer == AAssociateRJ(1, 1, 7)


@pytest.mark.requirement("UL-005", "UL-030")
@pytest.mark.parametrize(
    ("titles", "answer"),
    [(None, None), (frozenset({"CALLING"}), None), (frozenset({"OTHER"}), AAssociateRJ(1, 1, 3))],
)
def test_calling_title_is_checked_when_asked_for(
    titles: frozenset[str] | None, answer: AAssociateRJ | None
) -> None:
    given_ = negotiate(RQ, replace(POLICY, calling_ae_titles=titles))
    assert isinstance(given_, AAssociateAC) if answer is None else given_ == answer


@pytest.mark.requirement("UL-031")
@pytest.mark.parametrize("name", ["", "1.2.840.10008.3.1.1.2"])
def test_another_application_context_is_rejected(name: str) -> None:
    assert negotiate(replace(RQ, application_context=name), POLICY) == AAssociateRJ(1, 1, 2)


@pytest.mark.requirement("UL-033")
@pytest.mark.parametrize(
    ("rejection", "numbers"), [(LOCAL_LIMIT_EXCEEDED, (2, 3, 2)), (TEMPORARY_CONGESTION, (2, 3, 1))]
)
def test_full_server_can_say_so(rejection: AAssociateRJ, numbers: tuple[int, int, int]) -> None:
    layer = layer_in(State.STA3, Role.ACCEPTOR)
    layer.send_associate_rj(rejection.result, rejection.source, rejection.reason, NOW)
    assert sent_by(layer) == [AAssociateRJ(*numbers)]


@pytest.mark.requirement("UL-036", "UL-038")
@pytest.mark.parametrize(
    ("offered", "own", "answered"),
    [
        (None, AsyncOperationsWindow(5, 5), None),
        (AsyncOperationsWindow(8, 1), AsyncOperationsWindow(), AsyncOperationsWindow(1, 1)),
        (AsyncOperationsWindow(0, 0), AsyncOperationsWindow(), AsyncOperationsWindow(1, 1)),
        (AsyncOperationsWindow(0, 3), AsyncOperationsWindow(4, 5), AsyncOperationsWindow(4, 3)),
        (AsyncOperationsWindow(2, 0), AsyncOperationsWindow(0, 0), AsyncOperationsWindow(2, 0)),
    ],
)
def test_window_is_the_smaller_one(
    offered: AsyncOperationsWindow | None,
    own: AsyncOperationsWindow,
    answered: AsyncOperationsWindow | None,
) -> None:
    rq = request({VERIFICATION: (IMPLICIT,)}, async_operations_window=offered)
    ac = accept(rq, replace(POLICY, async_operations_window=own))
    assert ac.user_information.async_operations_window == answered


@pytest.mark.requirement("UL-036", "UL-039")
def test_roles_are_granted_where_both_want_them() -> None:
    offers = (RoleSelection(CT_STORAGE, True, True), RoleSelection(VERIFICATION, True, True))
    strange = (RoleSelection("1.2.3", True, True), RoleSelection(STUDY_ROOT_FIND, True, False))
    rq = request({CT_STORAGE: (IMPLICIT,), VERIFICATION: (IMPLICIT,)}, roles=(*offers, *strange))
    ac = accept(rq)
    assert ac.user_information.roles == (
        RoleSelection(CT_STORAGE, False, True),
        RoleSelection(VERIFICATION, True, False),
    )
    contexts = accepted_contexts(rq, ac)
    assert (contexts[1].requestor_is_scu, contexts[1].requestor_is_scp) == (False, True)
    assert (contexts[3].requestor_is_scu, contexts[3].requestor_is_scp) == (True, False)


@pytest.mark.requirement("UL-040")
@pytest.mark.parametrize(
    ("offered", "answered"),
    [
        ((), ()),
        ((RoleSelection(VERIFICATION, False, True),), ()),
        ((), (RoleSelection(VERIFICATION, False, True),)),
    ],
)
def test_half_role_selection_leaves_requestor_scu(
    offered: tuple[RoleSelection, ...], answered: tuple[RoleSelection, ...]
) -> None:
    """Without both halves of role selection the requestor is SCU."""
    rq = request({VERIFICATION: (IMPLICIT,)}, roles=offered)
    ac = replace(
        AC,
        presentation_contexts=(PresentationContextAC(1, 0, IMPLICIT),),
        user_information=UserInformation(roles=answered),
    )
    assert accepted_contexts(rq, ac) == {1: AcceptedContext(1, VERIFICATION, IMPLICIT, True, False)}


@pytest.mark.requirement("UL-039")
def test_role_that_was_not_offered_is_not_taken() -> None:
    rq = request({VERIFICATION: (IMPLICIT,)}, roles=(RoleSelection(VERIFICATION, True, False),))
    ac = replace(
        AC,
        presentation_contexts=(PresentationContextAC(1, 0, IMPLICIT),),
        user_information=UserInformation(roles=(RoleSelection(VERIFICATION, True, True),)),
    )
    assert accepted_contexts(rq, ac)[1].requestor_is_scp is False


@pytest.mark.requirement("UL-036")
def test_extended_negotiation_answers_supported() -> None:
    """Extended negotiation is answered for what is supported."""
    offers = (ExtendedNegotiation(STUDY_ROOT_FIND, b"\1\1\1"), ExtendedNegotiation("1.2.3", b"\1"))
    rq = request({STUDY_ROOT_FIND: (IMPLICIT,)}, extended_negotiations=offers)
    asked: list[tuple[str, bytes]] = []

    def answer(uid: str, offer: bytes) -> bytes | None:
        asked.append((uid, offer))
        return b"\1\0\1"

    ac = accept(rq, replace(POLICY, answer_extended=answer))
    assert asked == [(STUDY_ROOT_FIND, b"\1\1\1")]
    assert ac.user_information.extended_negotiations == (
        ExtendedNegotiation(STUDY_ROOT_FIND, b"\1\0\1"),
    )
    assert accepted_contexts(rq, ac)[1].extended_negotiation == b"\1\0\1"
    for policy in (POLICY, replace(POLICY, answer_extended=lambda _uid, _offer: None)):
        ac = accept(rq, policy)
        assert ac.user_information.extended_negotiations == ()
        assert accepted_contexts(rq, ac)[1].extended_negotiation is None


def test_unoffered_extended_answer_is_ignored() -> None:
    """An answer to an extended negotiation that was not offered is ignored."""
    rq = request({VERIFICATION: (IMPLICIT,)})
    ac = replace(
        AC,
        presentation_contexts=(PresentationContextAC(1, 0, IMPLICIT),),
        user_information=UserInformation(
            extended_negotiations=(ExtendedNegotiation(VERIFICATION, b"\1"),)
        ),
    )
    check_answer(rq, ac)
    assert accepted_contexts(rq, ac)[1].extended_negotiation is None


@pytest.mark.requirement("UL-037")
def test_common_extended_negotiation_gets_no_answer() -> None:
    rq = request(
        {CT_STORAGE: (IMPLICIT,)},
        common_extended_negotiations=(CommonExtendedNegotiation(CT_STORAGE, "1.2", ("1.3",)),),
    )
    assert accept(rq).user_information.common_extended_negotiations == ()


@pytest.mark.requirement("UL-041", "UL-042")
@pytest.mark.parametrize("is_requested", [False, True])
def test_identity_is_verified_and_answered(is_requested: bool) -> None:
    """An identity is verified, and answered when asked for."""
    identity = UserIdentityRQ(3, b"ticket", positive_response_requested=is_requested)
    rq = request({VERIFICATION: (IMPLICIT,)}, user_identity_rq=identity)
    seen: list[UserIdentityRQ] = []

    def verify(identity: UserIdentityRQ) -> bytes | None:
        seen.append(identity)
        return b"server ticket"

    ac = accept(rq, replace(POLICY, verify_identity=verify))
    assert seen == [identity]
    assert ac.user_information.user_identity_ac == (
        UserIdentityAC(b"server ticket") if is_requested else None
    )
    assert accept(rq).user_information.user_identity_ac is None
    rejection = negotiate(rq, replace(POLICY, verify_identity=lambda _identity: None))
    assert isinstance(rejection, AAssociateRJ)
    assert (rejection.result, rejection.source) == (1, 2)


def test_request_without_identity_is_not_verified() -> None:
    assert isinstance(
        negotiate(RQ, replace(POLICY, verify_identity=lambda _identity: None)), AAssociateAC
    )


@pytest.mark.requirement("UL-044")
def test_context_without_result_is_rejected() -> None:
    ac = replace(AC, presentation_contexts=(PresentationContextAC(3, 0, EXPLICIT),))
    check_answer(RQ, ac)
    assert set(accepted_contexts(RQ, ac)) == {3}


def test_result_for_unproposed_context_is_ignored() -> None:
    """A result for a context that was not proposed is ignored."""
    ac = replace(
        AC,
        presentation_contexts=(
            PresentationContextAC(1, 0, IMPLICIT),
            PresentationContextAC(77, 0, "1.2"),
        ),
    )
    check_answer(RQ, ac)
    assert set(accepted_contexts(RQ, ac)) == {1}


@pytest.mark.requirement("UL-025")
@pytest.mark.parametrize(
    ("ac", "message"),
    [
        (
            replace(AC, presentation_contexts=(PresentationContextAC(1, 0, EXPLICIT),)),
            "proposed were 1.2.840.10008.1.2$",
        ),
        (
            replace(AC, presentation_contexts=AC.presentation_contexts * 2),
            "two results for presentation context 1",
        ),
        (replace(AC, application_context="1.2.3"), "application context '1.2.3'"),
    ],
)
def test_answer_that_is_none_aborts(ac: AAssociateAC, message: str) -> None:
    with pytest.raises(RemoteProtocolError, match=message) as caught:
        check_answer(RQ, ac)
    assert caught.value.reason == 6
    layer = layer_in(State.STA5, Role.REQUESTOR)
    layer.receive_data(encode(ac), NOW)
    assert sent_by(layer) == [AAbort(2, 6)]
    assert layer.events() == [ProviderAborted(6, str(caught.value))]
    assert not layer.contexts


FULL = request(
    {VERIFICATION: (IMPLICIT,)},
    async_operations_window=AsyncOperationsWindow(3, 0),
    roles=(RoleSelection(VERIFICATION, True, False),),
    extended_negotiations=(ExtendedNegotiation(VERIFICATION, b"\1"),),
    user_identity_rq=UserIdentityRQ(1, b"alice", positive_response_requested=True),
)
ACCEPTED = (PresentationContextAC(1, 0, IMPLICIT),)


@pytest.mark.requirement("UL-024", "UL-025", "UL-036", "UL-038", "UL-039", "UL-041")
@pytest.mark.parametrize(
    ("rq", "contexts", "information", "message"),
    [
        (FULL, (), UserInformation(), r"results for contexts \[\]: proposed were \[1\]"),
        (
            FULL,
            (*ACCEPTED, PresentationContextAC(3, 3, IMPLICIT)),
            UserInformation(),
            "proposed were",
        ),
        (FULL, ACCEPTED * 2, UserInformation(), "two results"),
        (FULL, (PresentationContextAC(1, 0, EXPLICIT),), UserInformation(), "accepted with"),
        (
            FULL,
            ACCEPTED,
            UserInformation(async_operations_window=AsyncOperationsWindow(4, 0)),
            "exceeds",
        ),
        (
            FULL,
            ACCEPTED,
            UserInformation(async_operations_window=AsyncOperationsWindow(0, 0)),
            "exceeds",
        ),
        (
            RQ,
            AC.presentation_contexts,
            UserInformation(async_operations_window=AsyncOperationsWindow()),
            "none was",
        ),
        (
            FULL,
            ACCEPTED,
            UserInformation(roles=(RoleSelection(VERIFICATION, True, True),)),
            "answers",
        ),
        (
            FULL,
            ACCEPTED,
            UserInformation(roles=(RoleSelection("1.2", True, False),)),
            "answers None",
        ),
        (
            FULL,
            ACCEPTED,
            UserInformation(extended_negotiations=(ExtendedNegotiation("1.2", b""),)),
            "none was offered",
        ),
        (
            RQ,
            AC.presentation_contexts,
            UserInformation(user_identity_ac=UserIdentityAC()),
            "no response was requested",
        ),
    ],
)
def test_disallowed_answer_of_ours_is_not_sent(
    rq: AAssociateRQ,
    contexts: tuple[PresentationContextAC, ...],
    information: UserInformation,
    message: str,
) -> None:
    """An answer of our own that the request does not allow is not sent."""
    layer = layer_in(State.STA2, Role.ACCEPTOR)
    layer.receive_data(encode(rq), NOW)
    with pytest.raises(LocalProtocolError, match=message):
        layer.send_associate_ac(
            replace(AC, presentation_contexts=contexts, user_information=information), NOW
        )
    assert layer.state is State.STA3
    assert layer.data_to_send() == b""


def test_full_answer_is_sent() -> None:
    information = UserInformation(
        async_operations_window=AsyncOperationsWindow(3, 7),
        roles=(RoleSelection(VERIFICATION, False, False),),
        extended_negotiations=(ExtendedNegotiation(VERIFICATION, b"\0"),),
        user_identity_ac=UserIdentityAC(),
    )
    check_own_answer(
        FULL, replace(AC, presentation_contexts=ACCEPTED, user_information=information)
    )


@pytest.mark.requirement("UL-025", "UL-040", "UL-044")
@given(ASSOCIATE_RQ, st.randoms(use_true_random=False))
def test_both_sides_agree_on_the_contexts(rq: AAssociateRQ, random: object) -> None:
    supported = {
        context.abstract_syntax: SupportedSyntax(context.transfer_syntaxes)
        for context in rq.presentation_contexts
        if random.random() < 0.7  # type: ignore[attr-defined]
    }
    requestor = UpperLayer(Role.REQUESTOR, timeouts=NEVER)
    acceptor = UpperLayer(Role.ACCEPTOR, timeouts=NEVER)
    requestor.send_associate_rq(rq, NOW)
    requestor.transport_connected(NOW)
    acceptor.transport_connected(NOW)
    carry(requestor, acceptor)
    assert acceptor.rq is not None
    acceptor.send_associate_ac(accept(acceptor.rq, AcceptorPolicy(supported)), NOW)
    carry(acceptor, requestor)
    assert requestor.contexts == acceptor.contexts
    assert {context.abstract_syntax for context in requestor.contexts.values()} == set(supported)
