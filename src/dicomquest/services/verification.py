"""The Verification service (PS3.4 A): a C-ECHO is answered with Success."""

from __future__ import annotations

from dicomquest.services.request import ServiceRequest
from dicomquest.standard import statuses


class VerificationService:
    """Answers every C-ECHO with 0000."""

    async def handle(self, request: ServiceRequest) -> None:
        """Answer the request."""
        await request.send_final(statuses.SUCCESS)
