"""Negotiation as pure functions: the proposal, the answer, the outcome (PS3.7 D.3, PS3.8 9.3).

A requestor uses ``propose_contexts``, an acceptor ``negotiate``. Both sides hold the answer against
the request (``check_answer``, ``check_own_answer``), and compute from the two PDUs alone what was
agreed (``accepted_contexts``): so they cannot come to think differently of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dicomquest.errors import LocalProtocolError, RemoteProtocolError
from dicomquest.pdu.items import (
    APPLICATION_CONTEXT,
    MAXIMUM_CONTEXTS,
    ContextResult,
    PresentationContextAC,
    PresentationContextRQ,
)
from dicomquest.pdu.pdus import AAssociateAC, AAssociateRJ, AAssociateRQ
from dicomquest.pdu.reasons import AbortReason
from dicomquest.pdu.user_information import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    MAXIMUM_LENGTH,
    AsyncOperationsWindow,
    ExtendedNegotiation,
    RoleSelection,
    UserIdentityAC,
    UserIdentityRQ,
    UserInformation,
)
from dicomquest.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)

APPLICATION_CONTEXT_NOT_SUPPORTED = AAssociateRJ(1, 1, 2)
CALLING_AE_TITLE_NOT_RECOGNIZED = AAssociateRJ(1, 1, 3)
CALLED_AE_TITLE_NOT_RECOGNIZED = AAssociateRJ(1, 1, 7)
AUTHENTICATION_FAILED = AAssociateRJ(1, 2, 1)
PROTOCOL_VERSION_NOT_SUPPORTED = AAssociateRJ(1, 2, 2)
TEMPORARY_CONGESTION = AAssociateRJ(2, 3, 1)
LOCAL_LIMIT_EXCEEDED = AAssociateRJ(2, 3, 2)


@dataclass(frozen=True, slots=True)
class SupportedSyntax:
    """The terms on which an acceptor serves an abstract syntax.

    Transfer syntaxes stand in the acceptor's order of preference; Implicit VR Little Endian is
    accepted even if it is not among them (PS3.5 10.1). With ``requestor_prefers`` the first one
    that the requestor proposes is taken instead, so that it need not convert. ``scu_role`` and
    ``scp_role`` say what the *requestor* may be, should it ask. With ``only_as_scp`` the abstract
    syntax is served to requestors that ask for the SCP role, and to no others.
    """

    transfer_syntaxes: tuple[str, ...]
    scu_role: bool = True
    scp_role: bool = False
    requestor_prefers: bool = False
    only_as_scp: bool = False


@dataclass(frozen=True, slots=True)
class AcceptorPolicy:
    """The rules by which an acceptor answers; ``None`` for a set of AE titles lets all pass.

    ``refused`` are abstract syntaxes that are supported, but not for this requestor, and
    ``refused_as_scu`` those that it may only be SCP of. It is SCP only if ``grants_scp_role``, and
    then in the first transfer syntax of ``scp_syntaxes`` that it proposes. With
    ``assumes_scp_role`` it is SCP without having asked.
    ``answer_extended`` takes a SOP class UID and the requestor's information, and returns the
    answer or None for no answer. ``verify_identity`` returns the server response (empty for types
    1, 2 and 5), or None for an identity that it does not believe; without it identities are
    ignored.
    """

    supported: Mapping[str, SupportedSyntax]
    called_ae_titles: frozenset[str] | None = None
    calling_ae_titles: frozenset[str] | None = None
    refused: frozenset[str] = frozenset()
    refused_as_scu: frozenset[str] = frozenset()
    grants_scp_role: bool = True
    assumes_scp_role: bool = False
    scp_syntaxes: Callable[[str], Sequence[str]] | None = None
    maximum_length: int = MAXIMUM_LENGTH
    implementation_class_uid: str = IMPLEMENTATION_CLASS_UID
    implementation_version_name: str | None = IMPLEMENTATION_VERSION_NAME
    async_operations_window: AsyncOperationsWindow = field(default_factory=AsyncOperationsWindow)
    answer_extended: Callable[[str, bytes], bytes | None] | None = None
    verify_identity: Callable[[UserIdentityRQ], bytes | None] | None = None


@dataclass(frozen=True, slots=True)
class AcceptedContext:
    """A presentation context that both sides may use, and the requestor's roles on it.

    ``extended_negotiation`` is the acceptor's answer for the SOP class, None if there is none.
    """

    context_id: int
    abstract_syntax: str
    transfer_syntax: str
    requestor_is_scu: bool = True
    requestor_is_scp: bool = False
    extended_negotiation: bytes | None = None


def propose_contexts(
    wanted: Iterable[tuple[str, Sequence[str]]],
) -> tuple[PresentationContextRQ, ...]:
    """Return presentation contexts for (abstract syntax, transfer syntaxes) pairs, in their order.

    Transfer syntaxes that PS3.5 wants offered are added: Implicit VR Little Endian once for each
    abstract syntax (10.1), Explicit VR Little Endian for one that is offered Deflated (A.5).
    """
    pairs = [(abstract, list(dict.fromkeys(transfer))) for abstract, transfer in wanted]
    if not 1 <= len(pairs) <= MAXIMUM_CONTEXTS:
        raise LocalProtocolError(
            f"{len(pairs)} presentation contexts: expected 1 to {MAXIMUM_CONTEXTS}"
        )
    offered: dict[str, set[str]] = {}
    for abstract, transfer in pairs:
        offered.setdefault(abstract, set()).update(transfer)
    for abstract, transfer in pairs:
        missing = []
        if DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN in offered[abstract]:
            missing.append(EXPLICIT_VR_LITTLE_ENDIAN)
        missing.append(IMPLICIT_VR_LITTLE_ENDIAN)
        transfer += [uid for uid in missing if uid not in offered[abstract]]
        offered[abstract].update(missing)
    return tuple(
        PresentationContextRQ(2 * number + 1, abstract, tuple(transfer))
        for number, (abstract, transfer) in enumerate(pairs)
    )


def negotiate(rq: AAssociateRQ, policy: AcceptorPolicy) -> AAssociateAC | AAssociateRJ:
    """Return the answer to an association request, by the policy.

    The protocol version is the upper layer's own affair (AE-6).
    """
    information = rq.user_information
    if (refusal := refuse_titles(rq, policy)) is not None:
        return refusal
    identity = information.user_identity_rq
    identity_ac = None
    # A requestor gets a response only if it asked for one (PS3.7 D.3.3.7).
    if identity is not None and policy.verify_identity is not None:
        server_response = policy.verify_identity(identity)
        if server_response is None:
            return AUTHENTICATION_FAILED
        if identity.positive_response_requested:
            identity_ac = UserIdentityAC(server_response)
    window = information.async_operations_window
    # An association without any accepted context is accepted, too: the requestor may release it.
    # The sub-items answer those of the request, and are absent where it has none (PS3.7 D.3.3).
    return AAssociateAC(
        presentation_contexts=_answer_contexts(rq, policy),
        user_information=UserInformation(
            maximum_length=policy.maximum_length,
            implementation_class_uid=policy.implementation_class_uid,
            implementation_version_name=policy.implementation_version_name,
            async_operations_window=None
            if window is None
            else _answer_window(window, policy.async_operations_window),
            roles=_answer_roles(rq, policy),
            extended_negotiations=_answer_extended(rq, policy),
            user_identity_ac=identity_ac,
        ),
        echo=rq.echo,
    )


def refuse_titles(rq: AAssociateRQ, policy: AcceptorPolicy) -> AAssociateRJ | None:
    """Return the rejection of a request's application context or AE titles; None if all fit."""
    if rq.application_context != APPLICATION_CONTEXT:
        return APPLICATION_CONTEXT_NOT_SUPPORTED
    if policy.called_ae_titles is not None and rq.called_ae_title not in policy.called_ae_titles:
        return CALLED_AE_TITLE_NOT_RECOGNIZED
    if policy.calling_ae_titles is not None and rq.calling_ae_title not in policy.calling_ae_titles:
        return CALLING_AE_TITLE_NOT_RECOGNIZED
    return None


def _answer_contexts(rq: AAssociateRQ, policy: AcceptorPolicy) -> tuple[PresentationContextAC, ...]:
    asked = {role.sop_class_uid for role in rq.user_information.roles if role.scp_role}
    return tuple(
        _answer_context(context, policy, asks_scp=context.abstract_syntax in asked)
        for context in rq.presentation_contexts
    )


def _answer_context(
    context: PresentationContextRQ, policy: AcceptorPolicy, *, asks_scp: bool
) -> PresentationContextAC:
    uid = context.abstract_syntax
    supported = policy.supported.get(uid)
    is_scp = (
        supported is not None
        and supported.scp_role
        and policy.grants_scp_role
        and (asks_scp or policy.assumes_scp_role)
    )
    # A rejected context needs no transfer syntax (PS3.8 9.3.3.2), but some peers expect to read
    # one.
    if supported is None or (supported.only_as_scp and not is_scp):
        result = ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED
        return PresentationContextAC(context.context_id, result, IMPLICIT_VR_LITTLE_ENDIAN)
    if uid in policy.refused or (uid in policy.refused_as_scu and not is_scp):
        result = ContextResult.USER_REJECTION
        return PresentationContextAC(context.context_id, result, IMPLICIT_VR_LITTLE_ENDIAN)
    # An acceptor may not refuse a supported abstract syntax that is offered with Implicit VR Little
    # Endian (PS3.5 10.1), so that is its last preference always.
    preferred: Sequence[str] = (*supported.transfer_syntaxes, IMPLICIT_VR_LITTLE_ENDIAN)
    proposed: Sequence[str] = context.transfer_syntaxes
    if is_scp and policy.scp_syntaxes is not None:
        preferred = (*policy.scp_syntaxes(uid), *preferred)
    elif supported.requestor_prefers:
        preferred, proposed = proposed, preferred
    for syntax in preferred:
        if syntax in proposed:
            return PresentationContextAC(context.context_id, ContextResult.ACCEPTANCE, syntax)
    result = ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED
    return PresentationContextAC(context.context_id, result, IMPLICIT_VR_LITTLE_ENDIAN)


def _answer_window(
    offer: AsyncOperationsWindow, own: AsyncOperationsWindow
) -> AsyncOperationsWindow:
    # 0 is no limit; the answer never exceeds the offer (PS3.7 D.3.3.3).
    def least(offered: int, ours: int) -> int:
        return min(offered, ours) if offered and ours else offered or ours

    return AsyncOperationsWindow(
        least(offer.invoked, own.invoked), least(offer.performed, own.performed)
    )


def _answer_roles(rq: AAssociateRQ, policy: AcceptorPolicy) -> tuple[RoleSelection, ...]:
    # 1 is never answered where 0 was proposed (PS3.7 D.3.3.4); roles for a SOP class without a
    # context get no answer.
    proposed = {context.abstract_syntax for context in rq.presentation_contexts}
    return tuple(
        RoleSelection(
            role.sop_class_uid,
            role.scu_role
            and supported.scu_role
            and role.sop_class_uid not in policy.refused_as_scu,
            role.scp_role and supported.scp_role and policy.grants_scp_role,
        )
        for role in rq.user_information.roles
        if role.sop_class_uid in proposed
        and (supported := policy.supported.get(role.sop_class_uid)) is not None
    )


def _answer_extended(rq: AAssociateRQ, policy: AcceptorPolicy) -> tuple[ExtendedNegotiation, ...]:
    # No answer is one, too: it means the defaults of the service class (PS3.7 D.3.3.5).
    if policy.answer_extended is None:
        return ()
    answers = (
        (
            offer.sop_class_uid,
            policy.answer_extended(offer.sop_class_uid, offer.application_information),
        )
        for offer in rq.user_information.extended_negotiations
        if offer.sop_class_uid in policy.supported
    )
    return tuple(ExtendedNegotiation(uid, answer) for uid, answer in answers if answer is not None)


def accepted_contexts(rq: AAssociateRQ, ac: AAssociateAC) -> dict[int, AcceptedContext]:
    """Return the accepted contexts by their ID; a context without a result counts as rejected.

    A role holds if the requestor proposed and the acceptor confirmed it; without role selection the
    requestor is SCU (PS3.7 D.3.3.4). Answers to what was not offered are ignored.
    """
    proposed = {context.context_id: context for context in rq.presentation_contexts}
    offered_roles = {role.sop_class_uid: role for role in rq.user_information.roles}
    answered_roles = {role.sop_class_uid: role for role in ac.user_information.roles}
    offers = {offer.sop_class_uid for offer in rq.user_information.extended_negotiations}
    answers = {
        answer.sop_class_uid: answer.application_information
        for answer in ac.user_information.extended_negotiations
        if answer.sop_class_uid in offers
    }
    contexts = {}
    for result in ac.presentation_contexts:
        context = proposed.get(result.context_id)
        if context is None or result.result != ContextResult.ACCEPTANCE:
            continue
        uid = context.abstract_syntax
        scu, scp = True, False
        if (offered := offered_roles.get(uid)) and (answered := answered_roles.get(uid)):
            scu, scp = (
                offered.scu_role and answered.scu_role,
                offered.scp_role and answered.scp_role,
            )
        contexts[context.context_id] = AcceptedContext(
            context.context_id, uid, result.transfer_syntax, scu, scp, answers.get(uid)
        )
    return contexts


def check_answer(rq: AAssociateRQ, ac: AAssociateAC) -> None:
    """Raise RemoteProtocolError for an A-ASSOCIATE-AC that does not answer the request.

    Peers send results for contexts that were not proposed, and sub-items that were not asked for:
    these do no harm, and pass.
    """
    if ac.application_context != rq.application_context:
        raise RemoteProtocolError(
            f"application context {ac.application_context!r} accepted:"
            f" proposed was {rq.application_context!r}",
            reason=AbortReason.INVALID_VALUE,
        )
    if fault := _fault_of_results(rq, ac):
        raise RemoteProtocolError(fault, reason=AbortReason.INVALID_VALUE)


def check_own_answer(rq: AAssociateRQ, ac: AAssociateAC) -> None:
    """Raise LocalProtocolError for an A-ASSOCIATE-AC to send that the request does not allow."""
    if fault := _fault_of_results(rq, ac) or _fault_of_items(rq, ac):
        raise LocalProtocolError(fault)
    answered = {result.context_id for result in ac.presentation_contexts}
    proposed = {context.context_id for context in rq.presentation_contexts}
    if answered != proposed:
        raise LocalProtocolError(
            f"results for contexts {sorted(answered)}: proposed were {sorted(proposed)}"
        )


def _fault_of_results(rq: AAssociateRQ, ac: AAssociateAC) -> str:
    """Say which result does not fit this request; '' if all do."""
    proposed = {context.context_id: context for context in rq.presentation_contexts}
    seen = set()
    for result in ac.presentation_contexts:
        if result.context_id in seen:
            return f"two results for presentation context {result.context_id}"
        seen.add(result.context_id)
        context = proposed.get(result.context_id)
        if context is None or result.result != ContextResult.ACCEPTANCE:
            continue
        if result.transfer_syntax not in context.transfer_syntaxes:
            return (
                f"presentation context {result.context_id} accepted with"
                f" {result.transfer_syntax!r}: proposed were {', '.join(context.transfer_syntaxes)}"
            )
    return ""


def _fault_of_items(rq: AAssociateRQ, ac: AAssociateAC) -> str:
    """Say which sub-item answers more than was offered, or what nobody asked; '' if none does."""
    asked, answer = rq.user_information, ac.user_information
    window, offer = answer.async_operations_window, asked.async_operations_window
    if window is not None:
        if offer is None:
            return "asynchronous operations window answered: none was offered"
        for given, most in ((window.invoked, offer.invoked), (window.performed, offer.performed)):
            if most and not 1 <= given <= most:
                return f"{window} exceeds what was offered: {offer}"
    roles = {role.sop_class_uid: role for role in asked.roles}
    for role in answer.roles:
        proposed = roles.get(role.sop_class_uid)
        if (
            proposed is None
            or role.scu_role > proposed.scu_role
            or role.scp_role > proposed.scp_role
        ):
            return f"{role} answers {proposed}"
    extended = {negotiation.sop_class_uid for negotiation in asked.extended_negotiations}
    for negotiation in answer.extended_negotiations:
        if negotiation.sop_class_uid not in extended:
            return f"extended negotiation of {negotiation.sop_class_uid} answered: none was offered"
    identity = asked.user_identity_rq
    if answer.user_identity_ac is not None and not (
        identity and identity.positive_response_requested
    ):
        return "user identity answered: no response was requested"
    return ""
