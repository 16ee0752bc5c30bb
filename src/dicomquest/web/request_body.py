"""The body of a request, piece by piece, in bounded time (PS3.18 8.4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from dicomquest.services.limit_names import LimitName
from dicomquest.web.refusals import RefusalError

if TYPE_CHECKING:
    from dicomquest.web.exchange import Exchange
    from dicomquest.web.web_service import Visit, WebService

PORTION = 65_536
"""Bytes of a body that have to come in the time that a PDU may take."""


async def body_pieces(
    service: WebService, visit: Visit, exchange: Exchange
) -> AsyncGenerator[bytes, None]:
    """Yield the body; RefusalError if it comes too slowly."""
    seconds = service.settings.body_timeout
    try:
        while True:
            async with asyncio.timeout(seconds):
                portion = await exchange.read(PORTION)
            if portion:
                yield portion
            if len(portion) < PORTION:
                return
    except TimeoutError:
        service.teller(visit).hit(visit.association.requestor, LimitName.PDU_TIMEOUT)
        words = f"less than {PORTION} bytes have come in {seconds:g} s"
        raise RefusalError(408, words, {"Connection": "close"}) from None
