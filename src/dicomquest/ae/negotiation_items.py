"""The further items of an association request, in pynetdicom's shapes (PS3.7 D.3.3).

``AE.associate(..., ext_neg=[...])`` sends them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TypeAlias, assert_never

from pydicom.uid import UID

from dicomquest.pdu.user_information import (
    AsyncOperationsWindow,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    RoleSelection,
    UserIdentityRQ,
    UserInformation,
)


@dataclass(slots=True)
class SOPClassExtendedNegotiation:
    """An offer beyond the basic service of a SOP class (PS3.7 D.3.3.5).

    The bytes mean what the SOP class says; for C-FIND they are one byte an option, relational
    queries first (PS3.4 C.5.1.1.1).
    """

    sop_class_uid: str = ""
    service_class_application_information: bytes = b""


@dataclass(slots=True)
class SOPClassCommonExtendedNegotiation:
    """The service class and the general SOP classes of a SOP class (PS3.7 D.3.3.6)."""

    sop_class_uid: str = ""
    service_class_uid: str = ""
    related_general_sop_class_identification: list[str] = field(default_factory=list)


@dataclass(slots=True)
class SCP_SCU_RoleSelectionNegotiation:  # noqa: N801
    """The roles that the requestor wants for a SOP class (PS3.7 D.3.3.4)."""

    sop_class_uid: str = ""
    scu_role: bool = False
    scp_role: bool = False


@dataclass(slots=True)
class AsynchronousOperationsWindowNegotiation:
    """The most operations that may be outstanding, 0 for any number (PS3.7 D.3.3.3).

    This package itself never has more than one.
    """

    maximum_number_operations_invoked: int = 1
    maximum_number_operations_performed: int = 1


@dataclass(slots=True)
class UserIdentityNegotiation:
    """The identity of the user who asks (PS3.7 D.3.3.7).

    ``user_identity_type`` is 1 for a user name, 2 for a user name with a passcode in
    ``secondary_field``, 3 for Kerberos, 4 for SAML, 5 for a JSON Web Token.
    """

    user_identity_type: int = 1
    primary_field: bytes = b""
    secondary_field: bytes = b""
    positive_response_requested: bool = False

    def __repr__(self) -> str:
        # The fields are credentials, which belong in no log and no traceback.
        return f"UserIdentityNegotiation(user_identity_type={self.user_identity_type})"


NegotiationItem: TypeAlias = (
    SOPClassExtendedNegotiation
    | SOPClassCommonExtendedNegotiation
    | SCP_SCU_RoleSelectionNegotiation
    | AsynchronousOperationsWindowNegotiation
    | UserIdentityNegotiation
)


def build_role(
    uid: str, scu_role: bool = False, scp_role: bool = False
) -> SCP_SCU_RoleSelectionNegotiation:
    """Build the role selection item of a SOP class (PS3.7 D.3.3.4)."""
    return SCP_SCU_RoleSelectionNegotiation(UID(str(uid)), scu_role, scp_role)


def with_items(base: UserInformation, items: Iterable[NegotiationItem]) -> UserInformation:
    """Return the user information of a request with these items added."""
    roles: list[RoleSelection] = []
    extended: list[ExtendedNegotiation] = []
    common: list[CommonExtendedNegotiation] = []
    window, identity = base.async_operations_window, base.user_identity_rq
    for item in items:
        match item:
            case SCP_SCU_RoleSelectionNegotiation():
                roles.append(
                    RoleSelection(str(item.sop_class_uid), bool(item.scu_role), bool(item.scp_role))
                )
            case SOPClassExtendedNegotiation():
                information = item.service_class_application_information
                extended.append(ExtendedNegotiation(str(item.sop_class_uid), information))
            case SOPClassCommonExtendedNegotiation():
                related = tuple(str(uid) for uid in item.related_general_sop_class_identification)
                common.append(
                    CommonExtendedNegotiation(
                        str(item.sop_class_uid), str(item.service_class_uid), related
                    )
                )
            case AsynchronousOperationsWindowNegotiation():
                window = AsyncOperationsWindow(
                    item.maximum_number_operations_invoked, item.maximum_number_operations_performed
                )
            case UserIdentityNegotiation():
                identity = UserIdentityRQ(
                    item.user_identity_type,
                    item.primary_field,
                    item.secondary_field,
                    item.positive_response_requested,
                )
            case _:
                assert_never(item)
    return replace(
        base,
        roles=(*base.roles, *roles),
        extended_negotiations=(*base.extended_negotiations, *extended),
        common_extended_negotiations=(*base.common_extended_negotiations, *common),
        async_operations_window=window,
        user_identity_rq=identity,
    )
