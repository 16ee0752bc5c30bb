"""``dicomquest.find``: one query of one peer as one call (PS3.4 C.4.1.2)."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Generator, Iterator
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, Literal, TypeVar, overload

from pydicom.dataset import Dataset

from dicomquest.ae.entity import AE, ANY_SCP
from dicomquest.ae.negotiation_items import (
    NegotiationItem,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)
from dicomquest.ae.repository_pages import LastIdentifier, matches_of_pages
from dicomquest.dataset.elements import to_pydicom
from dicomquest.dataset.fast_decoder import (
    JSON_READER,
    JSON_TEXT_READER,
    PYDICOM_READER,
    Reader,
)
from dicomquest.dimse.commands import PENDING, Response
from dicomquest.dimse.events import ResponsesReceived
from dicomquest.errors import (
    AssociationAbortedError,
    AssociationError,
    ContextNotAcceptedError,
    QueryFailedError,
)
from dicomquest.query.extended_negotiation import accepted_options, offer, offer_worklist
from dicomquest.query.identifier.request_keys import (
    Keys,
    check_limit,
    level_by_name,
    model_by_name,
    request_identifier,
    values_as_written,
)
from dicomquest.query.identifier.request_rules import RequestError, check_request
from dicomquest.query.matches import Matches
from dicomquest.query.options import QueryOptions
from dicomquest.services.contexts import build_context
from dicomquest.services.identifiers import read_identifier, read_identifiers
from dicomquest.standard.models import REPOSITORY_QUERY, InformationModel
from dicomquest.standard.statuses import REPOSITORY_STATUSES, StatusClass, in_words, status_class
from dicomquest.standard.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from dicomquest.sync import Association

T = TypeVar("T")

Form = Literal["dataset", "json", "json-text"]

# The readers of an identifier, by the name of the form that they give.
_READERS: dict[str, Reader[Any]] = {
    "dataset": PYDICOM_READER,
    "json": JSON_READER,
    "json-text": JSON_TEXT_READER,
}


@overload
def find(
    host: str, port: int, *, level: str = ..., model: str = ..., as_: Literal["json"],
    called_aet: str = ..., calling_aet: str = ..., limit: int | None = ...,
    options: QueryOptions | None = ...,
    ssl_context: ssl.SSLContext | None = ..., server_hostname: str | None = ...,
    connection_timeout: float | None = ..., acse_timeout: float | None = ...,
    dimse_timeout: float | None = ..., page: int | None = ...,
    user_identity: UserIdentityNegotiation | None = ...,
    ae_title: str | None = ..., as_is: bool = ..., keys: Keys | None = ..., **keywords: Any,
) -> Matches[dict[str, Any]]: ...  # fmt: skip
@overload
def find(
    host: str, port: int, *, level: str = ..., model: str = ..., as_: Literal["json-text"],
    called_aet: str = ..., calling_aet: str = ..., limit: int | None = ...,
    options: QueryOptions | None = ...,
    ssl_context: ssl.SSLContext | None = ..., server_hostname: str | None = ...,
    connection_timeout: float | None = ..., acse_timeout: float | None = ...,
    dimse_timeout: float | None = ..., page: int | None = ...,
    user_identity: UserIdentityNegotiation | None = ...,
    ae_title: str | None = ..., keys: Keys | None = ..., **keywords: Any,
) -> Matches[str]: ...  # fmt: skip
@overload
def find(
    host: str, port: int, *, level: str = ..., model: str = ..., as_: Literal["dataset"] = ...,
    called_aet: str = ..., calling_aet: str = ..., limit: int | None = ...,
    options: QueryOptions | None = ...,
    ssl_context: ssl.SSLContext | None = ..., server_hostname: str | None = ...,
    connection_timeout: float | None = ..., acse_timeout: float | None = ...,
    dimse_timeout: float | None = ..., page: int | None = ...,
    user_identity: UserIdentityNegotiation | None = ...,
    ae_title: str | None = ..., as_is: bool = ..., keys: Keys | None = ..., **keywords: Any,
) -> Matches[Dataset]: ...  # fmt: skip


def find(
    host: str,
    port: int,
    *,
    level: str = "STUDY",
    model: str = "study",
    as_: Form = "dataset",
    called_aet: str = ANY_SCP,
    calling_aet: str = "DICOMQUEST",
    limit: int | None = None,
    options: QueryOptions | None = None,
    ssl_context: ssl.SSLContext | None = None,
    server_hostname: str | None = None,
    connection_timeout: float | None = 10.0,
    acse_timeout: float | None = 30.0,
    dimse_timeout: float | None = 60.0,
    page: int | None = None,
    user_identity: UserIdentityNegotiation | None = None,
    ae_title: str | None = None,
    as_is: bool = False,
    keys: Keys | None = None,
    **keywords: Any,
) -> Matches[Dataset] | Matches[dict[str, Any]] | Matches[str]:
    """Query a peer, and yield the matches while they come (PS3.4 C.4.1.2).

    Keyword arguments are attributes by keyword, ``keys`` attributes by keyword or tag
    (``00100020``, ``0010,0020``, ``0x00100020``). A value restricts: text with wild cards or a
    range, a date as you write it (``2024-01-05``, ``2024-01..``, ``today``, ``-7d``), Python's
    dates, times and numbers, a pair ``(first, last)`` of dates or times with None
    for an open end, a list of UIDs, Datasets or mappings for a sequence. None or "" asks for the
    attribute to be returned; unless one is asked for, those that every SCP has to support are.

    ``level`` is PATIENT, STUDY, SERIES or IMAGE; ``model`` is study (root), patient (root), psonly,
    or one without levels: worklist, ups, ups-watch, ups-query, hanging-protocol, color-palette,
    implant-template, implant-assembly, implant-group, procedure-protocol, protocol-approval. There
    an attribute that stands in a sequence, such as the Modality of a step, is given without it.
    The model repository is Repository Query (PS3.4 C.6.4): matches come in a lasting order, with a
    RecordKey each, and the peer is asked on as long as it has more, ``page`` records at a time if
    that is given. ``PriorRecordKey`` goes on after a record of an earlier call.

    ``as_`` says what each match is built as: "dataset" is a pydicom Dataset, whose elements are
    made at its first use; "json" is an object of the DICOM JSON Model (PS3.18 F), such as
    ``{"00100020": {"vr": "LO", "Value": ["4711"]}}``; "json-text" is the same as a line of text,
    the fastest for a file. ``limit`` cancels the query after so many
    matches. ``options`` are offered by extended negotiation; a peer may decline them, and a query
    that needs one which the peer declined is not sent. ``user_identity`` says who asks, if the peer
    wants to know (PS3.7 D.3.3.7). ``ae_title`` is another name of ``called_aet``. Time-outs are in
    seconds, None for none. ``as_is`` sends keys and values as they are, allowed or not.

    ``to_pandas()``, ``to_polars()`` and ``to_arrow()`` of the result make one table of all matches;
    they need the extra ``arrow``.

    Nothing is sent before the first match is asked for. Leaving the loop early cancels the query.
    Raises ValueError for a query that makes no sense, at once, with the value that was probably
    meant, and a subclass of AssociationError
    where there is no answer, or one that is a failure (QueryFailedError).

    ```python
    from datetime import date

    from dicomquest import find


    def print_studies(host: str, port: int) -> None:
        since = date(2024, 1, 1)
        for study in find(host, port, PatientName="CITIZEN^*", StudyDate=(since, None)):
            print(study.StudyInstanceUID)
    ```
    """
    if as_ not in _READERS:
        raise ValueError(f"as_ {as_!r}: expected {', '.join(_READERS)}")
    if ae_title is not None:
        if called_aet != ANY_SCP:
            raise ValueError("ae_title is another name of called_aet: give one of them")
        called_aet = ae_title
    check_limit(limit)
    row = model_by_name(model)
    if page is not None and (row is not REPOSITORY_QUERY or page < 1):
        raise ValueError(f"page {page!r}: a number from 1 on, for the model repository alone")
    query_level = level_by_name(level, row)
    asked = [*(keys or {}).items(), *keywords.items()]
    read = None if as_is else values_as_written(datetime.now().astimezone())
    identifier = request_identifier(row, query_level, asked, read)
    check = _no_check if as_is else partial(check_request, identifier, row, query_level)
    check(options or QueryOptions())
    ae = AE(calling_aet)
    ae.connection_timeout, ae.acse_timeout, ae.dimse_timeout = (
        connection_timeout,
        acse_timeout,
        dimse_timeout,
    )
    context = build_context(row.uid, [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN])
    offered = (offer if row.levels else offer_worklist)(options or QueryOptions())
    items: list[NegotiationItem] = [] if user_identity is None else [user_identity]
    if offered:
        items.append(SOPClassExtendedNegotiation(row.uid, offered))
    # Called when the first match is asked for: from then on the generator holds an association.
    associate = partial(
        ae.associate, host, port, [context], called_aet,
        ext_neg=items,
        tls_args=None if ssl_context is None else (ssl_context, server_hostname),
    )  # fmt: skip
    request = to_pydicom(identifier)
    return Matches(
        lambda form: _matches(
            associate, check, request, row, limit=limit, reader=_READERS[form], page=page
        ),
        as_,
        ((tag, element.vr) for tag, element in identifier.items()),
    )


def _no_check(_: QueryOptions) -> None:
    """Allow each request."""


def _matches(
    associate: Callable[[], Association],
    check: Callable[[QueryOptions], None],
    identifier: Dataset,
    model: InformationModel,
    *,
    limit: int | None,
    reader: Reader[T],
    page: int | None,
) -> Iterator[T]:
    association = associate()
    if not association.is_established:
        raise _failure(association)
    with association:
        try:
            check(accepted_options(association.extended_negotiation.get(model.uid, b"")))
        except RequestError as error:
            raise ContextNotAcceptedError(
                f"the peer did not accept what this query needs: {error}"
            ) from error
        matches: Iterator[T]
        if model is REPOSITORY_QUERY:
            ask = partial(_received, association, model, reader)
            matches = matches_of_pages(ask, identifier, page)
        else:
            matches = _received(association, model, reader, identifier)
        yield from matches if limit is None else islice(matches, limit)


def _received(
    association: Association,
    model: InformationModel,
    reader: Reader[T],
    identifier: Dataset,
    last: LastIdentifier | None = None,
) -> Generator[T, None, Response | None]:
    """Give the matches of one query, and return its final response, which is no failure."""
    for row in association.rows_of_responses(identifier, model.uid):
        if row is None:
            raise _failure(association)
        if isinstance(row, ResponsesReceived):
            if last is not None:
                last.take(row.data_sets[-1], row.context.transfer_syntax)
            yield from read_identifiers(row, reader)
        elif row.command.status in PENDING:
            if last is not None:
                last.take(row.data_set or b"", row.context.transfer_syntax)
            match = read_identifier(row, reader.read)
            if match is not None:
                yield match
        elif status_class(row.command.status) not in (StatusClass.SUCCESS, StatusClass.WARNING):
            raise query_failure(row.command)
        else:
            return row.command
    return None


def _failure(association: Association) -> AssociationError:
    failure = association.failure
    return (
        failure
        if isinstance(failure, AssociationError)
        else AssociationAbortedError("the association ended")
    )


def query_failure(response: Response) -> QueryFailedError:
    """Return the error for a query whose final response is a failure, with its words."""
    code, comment = response.status, response.error_comment
    message = f"the peer ended the query with status {in_words(code, REPOSITORY_STATUSES, comment)}"
    return QueryFailedError(
        message, status=code, comment=comment, element=response.offending_element
    )
