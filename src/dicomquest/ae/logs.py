"""The package's log on standard error, for those who want to see a script at work."""

from __future__ import annotations

import logging

from dicomquest.escaping import EscapingFormatter


def debug_logger() -> None:
    """Write the package's log, from DEBUG on, to standard error.

    It shows the negotiation context by context, the identifiers of requests and responses, and each
    query's status and number of matches, of servers, too. So it shows patients: no other log does.
    It has control characters of peers escaped. A second call changes nothing.
    """
    logger = logging.getLogger("dicomquest")
    if not any(isinstance(handler, logging.StreamHandler) for handler in logger.handlers):
        handler = logging.StreamHandler()
        handler.setFormatter(EscapingFormatter("%(levelname).1s: %(name)s: %(message)s"))
        logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    # By its name, so that an AE imports no more than before.
    logging.getLogger("dicomquest.identifiers").setLevel(logging.DEBUG)
