"""The Verification service."""

from __future__ import annotations

import asyncio

from dicomquest.services.verification import VerificationService
from fixtures.service_requests import Channel, request


def test_verification_service_says_success() -> None:
    channel = Channel()
    asyncio.run(VerificationService().handle(request(channel)))
    assert channel.sent == [(0x0000, "", ())]
