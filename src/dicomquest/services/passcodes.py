"""User names with passcodes, in a file of argon2 hashes (PS3.7 D.3.3.7, PS3.15 B.5)."""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import stat
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dicomquest.errors import AccessError
from dicomquest.pdu.user_information import UserIdentityRQ
from dicomquest.services.access import Identity
from dicomquest.services.user_verification import USERNAME_AND_PASSCODE, Unverified, Verified

if TYPE_CHECKING:
    from argon2 import PasswordHasher

LOGGER = logging.getLogger("dicomquest.access")

_MOST_RIGHTS = 0o640
"""The rights that a file of hashes may have."""

HEADER = "# Users of dicomquest: a name and the argon2 hash of its passcode on each line.\n"


def hasher() -> PasswordHasher:
    """Make argon2's hasher, with its defaults (RFC 9106); AccessError without argon2-cffi."""
    try:
        from argon2 import PasswordHasher  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise AccessError("passcodes need argon2-cffi: pip install 'dicomquest[access]'") from error
    return PasswordHasher()


def check_name(name: str) -> str:
    """Return a user name that may stand in the file; AccessError for another one."""
    if not name or not name.isprintable() or ":" in name or name != name.strip() or name[0] == "#":
        raise AccessError(
            f"{name!r} is no user name here: write printable characters without ':', "
            "no blank at either end, no '#' in front"
        )
    return name


def read_users(path: Path) -> dict[str, str]:
    """Read the hashes by user name; AccessError for a file that cannot be read or is malformed."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise AccessError(f"the users of {path}: {reason}") from error
    users: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, hashed = line.partition(":")
        if not hashed.startswith("$argon2"):
            # The line itself stays unsaid: someone may have written a passcode there.
            raise AccessError(
                f"the users of {path}: line {number} is not NAME:$argon2…; "
                "`dicomquest users add NAME` writes such lines"
            )
        users[check_name(name)] = hashed.strip()
    return users


def write_users(path: Path, users: Mapping[str, str]) -> None:
    """Write the file anew, in one step; OSError if that fails.

    A new one is for its owner alone. A replaced one stays the server's, whoever runs the command.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            with suppress(FileNotFoundError):
                before = path.stat()
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode) & _MOST_RIGHTS)
            file.write(HEADER + "".join(f"{user}:{hashed}\n" for user, hashed in users.items()))
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


class PasscodeFile:
    """A verifier of names and passcodes; it reads its file again whenever that has changed.

    Called in several threads at a time.
    """

    types = frozenset({USERNAME_AND_PASSCODE})

    def __init__(self, path: Path) -> None:
        """Read the file; AccessError if that is not possible, or without argon2-cffi."""
        self._path = path
        self._hasher = hasher()
        # An unknown name takes the time of a known one, so nobody learns names by the clock.
        self._of_nobody = self._hasher.hash(secrets.token_bytes(16))
        self._lock = threading.Lock()
        # A hash takes 64 MiB and several cores: two at a time would only take twice the memory.
        self._turn = threading.Lock()
        self._state = _state_of(path)
        self._users = read_users(path)

    def verify(self, claim: UserIdentityRQ, identity: Identity) -> Verified | Unverified:
        """Compare a passcode with its hash, which takes some 0.1 s on purpose."""
        from argon2.exceptions import Argon2Error, InvalidHashError  # noqa: PLC0415 (an extra)

        del identity
        name = claim.primary.decode("utf-8", "replace")
        try:
            hashed = self._current().get(name)
        except AccessError as error:
            LOGGER.error("%s", error)  # noqa: TRY400
            return Unverified("the file of users cannot be read", is_guess=False)
        try:
            with self._turn:
                self._hasher.verify(hashed or self._of_nobody, claim.secondary)
        except Argon2Error:
            reason = f"{name!r} is no user" if hashed is None else f"wrong passcode of {name!r}"
            return Unverified(reason)
        except InvalidHashError:
            reason = f"the hash of {name!r} is damaged: set the passcode again"
            return Unverified(reason, is_guess=False)
        if hashed is None:
            return Unverified(f"{name!r} is no user")
        return Verified(name, _stamp_of(hashed))

    def stamp(self, user: str) -> str | None:
        """Return the stamp of a user's hash in the file as it is now, None without the user.

        AccessError if the file cannot be read.
        """
        hashed = self._current().get(user)
        return None if hashed is None else _stamp_of(hashed)

    def _current(self) -> Mapping[str, str]:
        with self._lock:
            state = _state_of(self._path)
            if state != self._state:
                self._users = read_users(self._path)
                self._state = state
            return self._users


def _stamp_of(hashed: str) -> str:
    """Return a digest of a hash, of which nobody learns the hash."""
    return hashlib.sha256(hashed.encode()).hexdigest()[:16]


def _state_of(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
