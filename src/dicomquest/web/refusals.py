"""The refusal of an HTTP request: a status code with a sentence for people (PS3.18 8.5)."""

from __future__ import annotations

from collections.abc import Mapping

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
