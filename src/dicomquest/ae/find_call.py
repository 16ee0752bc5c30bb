"""``dicomquest.find``: one query of one peer as one call (PS3.4 C.4.1.2)."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal, TypeVar, overload

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from dicomquest.ae.entity import AE, ANY_SCP
from dicomquest.ae.negotiation_items import SOPClassExtendedNegotiation
from dicomquest.dataset.elements import from_pydicom
from dicomquest.dataset.fast_decoder import decode_to_json, decode_to_pydicom
from dicomquest.dimse.commands import PENDING, Response
from dicomquest.errors import (
    AssociationAbortedError,
    AssociationError,
    ContextNotAcceptedError,
    QueryFailedError,
)
from dicomquest.query.extended_negotiation import accepted_options, offer
from dicomquest.query.identifier.request_rules import RequestError, check_request
from dicomquest.query.options import QueryOptions
from dicomquest.services.contexts import build_context
from dicomquest.services.identifiers import read_identifier
from dicomquest.standard.keys import KEYS, UNIQUE_KEYS, KeyType, key_type
from dicomquest.standard.levels import Level
from dicomquest.standard.models import (
    PATIENT_ROOT,
    PATIENT_STUDY_ONLY,
    STUDY_ROOT,
    InformationModel,
)
from dicomquest.standard.statuses import StatusClass, in_words, status_class
from dicomquest.standard.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from dicomquest.sync import Association

T = TypeVar("T")

MODELS = {"patient": PATIENT_ROOT, "study": STUDY_ROOT, "psonly": PATIENT_STUDY_ONLY}

NO_KEYS = ("QueryRetrieveLevel", "SpecificCharacterSet")

Form = Literal["dataset", "json"]

# What a match is built as, by the name of the form.
_READERS: dict[str, Callable[[bytes, str], Any]] = {
    "dataset": decode_to_pydicom,
    "json": decode_to_json,
}


@overload
def find(
    host: str, port: int, *, level: str = ..., model: str = ..., as_: Literal["json"], called_aet: str = ...,
    calling_aet: str = ..., limit: int | None = ..., options: QueryOptions | None = ...,
    ssl_context: ssl.SSLContext | None = ..., server_hostname: str | None = ...,
    connection_timeout: float | None = ..., acse_timeout: float | None = ..., dimse_timeout: float | None = ...,
    **keys: Any,
) -> Iterator[dict[str, Any]]: ...  # fmt: skip
@overload
def find(
    host: str, port: int, *, level: str = ..., model: str = ..., as_: Literal["dataset"] = ..., called_aet: str = ...,
    calling_aet: str = ..., limit: int | None = ..., options: QueryOptions | None = ...,
    ssl_context: ssl.SSLContext | None = ..., server_hostname: str | None = ...,
    connection_timeout: float | None = ..., acse_timeout: float | None = ..., dimse_timeout: float | None = ...,
    **keys: Any,
) -> Iterator[Dataset]: ...  # fmt: skip


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
    **keys: Any,
) -> Iterator[Dataset] | Iterator[dict[str, Any]]:
    """Query a peer and give the matches while they come.

    ``as_`` says what each is built as: "dataset" is a pydicom Dataset; "json", which takes a third of the time, is an
    object of the DICOM JSON Model (PS3.18 F), such as ``{"00100020": {"vr": "LO", "Value": ["4711"]}}``.

    ``keys`` are attributes by keyword. A value restricts (text with wild cards and ranges, a list of UIDs, or Datasets
    for a sequence); None or "" asks for the attribute to be returned. Unless one is asked for, those that every SCP
    has to support are. ``level`` is PATIENT, STUDY, SERIES or IMAGE, ``model`` is study (root), patient (root) or
    psonly. ``options`` are offered by extended negotiation; a peer may decline them, and a query that is allowed with
    one of them only is not sent then.

    Nothing is sent before the first match is asked for. Raises a subclass of AssociationError when there is no answer
    or one that is a failure, and ValueError for a query that makes no sense. Leaving the loop early cancels the query.
    """
    if as_ not in _READERS:
        raise ValueError(f"as_ {as_!r}: expected {', '.join(_READERS)}")
    row = _model(model)
    identifier = _identifier(row, level, keys)
    check = partial(check_request, from_pydicom(identifier), row, Level[level])
    check(options or QueryOptions())
    ae = AE(calling_aet)
    ae.connection_timeout, ae.acse_timeout, ae.dimse_timeout = (
        connection_timeout,
        acse_timeout,
        dimse_timeout,
    )
    context = build_context(row.uid, [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN])
    offered = offer(options or QueryOptions())
    # Evaluated when the first match is asked for: from then on the generator holds an association open.
    associate = partial(
        ae.associate, host, port, [context], called_aet,
        ext_neg=[SOPClassExtendedNegotiation(row.uid, offered)] if offered else [],
        tls_args=None if ssl_context is None else (ssl_context, server_hostname),
    )  # fmt: skip
    return _matches(associate, check, identifier, row, limit=limit, read=_READERS[as_])


def _matches(
    associate: Callable[[], Association],
    check: Callable[[QueryOptions], None],
    identifier: Dataset,
    model: InformationModel,
    *,
    limit: int | None,
    read: Callable[[bytes, str], T],
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
        count = 0
        for response in association.responses(identifier, model.uid):
            if response is None:
                raise _failure(association)
            if response.command.status in PENDING:
                match = read_identifier(response, read)
                if match is not None:
                    yield match
                    count += 1
                if count == limit:
                    break
            elif status_class(response.command.status) not in (
                StatusClass.SUCCESS,
                StatusClass.WARNING,
            ):
                raise query_failure(response.command)


def _failure(association: Association) -> AssociationError:
    failure = association.failure
    return (
        failure
        if isinstance(failure, AssociationError)
        else AssociationAbortedError("the association ended")
    )


def query_failure(response: Response) -> QueryFailedError:
    """Say in words why a query failed: what its final response says."""
    code, comment = response.status, response.error_comment
    message = f"the peer ended the query with status {in_words(code, comment=comment)}"
    return QueryFailedError(
        message, status=code, comment=comment, element=response.offending_element
    )


def _model(name: str) -> InformationModel:
    if name not in MODELS:
        raise ValueError(f"model {name!r}: expected {', '.join(MODELS)}")
    return MODELS[name]


def _identifier(model: InformationModel, level_name: str, keys: dict[str, Any]) -> Dataset:
    levels = {level.name: level for level in model.levels}
    if level_name not in levels:
        raise ValueError(f"level {level_name!r}: {model.words} has {', '.join(levels)}")
    level = levels[level_name]
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level.name
    for keyword in (
        _usual_keys(model, level) if all(keys.values()) else [UNIQUE_KEYS[level].keyword]
    ):
        setattr(identifier, keyword, None)
    for keyword, value in keys.items():
        if keyword in NO_KEYS or tag_for_keyword(keyword) is None:
            raise ValueError(
                f"{keyword!r} is no key: expected the keyword of an attribute, such as PatientName"
            )
        setattr(identifier, keyword, value)
    return identifier


def _usual_keys(model: InformationModel, level: Level) -> list[str]:
    """List the unique and required keys of the level."""
    return [
        key.keyword
        for key in KEYS
        if model.query_level(key.level) == level
        and key_type(key.tag, model) is not KeyType.OPTIONAL
    ]
