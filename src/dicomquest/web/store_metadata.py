"""Instances that come as metadata and bulk data, put together to files (PS3.18 10.5.2)."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Final

from pydicom.valuerep import format_number_as_ds

from dicomquest.dataset.codec import PIXEL_DATA
from dicomquest.dataset.elements import BulkAddress, DataSet, Element, from_json
from dicomquest.dataset.native_xml_reader import from_native_xml
from dicomquest.dataset.part10 import encode_file_meta
from dicomquest.dataset.spliced_encoder import BulkParts, Extent, encode_spliced, survey
from dicomquest.errors import DataSetError, DicomquestError
from dicomquest.pdu.user_information import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicomquest.services.request import Run
from dicomquest.standard import statuses
from dicomquest.standard.tags import SOP_CLASS_UID, SOP_INSTANCE_UID
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from dicomquest.web.media_types import XML
from dicomquest.web.metadata_endpoint import AVAILABLE_TRANSFER_SYNTAX
from dicomquest.web.refusals import RefusalError
from dicomquest.web.store_spool import PartSpool, SpooledPart
from dicomquest.web.store_start import TRANSFER_SYNTAX_NOT_SUPPORTED, ArrivedStart

PORTION: Final = 524_288
"""Bytes of a file that are made at a time."""

_FILE_START: Final = bytes(128) + b"DICM"
_LONGEST_DS: Final = 16
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_IMAGE: Final = {
    0x00280002: "Samples per Pixel",
    0x00280004: "Photometric Interpretation",
    0x00280010: "Rows",
    0x00280011: "Columns",
    0x00280100: "Bits Allocated",
}
"""The attributes without which nobody can show compressed pixel data."""

_NUMBER_OF_FRAMES: Final = 0x00280008
_VIDEO: Final = "1.2.840.10008.1.2.4.10"
"""The beginning of the transfer syntaxes whose codestream has all frames."""


@dataclass(frozen=True, slots=True)
class MadeFile:
    """An instance with all its values, as the pieces of a file."""

    pieces: Iterator[bytes]
    uids: tuple[str, str]

    def refusal(self, words: str) -> ArrivedStart:
        """Return the refusal of the instance, whose values cannot be written."""
        return _unfit(words, *self.uids)


async def made_files(spool: PartSpool, run: Run) -> AsyncIterator[MadeFile | ArrivedStart]:
    """Yield each instance of the metadata, or the refusal of one that cannot be made.

    RefusalError if no part of the message is metadata.
    """
    whole = [part for part in spool.metadata if part.is_whole]
    if not whole:
        raise RefusalError(400, "the body has no part with metadata")
    for part in whole:
        data_sets = _data_sets(spool, part)
        while (found := await run(next, data_sets, None)) is not None:
            if isinstance(found, ArrivedStart):
                yield found
            else:
                yield await run(_made, spool, found)


def _data_sets(spool: PartSpool, part: SpooledPart) -> Iterator[DataSet | ArrivedStart]:
    """Yield the data sets of a part, one at a time: the objects of thousand take much memory."""
    data = spool.read(part)
    if XML in spool.metadata_kinds:
        yield _read(from_native_xml, data)
        return
    try:
        texts = _objects(data.decode("utf-8-sig"))
        for each in texts:
            yield _read(_from_json, each)
    except (ValueError, RecursionError):
        yield _unfit("the metadata is no JSON")


def _objects(text: str) -> Iterator[Any]:
    """Yield the values of a JSON array, or the one value; ValueError at what is no JSON."""
    decoder, end = json.JSONDecoder(), len(text)
    at = _after_space(text, 0)
    if text[at : at + 1] != "[":
        found, at = decoder.raw_decode(text, at)
        yield found
    else:
        at = _after_space(text, at + 1)
        while text[at : at + 1] != "]":
            found, at = decoder.raw_decode(text, at)
            yield found
            at = _after_space(text, at)
            if text[at : at + 1] == ",":
                at = _after_space(text, at + 1)
            elif text[at : at + 1] != "]":
                raise ValueError("no array")
        at += 1
    if _after_space(text, at) != end:
        raise ValueError("something follows")


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _from_json(found: Any) -> DataSet:
    return from_json(found, keeps_addresses=True)


def _read(read: Any, source: Any) -> DataSet | ArrivedStart:
    try:
        found: DataSet = read(source)
    except DataSetError as error:
        return _unfit(str(error))
    except RecursionError:
        return _unfit("sequences are nested too deeply")
    return found


def _made(spool: PartSpool, data_set: DataSet) -> MadeFile | ArrivedStart:
    """Return the file of a data set, whose first bytes show whether it can be written."""
    # The Standard has no longer ones, and the fields of File Meta Information have a length.
    uids = _text(data_set, SOP_CLASS_UID)[:64], _text(data_set, SOP_INSTANCE_UID)[:64]
    data_set.pop(AVAILABLE_TRANSFER_SYNTAX, None)
    try:
        found = survey(data_set)
    except (DataSetError, RecursionError) as error:
        return _unfit(str(error), *uids)
    values = {address: spool.value(address) for address in found.addresses}
    known: dict[BulkAddress, BulkParts] = {}
    pixels = data_set.get(PIXEL_DATA)
    file_syntax = EXPLICIT_VR_LITTLE_ENDIAN
    for address, value in values.items():
        if value is None:
            return _unfit("no whole part has the Content-Location of a BulkDataURI", *uids)
        known[address], syntax = value
        if pixels is not None and pixels.values == (address,):
            file_syntax = syntax
        elif syntax != EXPLICIT_VR_LITTLE_ENDIAN:
            syntax = ""
        if not syntax:
            words = "the transfer syntax of bulk data is not supported there"
            return _unfit(words, *uids, status=TRANSFER_SYNTAX_NOT_SUPPORTED)
    if file_syntax != EXPLICIT_VR_LITTLE_ENDIAN and pixels is not None:
        words = _objection(data_set, file_syntax, len(known[pixels.values[0]].extents))
        if words:
            return _unfit(words, *uids, status=statuses.DATA_SET_DOES_NOT_MATCH)
    _shorten(data_set)
    start = _FILE_START + encode_file_meta(
        *uids,
        file_syntax,
        implementation=(IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME),
    )
    pieces = encode_spliced(data_set, known.__getitem__, is_utf_8=found.needs_utf_8)
    return MadeFile(_portions(spool, start, pieces), uids)


def _objection(data_set: DataSet, syntax: str, frames: int) -> str:
    """Return the reason why compressed pixel data does not fit its attributes, "" if it does."""
    missing = [name for tag, name in _IMAGE.items() if not _text(data_set, tag)]
    if missing:
        return f"compressed pixel data without {missing[0]}"
    told = _text(data_set, _NUMBER_OF_FRAMES) or "1"
    if not syntax.startswith(_VIDEO) and told != str(frames):
        return "the number of parts is not the Number of Frames"
    return ""


def _portions(spool: PartSpool, start: bytes, pieces: Iterator[bytes | Extent]) -> Iterator[bytes]:
    held = [start]
    size = len(start)
    for piece in pieces:
        for each in (piece,) if isinstance(piece, bytes) else spool.pieces(piece):
            held.append(each)
            size += len(each)
            if size >= PORTION:
                yield b"".join(held)
                held.clear()
                size = 0
    yield b"".join(held)


def _shorten(data_set: DataSet) -> None:
    """Write decimals with the characters that DS has: JSON has them as binary numbers."""
    for tag, (vr, values) in data_set.items():
        if vr == "SQ":
            for item in values:
                _shorten(item)
        elif vr == "DS" and any(len(each) > _LONGEST_DS for each in values):
            data_set[tag] = Element("DS", tuple(map(_decimal, values)))


def _decimal(text: str) -> str:
    if len(text) <= _LONGEST_DS or isinstance(text, BulkAddress):
        return text
    try:
        return format_number_as_ds(float(text))
    except ValueError:
        return text


def _unfit(
    words: str,
    sop_class: str = "",
    sop_instance: str = "",
    *,
    status: int = statuses.CANNOT_UNDERSTAND,
) -> ArrivedStart:
    return ArrivedStart(
        sop_class_uid=sop_class, sop_instance_uid=sop_instance, status=status, words=words
    )


def _text(data_set: DataSet, tag: int) -> str:
    element = data_set.get(tag)
    return str(element.values[0]) if element is not None and element.values else ""


def made_portion(file: MadeFile) -> bytes:
    """Return the next bytes of a file, none at its end; DataSetError if a value has no bytes."""
    try:
        return next(file.pieces, b"")
    except DataSetError:
        raise
    except (DicomquestError, UnicodeError) as error:
        raise DataSetError(str(error)) from error
