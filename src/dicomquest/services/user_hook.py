"""User identities verified by a function of the operator (PS3.7 D.3.3.7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from dicomquest.errors import AccessError
from dicomquest.pdu.user_information import UserIdentityRQ
from dicomquest.services.access import Identity
from dicomquest.services.user_verification import Unverified, Verified


@dataclass(frozen=True, slots=True)
class UserHook:
    """A verifier that asks a function about identities of every type.

    The function is called in a thread, with ``identity_type``, ``primary``, ``secondary`` (bytes),
    ``ae_title`` and ``address`` by name. It returns the user's name, or None to let nobody in.
    """

    function: Callable[..., str | None]

    types = frozenset(range(1, 6))

    def verify(self, claim: UserIdentityRQ, identity: Identity) -> Verified | Unverified:
        """Ask the function."""
        user = self.function(
            identity_type=claim.identity_type,
            primary=claim.primary,
            secondary=claim.secondary,
            ae_title=identity.ae_title,
            address=identity.address,
        )
        return Verified(user) if user else Unverified("the hook lets nobody in")


def load_hook(path: str) -> UserHook:
    """Import ``module:function``; AccessError if there is none."""
    module, _, name = path.partition(":")
    try:
        function: Any = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise AccessError(
            f"the hook {path!r}: {error}; expected module:function of a module on PYTHONPATH"
        ) from error
    if not callable(function):
        raise AccessError(f"the hook {path!r} is no function")
    return UserHook(function)
