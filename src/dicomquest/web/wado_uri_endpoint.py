"""WADO-URI: one instance by query parameters, as a file or a picture (PS3.18 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from dicomquest.web.exchange import Receive, Scope, Send
from dicomquest.web.refusals import RefusalError
from dicomquest.web.rendering_endpoint import RenderedEndpoint
from dicomquest.web.retrieve_instances import InstancesEndpoint
from dicomquest.web.retrieve_media import DICOM
from dicomquest.web.search_parameters import read_parameters

if TYPE_CHECKING:
    from dicomquest.web.web_service import WebService

_UIDS: Final = {"study": "studyUID", "series": "seriesUID", "instance": "objectUID"}
_REFUSED: Final = ("region", "presentationUID", "presentationSeriesUID")
_NOT_IN_A_FILE: Final = (
    "frameNumber", "rows", "columns", "windowCenter", "windowWidth", "imageQuality", "annotation",
)  # fmt: skip


class WadoUriEndpoint:
    """Answers GET with ``requestType=WADO`` by the endpoints of WADO-RS; an ASGI application."""

    def __init__(self, service: WebService) -> None:
        self._file = InstancesEndpoint(service)
        self._picture = RenderedEndpoint(service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        given: dict[str, str] = {}
        for name, value in read_parameters(scope["query_string"]):
            given.setdefault(name, value)
        if "requestType" not in given:
            raise RefusalError(404, "there is no such resource")
        if given["requestType"].upper() != "WADO":
            raise RefusalError(400, "requestType is WADO, or the resource is one of DICOMweb")
        path, query = _file_or_picture(given)
        asked = {**scope, "path_params": path, "query_string": query}
        endpoint = self._file if "accept=application/dicom" in query.decode() else self._picture
        await endpoint(asked, receive, send)


def _file_or_picture(given: dict[str, str]) -> tuple[dict[str, str], bytes]:
    """Return the resource of WADO-RS and its query; RefusalError 400 for what is not understood."""
    missing = [name for name in _UIDS.values() if not given.get(name)]
    if missing:
        raise RefusalError(400, f"{missing[0]} is missing: write {missing[0]}=UID")
    if given.get("anonymize"):
        raise RefusalError(400, "anonymize is not supported: the instance would not be anonymous")
    for name in _REFUSED:
        if given.get(name):
            raise RefusalError(400, f"{name} is not supported: leave it out")
    path = {name: given[key] for name, key in _UIDS.items()}
    # A plus is a space where a form has written the address.
    kinds = [each.strip(" +") for each in given.get("contentType", "*/*").split(",")]
    if kinds[0].partition(";")[0].strip().lower() == DICOM:
        unfit = [name for name in _NOT_IN_A_FILE if given.get(name)]
        if unfit:
            raise RefusalError(400, f"{unfit[0]} is of pictures: leave it out for {DICOM}")
        return path, _query({"accept": _as_file(given.get("transferSyntax", ""))})
    if number := given.get("frameNumber"):
        path["frames"] = number
    accepted = [each for each in kinds if not each.lower().startswith(DICOM)]
    asked = {"accept": ",".join(accepted), **_wishes(given)}
    return path, _query(asked)


def _as_file(syntax: str) -> str:
    return f"{DICOM}; transfer-syntax={syntax}" if syntax else DICOM


def _wishes(given: dict[str, str]) -> dict[str, str]:
    """Return the parameters of a picture by their names in WADO-RS (9.1.2.2)."""
    found = {}
    rows, columns = given.get("rows"), given.get("columns")
    if rows or columns:
        # The picture keeps its shape, so one side alone is the larger of two equal ones.
        found["viewport"] = f"{columns or rows},{rows or columns}"
    centre, width = given.get("windowCenter"), given.get("windowWidth")
    if bool(centre) != bool(width):
        raise RefusalError(400, "windowCenter and windowWidth are given together")
    if centre and width:
        found["window"] = f"{centre},{width},linear"
    for name, key in (("imageQuality", "quality"), ("annotation", "annotation")):
        if value := given.get(name):
            found[key] = value
    return found


def _query(parameters: dict[str, str]) -> bytes:
    return urlencode(parameters, safe="/;*,= ", quote_via=quote).replace(" ", "%20").encode("ascii")
