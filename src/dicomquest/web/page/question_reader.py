"""The question of a request, read under the rights of the one who asks (PS3.4 C.2.2.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicomquest.errors import DicomquestError, IndexDatabaseError
from dicomquest.index.search.stop import Stop
from dicomquest.web.box import Reading
from dicomquest.web.page.question_fields import read_form
from dicomquest.web.refusals import RefusalError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dicomquest.web.page.page_endpoint import PageRequest

_LOOK_UP_SECONDS = 1.0
_MOST = 1_000


class LookUps:
    """Look-ups of numbers and codes among the studies that the asker may see; blocking.

    With ``seconds`` for all of them together, what is not found by then ``is_late``.
    """

    def __init__(self, request: PageRequest, seconds: float | None = None) -> None:
        self._overview = request.search.overview
        self._visible = request.asker.visible
        self._stop = None if seconds is None else Stop(seconds)
        self.is_late = False

    def counts(self, code: str) -> dict[str, int]:
        """Return the studies with this AccessionNumber, PatientID and StudyID, by keyword."""
        stop = self._stop or Stop(_LOOK_UP_SECONDS)
        found = self._overview.uses(code, self._visible, most=_MOST, stop=stop)
        self.is_late |= any(each.is_late for each in found.values())
        return {keyword: each.studies for keyword, each in found.items() if each.studies}

    def beginning(self, code: str) -> int:
        """Return the number of Patient IDs that begin with a text."""
        stop = self._stop or Stop(_LOOK_UP_SECONDS)
        found = self._overview.beginning(code, self._visible, stop=stop)
        self.is_late |= found.is_late
        return found.values


async def asked(request: PageRequest) -> Reading | None:
    """Return the question of an address, None if it asks nothing."""

    def read() -> Reading | None:
        return request.links.read(request.parameters, request.now, LookUps(request))

    try:
        return await request.run(read)
    except DicomquestError as error:
        if isinstance(error, IndexDatabaseError):
            raise
        # A sealed text that no key of ours opens.
        raise RefusalError(410, str(error)) from error


async def clearly_asked(request: PageRequest) -> Reading:
    """Return the question of an address; RefusalError 400 for one that has no single meaning."""
    reading = await asked(request)
    if reading is None:
        return Reading("", request.now)
    if not reading.is_answerable:
        raise RefusalError(400, "this question has no single meaning: search for it first")
    return reading


async def asked_by_form(request: PageRequest, form: Mapping[str, str]) -> Reading:
    """Return the question of a form."""
    return await request.run(read_form, form, request.now, LookUps(request))
