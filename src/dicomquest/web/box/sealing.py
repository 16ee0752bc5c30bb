"""The keys of a question sealed for an address: nothing to read in a history or a log (RFC 5297).

The encryption is deterministic, so a question has one address. A sealed address carries no right.
"""

from __future__ import annotations

import base64
import binascii
import os
import tempfile
from pathlib import Path

from dicomquest.errors import ConfigurationError, DicomquestError, MissingPackageError

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF
except ImportError as missing:
    raise MissingPackageError(
        "sealed links need cryptography: pip install 'dicomquest[web]'"
    ) from missing

KEY_BYTES = 64
"""Bytes of a key: AES-256 twice."""

PADDED_TO = 32
"""Bytes of which a sealed text is a multiple: its length tells little."""

LONGEST_SEALED = 6_000
"""Characters of a sealed text that is opened."""

_PURPOSE = [b"dicomquest question 1"]


class DeadLinkError(DicomquestError):
    """An address that was sealed with another key, or that somebody changed."""

    def __init__(self) -> None:
        super().__init__("This link was made with an older key: ask again.")


class Sealer:
    """Seals texts with a key, and opens them."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(key)

    def seal(self, text: str) -> str:
        """Return a text as letters of an address; the same text gives the same letters."""
        data = text.encode() + b"\x80"
        data += bytes(-len(data) % PADDED_TO)
        return base64.urlsafe_b64encode(self._cipher.encrypt(data, _PURPOSE)).decode().rstrip("=")

    def open(self, sealed: str) -> str:
        """Return the text of sealed letters; DeadLinkError if they are of no text."""
        if len(sealed) > LONGEST_SEALED:
            raise DeadLinkError
        try:
            padded = sealed + "=" * (-len(sealed) % 4)
            data = base64.b64decode(padded, altchars=b"-_", validate=True)
            text, end, rest = self._cipher.decrypt(data, _PURPOSE).rpartition(b"\x80")
            if not end or rest.strip(b"\0"):
                raise DeadLinkError
            return text.decode()
        except (InvalidTag, binascii.Error, ValueError):
            raise DeadLinkError from None


def read_key(path: Path) -> bytes:
    """Return the key of a file, which is made if it is not there; all workers read the same.

    ConfigurationError if the file holds no key, or others may read it.
    """
    if not path.exists():
        _write_new(path)
    try:
        data = path.read_bytes()
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be read: {error.strerror}"]) from error
    if len(data) != KEY_BYTES:
        words = f"{path}: is no key of {KEY_BYTES} bytes: remove the file, and it is made anew"
        raise ConfigurationError([words])
    if mode & 0o077:
        raise ConfigurationError([f"{path}: others may read the key: chmod 600 {path}"])
    return data


def derived_key(key: bytes, purpose: bytes) -> bytes:
    """Return a key of 32 bytes for another purpose than links, made of theirs (RFC 5869)."""
    return HKDF(SHA256(), 32, salt=None, info=purpose).derive(key)


def _write_new(path: Path) -> None:
    """Make the file whole or not at all; the first of several processes wins."""
    try:
        number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(number, "wb") as file:
                file.write(AESSIV.generate_key(KEY_BYTES * 8))
                file.flush()
                os.fsync(file.fileno())
            os.link(name, path)
        finally:
            Path(name).unlink()
    except FileExistsError:
        return
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be made: {error.strerror}"]) from error
