"""DICOMweb over an index: QIDO-RS as an ASGI application (PS3.18 10). It needs the extra web."""

from dicomquest.web.routes import WebApplication, application
from dicomquest.web.web_service import WebSettings

__all__ = ["WebApplication", "WebSettings", "application"]
