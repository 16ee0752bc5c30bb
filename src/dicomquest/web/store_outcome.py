"""The response to a store request: one data set that lists every part once (PS3.18 10.5.3, I.2)."""

from __future__ import annotations

import json
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import Self

from dicomquest.dataset.elements import DataSet, Element, to_json
from dicomquest.dataset.native_xml import NAMESPACE, attributes
from dicomquest.services.request import StoredInstance
from dicomquest.standard import statuses
from dicomquest.standard.tags import RETRIEVE_URL
from dicomquest.web.media_types import JSON, MULTIPART, XML, MediaRange, quality_of

WARNING_REASON = 0x00081196
FAILURE_REASON = 0x00081197
FAILED_SOP_SEQUENCE = 0x00081198
REFERENCED_SOP_SEQUENCE = 0x00081199
OTHER_FAILURES_SEQUENCE = 0x0008119A
REFERENCED_SOP_CLASS_UID = 0x00081150
REFERENCED_SOP_INSTANCE_UID = 0x00081155

_SEQUENCES = {
    FAILED_SOP_SEQUENCE: "FailedSOPSequence",
    REFERENCED_SOP_SEQUENCE: "ReferencedSOPSequence",
    OTHER_FAILURES_SEQUENCE: "OtherFailuresSequence",
}

IN_MEMORY = 262_144
"""Bytes of a list of items that stay in memory: there may be a million parts."""

PIECE = 65_536
"""Bytes of the response that are written at a time."""


@dataclass(frozen=True, slots=True)
class PartOutcome:
    """The outcome of one part: a status of C-STORE, with the UIDs that the part has told.

    ``instance`` is None for a part that was refused before its data set was read.
    """

    status: int
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    instance: StoredInstance | None = None

    @property
    def is_stored(self) -> bool:
        """Tell whether the instance is stored, perhaps with a warning."""
        return self.status in {statuses.SUCCESS, statuses.CLASS_NOT_TOLD}


class StoreForm(ABC):
    """A representation of the response."""

    content_type: str

    @abstractmethod
    def encode_item(self, item: DataSet, number: int) -> bytes:
        """Return an item of a sequence, and what stands before it."""

    @abstractmethod
    def opening(self, url: Sequence[str]) -> bytes:
        """Return the beginning, with the Retrieve URL."""

    @abstractmethod
    def around(self, tag: int) -> tuple[bytes, bytes]:
        """Return what stands before and behind the items of a sequence."""

    @property
    @abstractmethod
    def closing(self) -> bytes:
        """Return the end."""


class JsonForm(StoreForm):
    """One object, not an array: clients take it for the data set (PS3.18 F)."""

    content_type = JSON

    def encode_item(self, item: DataSet, number: int) -> bytes:
        """Return an item of a sequence, and what stands before it."""
        text = json.dumps(to_json(item), separators=(",", ":"))
        return f"{',' if number > 1 else ''}{text}".encode()

    def opening(self, url: Sequence[str]) -> bytes:
        """Return the beginning, with the Retrieve URL."""
        element = to_json({RETRIEVE_URL: Element("UR", tuple(url))})
        return json.dumps(element, separators=(",", ":")).encode()[:-1]

    def around(self, tag: int) -> tuple[bytes, bytes]:
        """Return what stands before and behind the items of a sequence."""
        return f',"{tag:08X}":{{"vr":"SQ","Value":['.encode(), b"]}"

    @property
    def closing(self) -> bytes:
        """Return the end."""
        return b"}"


class XmlForm(StoreForm):
    """The Native DICOM Model, alone or as the one part of a multipart message (PS3.19 A.1)."""

    def __init__(self, boundary: str = "") -> None:
        self.content_type = XML
        self._boundary = boundary
        if boundary:
            self.content_type = f'multipart/related; type="{XML}"; boundary={boundary}'

    def encode_item(self, item: DataSet, number: int) -> bytes:
        """Return an item of a sequence."""
        content = "\n".join(attributes(item))
        return f'<Item number="{number}">\n{content}\n</Item>\n'.encode("utf-8", "replace")

    def opening(self, url: Sequence[str]) -> bytes:
        """Return the beginning, with the Retrieve URL."""
        head = f"--{self._boundary}\r\nContent-Type: {XML}\r\n\r\n" if self._boundary else ""
        (element,) = attributes({RETRIEVE_URL: Element("UR", tuple(url))})
        return (
            f'{head}<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<NativeDicomModel xmlns="{NAMESPACE}" xml:space="preserve">\n{element}\n'
        ).encode("utf-8", "replace")

    def around(self, tag: int) -> tuple[bytes, bytes]:
        """Return what stands before and behind the items of a sequence."""
        before = f'<DicomAttribute tag="{tag:08X}" vr="SQ" keyword="{_SEQUENCES[tag]}">\n'
        return before.encode(), b"</DicomAttribute>\n"

    @property
    def closing(self) -> bytes:
        """Return the end."""
        end = f"\r\n--{self._boundary}--\r\n" if self._boundary else ""
        return f"</NativeDicomModel>{end}".encode()


def store_form(ranges: Sequence[MediaRange]) -> StoreForm | None:
    """Return the best acceptable form, JSON without ranges; None if none is acceptable."""
    if not ranges:
        return JsonForm()
    plain = [each.quality for each in ranges if each.kind == "application/json"]
    as_json = max([quality_of(JSON, ranges), *plain])
    as_xml = quality_of(XML, ranges)
    as_part = quality_of(XML, [each for each in ranges if each.kind == MULTIPART], is_parts=True)
    best = max(as_json, as_xml, as_part)
    if not best:
        return None
    if best == as_json:
        return JsonForm()
    return XmlForm() if best == as_xml else XmlForm(secrets.token_hex(16))


class _Items:
    """The encoded items of one sequence; many go to a file without a name."""

    def __init__(self, form: StoreForm) -> None:
        self._form = form
        self._bytes = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  ``StoreOutcome`` closes it
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bytes.close()

    def add(self, item: DataSet) -> None:
        """Add an item."""
        self.count += 1
        self._bytes.write(self._form.encode_item(item, self.count))

    def pieces(self) -> Iterator[bytes]:
        """Yield the items, some at a time."""
        self._bytes.seek(0)
        while piece := self._bytes.read(PIECE):
            yield piece


class StoreOutcome:
    """The outcomes of all parts so far; a context manager, which lets go of its files."""

    def __init__(self, form: StoreForm, base: str | None) -> None:
        """Answer in a form; ``base`` is the address of the service if instances have one there."""
        self.form = form
        self._base = base
        self._stack = ExitStack()
        # In the order of their tags.
        self._items = {tag: self._stack.enter_context(_Items(form)) for tag in _SEQUENCES}
        self._study_uid: str | None = ""
        self._is_warned = False
        self._is_full = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, part: PartOutcome) -> None:
        """Note the outcome of the next part."""
        sop = {
            REFERENCED_SOP_CLASS_UID: _uid(part.sop_class_uid),
            REFERENCED_SOP_INSTANCE_UID: _uid(part.sop_instance_uid),
        }
        if part.is_stored:
            self._items[REFERENCED_SOP_SEQUENCE].add({**sop, **self._place(part)})
            return
        self._is_full = self._is_full and part.status >> 8 == statuses.OUT_OF_RESOURCES >> 8
        reason = {FAILURE_REASON: Element("US", (part.status,))}
        if part.sop_class_uid and part.sop_instance_uid:
            self._items[FAILED_SOP_SEQUENCE].add({**sop, **reason})
        else:
            self._items[OTHER_FAILURES_SEQUENCE].add(reason)

    def _place(self, part: PartOutcome) -> DataSet:
        """Return the address of a stored instance, and the warning if there is one."""
        found = part.instance
        url: tuple[str, ...] = ()
        if found is not None:
            is_same = self._study_uid in {"", found.study_uid}
            self._study_uid = found.study_uid if is_same else None
            if self._base is not None:
                series = f"{self._base}/studies/{found.study_uid}/series/{found.series_uid}"
                url = (f"{series}/instances/{part.sop_instance_uid}",)
        place = {RETRIEVE_URL: Element("UR", url)}
        if part.status != statuses.SUCCESS:
            self._is_warned = True
            place[WARNING_REASON] = Element("US", (part.status,))
        return place

    @property
    def count(self) -> int:
        """The number of parts."""
        return sum(each.count for each in self._items.values())

    @property
    def code(self) -> int:
        """The status code of the response (Table 10.5.3-1)."""
        stored = self._items[REFERENCED_SOP_SEQUENCE].count
        if stored:
            return 200 if stored == self.count and not self._is_warned else 202
        return 503 if self._is_full else 409

    def pieces(self) -> Iterator[bytes]:
        """Yield the response; blocking where it comes from a file."""
        has_url = self._base is not None and self._study_uid
        yield self.form.opening([f"{self._base}/studies/{self._study_uid}"] if has_url else [])
        for tag, items in self._items.items():
            if items.count:
                before, behind = self.form.around(tag)
                yield before
                yield from items.pieces()
                yield behind
        yield self.form.closing


def _uid(text: str) -> Element:
    return Element("UI", (text,) if text else ())
