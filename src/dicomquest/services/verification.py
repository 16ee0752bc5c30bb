"""The Verification service: every C-ECHO succeeds (PS3.4 A)."""

from __future__ import annotations

from dicomquest.services.request import ServiceRequest
from dicomquest.standard import statuses


class VerificationService:
    """A service that answers every C-ECHO with 0000."""

    async def handle(self, request: ServiceRequest) -> None:
        """Answer the request."""
        await request.send_final(statuses.SUCCESS)
