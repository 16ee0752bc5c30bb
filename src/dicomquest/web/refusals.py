"""The refusal of an HTTP request: a status code with a sentence for people (PS3.18 8.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dicomquest.errors import DicomquestError


class RefusalError(DicomquestError):
    """The answer to a request that cannot be served; ``words`` name the remedy, and no patient.

    ``reason`` says for the operator alone why an identity is not let in.
    """

    def __init__(
        self,
        code: int,
        words: str,
        headers: Mapping[str, str] | None = None,
        *,
        reason: str = "",
    ) -> None:
        super().__init__(words)
        self.code = code
        self.words = words
        self.headers = dict(headers or {})
        self.reason = reason


class UnknownError(RefusalError):
    """The refusal 503 while an archive that may hold what is asked for falls short."""

    def __init__(self, shortfalls: Sequence[str]) -> None:
        super().__init__(503, " ".join(shortfalls), {"Retry-After": "5"})
