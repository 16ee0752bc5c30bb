"""AE titles as scripts give them (PS3.5 6.2, PS3.8 9.3.2)."""

from __future__ import annotations

import warnings

from dicomquest.errors import TitleError

LONGEST_TITLE = 16


def checked_title(value: str | bytes, name: str = "ae_title") -> str:
    """Return an AE title as text; bytes give a DeprecationWarning.

    TypeError for what is no text, TitleError for a title that no association can carry.
    """
    if isinstance(value, bytes):
        # To the line of the script: past the setter and its caller.
        warnings.warn(f"{name}: give text, bytes are deprecated", DeprecationWarning, stacklevel=4)
        value = value.decode("ascii")
    if not isinstance(value, str):
        raise TypeError(f"{name} {value!r}: expected text, got {type(value).__name__}")
    if not value.strip(" "):
        raise TitleError(f"AE title {value!r}: expected 1 to {LONGEST_TITLE} characters")
    if len(value) > LONGEST_TITLE:
        raise TitleError(
            f"AE title {value!r}: {len(value)} characters, expected at most {LONGEST_TITLE}"
        )
    if not (value.isascii() and value.isprintable()) or "\\" in value:
        raise TitleError(f"AE title {value!r}: expected printable ASCII without a backslash")
    return value
