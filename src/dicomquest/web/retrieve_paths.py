"""The paths of WADO-RS with their endpoints (PS3.18 Table 10.4.1-1 to -5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from dicomquest.web.all_bulkdata_endpoint import AllBulkdataEndpoint
from dicomquest.web.bulkdata_endpoint import BulkdataEndpoint
from dicomquest.web.exchange import Receive, Scope, Send
from dicomquest.web.frames_endpoint import FramesEndpoint
from dicomquest.web.metadata_endpoint import MetadataEndpoint
from dicomquest.web.pixeldata_endpoint import PixelDataEndpoint
from dicomquest.web.rendering_endpoint import RenderedEndpoint, ThumbnailEndpoint
from dicomquest.web.retrieve_instances import InstancesEndpoint
from dicomquest.web.wado_uri_endpoint import WadoUriEndpoint

if TYPE_CHECKING:
    from dicomquest.web.web_service import WebService

Made: TypeAlias = "Callable[[WebService], Callable[[Scope, Receive, Send], Awaitable[None]]]"

_STUDY: Final = "/studies/{study}"
_SERIES: Final = _STUDY + "/series/{series}"
_INSTANCE: Final = _SERIES + "/instances/{instance}"
_FRAMES: Final = _INSTANCE + "/frames/{frames}"
_SHOWN: Final = (_STUDY, _SERIES, _INSTANCE, _FRAMES)

RETRIEVE_PATHS: Final[tuple[tuple[str, Made], ...]] = (
    *((path, InstancesEndpoint) for path in (_STUDY, _SERIES, _INSTANCE)),
    *((f"{path}/metadata", MetadataEndpoint) for path in (_STUDY, _SERIES, _INSTANCE)),
    (_FRAMES, FramesEndpoint),
    *((f"{path}/rendered", RenderedEndpoint) for path in _SHOWN),
    *((f"{path}/thumbnail", ThumbnailEndpoint) for path in _SHOWN),
    *((f"{path}/bulkdata", AllBulkdataEndpoint) for path in (_STUDY, _SERIES, _INSTANCE)),
    (_INSTANCE + "/bulkdata/{value:path}", BulkdataEndpoint),
    *((f"{path}/pixeldata", PixelDataEndpoint) for path in (_STUDY, _SERIES, _INSTANCE)),
    *((path, WadoUriEndpoint) for path in ("", "/wado")),
)
