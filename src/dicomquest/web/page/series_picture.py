"""The small picture of a series in an opened study (PS3.18 10.4.1.1.5)."""

from __future__ import annotations

from typing import Final

from dicomquest.web.exchange import Exchange, Receive, Scope, Send
from dicomquest.web.page.rendering import PRIVATE
from dicomquest.web.refusals import RefusalError
from dicomquest.web.rendering_endpoint import ThumbnailEndpoint

NOTHING: Final = b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'
"""A picture of nothing: the box behind it has the modality."""

_WITHOUT_PICTURE = frozenset({406, 413, 500, 503})


class SeriesPicture(ThumbnailEndpoint):
    """A thumbnail as of WADO-RS; a series that cannot be shown has a picture of nothing.

    A browser tells people of each picture that fails as of an error of the page.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            await super().__call__(scope, receive, send)
        except RefusalError as refusal:
            if refusal.code not in _WITHOUT_PICTURE:
                raise
            exchange = Exchange(scope, receive, send, self._service.settings.write_timeout)
            headers = {"Content-Type": "image/svg+xml", **PRIVATE}
            await exchange.answer(200, NOTHING, headers)
