"""Identifiers and statuses between pydicom's Dataset and the wire (PS3.4 C.4.1, PS3.7 C)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TypeVar

from pydicom.dataset import Dataset

from dicomquest.dataset.charset import (
    Terms,
    choose,
    normalise_terms,
)
from dicomquest.dataset.codec import IDENTIFIER_LIMITS, decode
from dicomquest.dataset.elements import DataSet, Element, from_pydicom, to_pydicom
from dicomquest.dataset.encoder import encode
from dicomquest.dataset.fast_decoder import Reader, decode_to_pydicom
from dicomquest.dimse.command_sets import ELEMENTS
from dicomquest.dimse.commands import (
    PENDING,
    NormalizedRSP,
    Response,
    RetrieveRSP,
    sub_operations_of,
)
from dicomquest.dimse.events import ResponseReceived, ResponsesReceived
from dicomquest.errors import DataSetError
from dicomquest.standard.statuses import StatusClass, status_class
from dicomquest.standard.tags import SPECIFIC_CHARACTER_SET

LOGGER = logging.getLogger("dicomquest.scu")

IDENTIFIERS = logging.getLogger("dicomquest.identifiers")
"""The log of whole identifiers, patients and all: silent until ``debug_logger`` turns it on."""
if IDENTIFIERS.level == logging.NOTSET:  # else ``debug_logger`` came before this import
    IDENTIFIERS.setLevel(logging.CRITICAL)

_TAGS = {keyword: tag for tag, _, keyword in ELEMENTS}
_STATUS, _OFFENDING_ELEMENT = _TAGS["Status"], _TAGS["OffendingElement"]
_INSTANCE, _ATTRIBUTES = _TAGS["AffectedSOPInstanceUID"], _TAGS["AttributeIdentifierList"]
_ERROR_COMMENT, _ERROR_ID = _TAGS["ErrorComment"], _TAGS["ErrorID"]

_SUB_OPERATIONS = tuple(
    _TAGS[f"NumberOf{what}Suboperations"]
    for what in ("Remaining", "Completed", "Failed", "Warning")
)

T = TypeVar("T")


def encode_response(identifier: Dataset, transfer_syntax: str) -> bytes:
    """Encode the identifier of a response, which names a character set only if it needs one.

    DataSetError or ValueFormatError for a value that cannot be encoded.
    """
    _show("identifier of a response sent", identifier)
    data_set, declared = _taken_apart(identifier)
    return encode(data_set, transfer_syntax, choose(data_set, declared))


def encode_request(identifier: Dataset, transfer_syntax: str) -> bytes:
    """Encode the identifier of a request, in the character set that it names.

    Another one is chosen if that lacks a character of the values. Errors as ``encode_response``.
    """
    _show("identifier of a request sent", identifier)
    data_set, declared = _taken_apart(identifier)
    terms = choose(data_set, declared)
    if not terms and normalise_terms(declared) == declared:
        terms = declared
    return encode(data_set, transfer_syntax, terms)


def _taken_apart(identifier: Dataset) -> tuple[DataSet, Terms]:
    """Return the elements without Specific Character Set, and the values of that."""
    data_set = from_pydicom(identifier)
    declared = data_set.pop(SPECIFIC_CHARACTER_SET, None)
    return data_set, () if declared is None else declared.values


def _show(words: str, identifier: Dataset) -> None:
    """Log an identifier, an element a line."""
    if IDENTIFIERS.isEnabledFor(logging.DEBUG):
        for line in (f"{words}:", *str(identifier).splitlines()):
            IDENTIFIERS.debug("%s", line)


def show_request(data_set: bytes | None, transfer_syntax: str) -> None:
    """Log the identifier of a request as it was received, if the log shows identifiers."""
    if data_set is None or not IDENTIFIERS.isEnabledFor(logging.DEBUG):
        return
    try:
        identifier = to_pydicom(decode(data_set, transfer_syntax, limits=IDENTIFIER_LIMITS))
    except DataSetError as error:
        IDENTIFIERS.debug("identifier of a request received cannot be read: %s", error)
        return
    _show("identifier of a request received", identifier)


def status_data_set(response: Response) -> Dataset:
    """Return the status of a response as a Dataset, with the elements that explain it."""
    data_set = {_STATUS: Element("US", (response.status,))}
    if isinstance(response, RetrieveRSP):
        counts = zip(_SUB_OPERATIONS, sub_operations_of(response), strict=True)
        data_set |= {tag: Element("US", (count,)) for tag, count in counts if count is not None}
    if response.offending_element:
        data_set[_OFFENDING_ELEMENT] = Element("AT", response.offending_element)
    if isinstance(response, NormalizedRSP):
        data_set |= _of_instance(response)
    if response.error_comment:
        data_set[_ERROR_COMMENT] = Element("LO", (response.error_comment,))
    if response.error_id is not None:
        data_set[_ERROR_ID] = Element("US", (response.error_id,))
    return to_pydicom(data_set)


def _of_instance(response: NormalizedRSP) -> DataSet:
    """Return the instance of a DIMSE-N response, and the attributes that it names."""
    data_set = {}
    if response.affected_sop_instance_uid:
        data_set[_INSTANCE] = Element("UI", (response.affected_sop_instance_uid,))
    if response.attribute_identifier_list:
        data_set[_ATTRIBUTES] = Element("AT", response.attribute_identifier_list)
    return data_set


def read_identifier(response: ResponseReceived, read: Callable[[bytes, str], T]) -> T | None:
    """Read the identifier of a Pending response; None, with a warning in the log, if it has none.

    A response whose identifier cannot be read is no reason to lose the others.
    """
    if response.data_set is None:
        what = "is longer than the limit" if response.is_oversized else "is missing"
        LOGGER.warning("a Pending response's identifier %s", what)
        return None
    try:
        return read(response.data_set, response.context.transfer_syntax)
    except DataSetError as error:
        _warn_unreadable(error)
        return None


def read_identifiers(row: ResponsesReceived, reader: Reader[T]) -> Iterator[T]:
    """Yield the identifiers of the responses in a row that can be read, as ``read_identifier``."""
    syntax = row.context.transfer_syntax
    take_apart = reader.known_layouts(syntax)
    # One by one: what the user lets go of is gone before the garbage collector comes.
    for data_set in row.data_sets:
        identifier = take_apart(data_set)
        if identifier is None:
            try:
                identifier = reader.read(data_set, syntax)
            except DataSetError as error:
                _warn_unreadable(error)
                continue
        yield identifier


def _warn_unreadable(error: DataSetError) -> None:
    LOGGER.warning("a Pending response's identifier cannot be read: %s", error)


def read_retrieve_response(response: ResponseReceived | None) -> tuple[Dataset, Dataset | None]:
    """Return the status and the identifier of a response to C-GET or C-MOVE.

    The status is empty if the association ended before the response (None). Peers leave the list of
    what failed out, send it empty or send it broken: all that is no error.
    """
    if response is None:
        return Dataset(), None
    status = status_data_set(response.command)
    if response.data_set is None:
        return status, None
    try:
        return status, decode_to_pydicom(response.data_set, response.context.transfer_syntax)
    except DataSetError as error:
        LOGGER.warning("the list of failed instances cannot be read: %s", error)
        return status, None


def read_normalized_response(
    response: ResponseReceived | None,
) -> tuple[Dataset, Dataset | None]:
    """Return the status and the attributes of a response to N-CREATE or N-SET.

    The status is empty if the association ended before the response (None). A request that failed
    has no attributes.
    """
    if response is None:
        return Dataset(), None
    status, syntax = status_data_set(response.command), response.context.transfer_syntax
    if status_class(response.command.status) not in {StatusClass.SUCCESS, StatusClass.WARNING}:
        return status, None
    data = response.data_set
    return status, Dataset() if data is None else decode_to_pydicom(data, syntax)


def read_response(response: ResponseReceived | None) -> tuple[Dataset, Dataset | None, bool]:
    """Return the status, the identifier, and True if more responses follow.

    The status is empty if the association ended before the response (None).
    """
    if response is None:
        return Dataset(), None, False
    is_pending = response.command.status in PENDING
    identifier = read_identifier(response, decode_to_pydicom) if is_pending else None
    if identifier is not None:
        _show("identifier of a response received", identifier)
    return status_data_set(response.command), identifier, is_pending
