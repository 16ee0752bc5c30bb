"""An ``EVT_C_FIND`` handler for pynetdicom's AE, which answers from an index (PS3.4 C.4.1.3).

```python
from pynetdicom import AE, evt

import dicomquest
from dicomquest.integrations.pynetdicom import find_handler

with dicomquest.open_index("scans.sqlite") as index:
    ae = AE("ARCHIVE")
    ae.add_supported_context("1.2.840.10008.5.1.4.1.2.2.1")
    handlers = [(evt.EVT_C_FIND, find_handler(index, retrieve_ae_title="ARCHIVE"))]
    ae.start_server(("127.0.0.1", 11112), evt_handlers=handlers)
```
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

from pydicom.dataset import Dataset

from dicomquest.dataset.charset import choose
from dicomquest.dataset.elements import Element, from_pydicom, to_pydicom
from dicomquest.errors import DataSetError, IdentifierError, IndexDatabaseError
from dicomquest.index.index import Index
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.options import QueryOptions
from dicomquest.services.failures import Failure, failure_of
from dicomquest.standard import statuses
from dicomquest.standard.tags import (
    QUERY_RETRIEVE_LEVEL,
    RETRIEVE_AE_TITLE,
    SPECIFIC_CHARACTER_SET,
)

LOGGER = logging.getLogger("dicomquest.find")

ROWS = 64
"""Matches that are read from the database at a time."""


def find_handler(
    index: Index, *, retrieve_ae_title: str = "", options: QueryOptions | None = None
) -> Callable[[Any], Iterator[tuple[int | Dataset, Dataset | None]]]:
    """Return a generator function for ``evt.EVT_C_FIND`` of pynetdicom.

    It answers like ``dicomquest serve``: at all levels of the three Query/Retrieve information
    models, with every matching type. ``retrieve_ae_title`` is the Retrieve AE Title of each
    response, if there is one. ``options`` says how to read identifiers; without them relational
    queries are taken. pynetdicom sends one response at a time, so the server of this package is
    many times faster.
    """
    chosen = options or QueryOptions(
        relational=True, timezone_offset_minutes=index.timezone_offset_minutes
    )

    def handle(event: Any) -> Iterator[tuple[int | Dataset, Dataset | None]]:
        try:
            yield from _matches(index, event, chosen, retrieve_ae_title)
        except (DataSetError, IdentifierError) as error:
            yield _status(failure_of(error)), None
        except IndexDatabaseError as error:
            LOGGER.error("the index failed: %s", error)  # noqa: TRY400
            yield _status(failure_of(error)), None

    return handle


def _matches(
    index: Index, event: Any, options: QueryOptions, retrieve_ae_title: str
) -> Iterator[tuple[int | Dataset, Dataset | None]]:
    query = parse_identifier(
        from_pydicom(event.identifier), str(event.context.abstract_syntax), options
    )
    constants = {QUERY_RETRIEVE_LEVEL: Element("CS", (query.level.name,))}
    if retrieve_ae_title:
        constants[RETRIEVE_AE_TITLE] = Element("AE", (retrieve_ae_title,))
    with index.search(query) as cursor:
        while rows := cursor.fetch(ROWS):
            for row in rows:
                if event.is_cancelled:
                    yield statuses.CANCEL, None
                    return
                data_set = cursor.plan.to_data_set(row) | constants
                if terms := choose(data_set, query.charset_terms):
                    data_set[SPECIFIC_CHARACTER_SET] = Element("CS", terms)
                yield query.pending_status, to_pydicom(dict(sorted(data_set.items())))


def _status(failure: Failure) -> Dataset:
    """Return a final status, with the elements that explain it."""
    status = Dataset()
    status.Status = failure.status
    if failure.comment:
        status.ErrorComment = failure.comment[:64]
    if failure.offending:
        status.OffendingElement = list(failure.offending)
    return status
