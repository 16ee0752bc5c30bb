"""The table by which a step of an HL7 message becomes an entry (IHE RAD TF-2 Appendix B)."""

from __future__ import annotations

import codecs
import json
import re
import tomllib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydicom.datadict import keyword_for_tag, tag_for_keyword

from dicomquest.dataset.dictionary import standard_vr
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.standard.attributes import attribute_name
from dicomquest.standard.tags import SCHEDULED_PROCEDURE_STEP_SEQUENCE
from dicomquest.standard.vr import VR, Kind
from dicomquest.standard.worklist_keys import WORKLIST_KEYS
from dicomquest.worklist.entry import fault_of
from dicomquest.worklist.hl7_message import Hl7Error, OrderedStep, Place, parse_place
from dicomquest.worklist.same_order import (
    ACCESSION_NUMBER,
    FILLER_ORDER_NUMBER,
    PLACER_ORDER_NUMBER,
    STUDY_INSTANCE_UID,
)

IN_STEP = "ScheduledProcedureStepSequence."
"""Stands before the keyword of an attribute of the step."""

_CODE_VALUE, _CODING_SCHEME, _CODE_MEANING = 0x00080100, 0x00080102, 0x00080104
_START_DATE, _START_TIME = 0x00400002, 0x00400003

# Attributes with their places; the first place that has a value counts. ``=text`` is a text itself.
# ORM^O01 has its order in OBR and ZDS, OMI^O23 in TQ1 and IPC.
DEFAULT_PLACES: dict[str, tuple[str, ...]] = {
    "PatientName": ("PID-5.1",),
    "PatientID": ("PID-3.1", "PID-2.1"),
    "IssuerOfPatientID": ("PID-3.4.1",),
    "PatientBirthDate": ("PID-7.1",),
    "PatientSex": ("PID-8.1",),
    "AdmissionID": ("PV1-19.1", "PID-18.1"),
    "CurrentPatientLocation": ("PV1-3.1",),
    "ReferringPhysicianName": ("PV1-8.2",),
    "AccessionNumber": ("IPC-1.1", "OBR-18.1", "ORC-3.1", "OBR-3.1"),
    "RequestingPhysician": ("ORC-12.2", "OBR-16.2"),
    "RequestedProcedureID": ("IPC-2.1", "OBR-19.1", "ORC-2.1", "OBR-2.1"),
    "RequestedProcedureDescription": ("OBR-44.2", "OBR-4.2", "OBR-44.1", "OBR-4.1"),
    "RequestedProcedureCodeSequence": ("OBR-44.1", "OBR-4.1"),
    "RequestedProcedurePriority": ("TQ1-9.1", "OBR-27.6", "ORC-7.6", "OBR-5"),
    "PatientTransportArrangements": ("OBR-30",),
    "StudyInstanceUID": ("IPC-3.1", "ZDS-1.1"),
    "PlacerOrderNumberImagingServiceRequest": ("ORC-2.1", "OBR-2.1"),
    "FillerOrderNumberImagingServiceRequest": ("ORC-3.1", "OBR-3.1"),
    "ScheduledStationAETitle": ("IPC-9.1", "OBR-21.1"),
    "ScheduledProcedureStepStartDate": ("TQ1-7.1", "OBR-27.4", "ORC-7.4", "OBR-36.1"),
    "ScheduledProcedureStepStartTime": ("TQ1-7.1", "OBR-27.4", "ORC-7.4", "OBR-36.1"),
    "Modality": ("IPC-5.1", "OBR-24.1"),
    "ScheduledPerformingPhysicianName": ("OBR-34.1.2",),
    "ScheduledProcedureStepDescription": ("IPC-6.2", "OBR-4.5", "OBR-4.2"),
    "ScheduledProtocolCodeSequence": ("IPC-6.1", "OBR-4.4"),
    "ScheduledStationName": ("IPC-7.1",),
    "ScheduledProcedureStepLocation": ("IPC-8.1",),
    "ScheduledProcedureStepID": (
        "IPC-4.1",
        "OBR-20.1",
        "ORC-3.1",
        "OBR-3.1",
        "ORC-2.1",
        "OBR-2.1",
    ),
}
"""The places of each attribute in messages as IHE describes them."""

DEFAULT_VALUES: dict[str, dict[str, str]] = {
    "PatientSex": {"M": "M", "F": "F", "O": "O", "A": "O", "N": "O", "U": ""},
    "RequestedProcedurePriority": {
        "S": "STAT", "A": "HIGH", "R": "ROUTINE", "P": "HIGH", "C": "HIGH", "T": "MEDIUM",
    },
    "PatientTransportArrangements": {
        "CART": "CART", "PORT": "PORTABLE", "WALK": "WALKING", "WHLC": "WHEELCHAIR",
    },
}  # fmt: skip
"""The values of HL7 tables 0001, 0485 and 0124 in DICOM's words; other values stay as they are."""

_CODE = re.compile(r"[A-Z0-9_ ]{0,16}", re.ASCII)
_DATE = re.compile(r"\d{8}", re.ASCII)
_TIME_STAMP = re.compile(
    r"(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(?:(\d\d)(?:\.\d{1,6})?)?)?([+-]\d{4})?", re.ASCII
)
# A code that names no scheme is of the site (PS3.16 8.2).
_LOCAL_SCHEME = "99LOCAL"


@dataclass(frozen=True, slots=True)
class Source:
    """One source of a value: a place in the message, or a text itself."""

    place: Place | None
    text: str = ""


@dataclass(frozen=True, slots=True)
class MappedAttribute:
    """An attribute with its sources; ``values`` are DICOM's words for those of HL7."""

    tag: int
    vr: str
    is_of_step: bool
    sources: tuple[Source, ...]
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Hl7Mapping:
    """The whole table. ``charset``: the codec of messages that name no character set."""

    attributes: tuple[MappedAttribute, ...]
    charset: str = "ascii"

    def data_set(self, step: OrderedStep, *, has_study: bool = True) -> DataSet:
        """Return the entry that a step orders; Hl7Error for a value that cannot be read.

        An order without a Study Instance UID gets one that is the same each time it is sent,
        unless ``has_study`` is false.
        """
        entry: DataSet = {}
        item: DataSet = {}
        places = self._order_places
        for attribute in self.attributes:
            # An order number may be too long for what it stands for, if that need not be there.
            may_lack = not has_study or attribute.tag == ACCESSION_NUMBER
            values = _values(step, attribute, places if may_lack else frozenset())
            if values:
                target = item if attribute.is_of_step else entry
                target[attribute.tag] = Element(attribute.vr, values)
        if has_study and STUDY_INSTANCE_UID not in entry:
            entry[STUDY_INSTANCE_UID] = Element("UI", (_made_uid(step),))
        entry[SCHEDULED_PROCEDURE_STEP_SEQUENCE] = Element("SQ", (dict(sorted(item.items())),))
        return dict(sorted(entry.items()))

    @property
    def _order_places(self) -> frozenset[Place]:
        """The places of order numbers."""
        return frozenset(
            source.place
            for attribute in self.attributes
            if attribute.tag in {PLACER_ORDER_NUMBER, FILLER_ORDER_NUMBER}
            for source in attribute.sources
            if source.place is not None
        )

    def filled_in(self, step: OrderedStep) -> frozenset[int]:
        """Return the tags whose values are order numbers in place of missing ones."""
        numbers = self._order_places
        found = {STUDY_INSTANCE_UID}
        for attribute in self.attributes:
            source = _source_of(step, attribute)
            if attribute.tag == STUDY_INSTANCE_UID and source is not None:
                found.discard(STUDY_INSTANCE_UID)
            if source is None or source.place is None or source == attribute.sources[0]:
                continue
            if source.place in numbers:
                found.add(attribute.tag)
        return frozenset(found)


def default_mapping() -> Hl7Mapping:
    """Return the table as IHE has it."""
    return _mapping(DEFAULT_PLACES, DEFAULT_VALUES, "ascii")


def read_mapping(text: str) -> Hl7Mapping:
    """Return the table that a TOML file changes; Hl7Error says what is wrong in it.

    ``[places]`` has places of attributes instead of those of DEFAULT_PLACES, ``[values.KEYWORD]``
    has words for values, ``charset`` the character set of messages that name none.
    """
    try:
        read = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Hl7Error(f"the mapping is no TOML: {error}") from error
    unknown = read.keys() - {"places", "values", "charset"}
    if unknown:
        raise Hl7Error(f"the mapping has {min(unknown)!r}; it knows places, values, charset")
    places = DEFAULT_PLACES | {
        keyword: _texts(keyword, value) for keyword, value in _table(read, "places").items()
    }
    values = DEFAULT_VALUES | {
        keyword: {key: str(value) for key, value in _table(_table(read, "values"), keyword).items()}
        for keyword in _table(read, "values")
    }
    charset = str(read.get("charset", "ascii"))
    try:
        codecs.lookup(charset)
    except LookupError as error:
        words = f"charset = {charset!r} is no character set; write one such as utf-8"
        raise Hl7Error(words) from error
    return _mapping(places, values, charset)


def _table(read: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = read.get(name, {})
    if not isinstance(found, dict):
        raise Hl7Error(f"{name} of the mapping is no table")
    return found


def _texts(keyword: str, value: object) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
        raise Hl7Error(f'{keyword} of the mapping needs places: ["OBR-21.1", "=CT1"]')
    return tuple(texts)


def _name(attribute: MappedAttribute) -> str:
    keyword = keyword_for_tag(attribute.tag)
    is_told = attribute.is_of_step and keyword not in _OF_STEP
    return json.dumps(IN_STEP + keyword) if is_told else keyword


_OF_STEP = frozenset(key.keyword for key in WORKLIST_KEYS if key.is_of_step)


def _mapping(
    places: Mapping[str, tuple[str, ...]], values: Mapping[str, Mapping[str, str]], charset: str
) -> Hl7Mapping:
    attributes = [
        _attribute(keyword, texts, values.get(keyword, {}))
        for keyword, texts in places.items()
        if texts
    ]
    return Hl7Mapping(tuple(attributes), charset)


def _attribute(name: str, texts: tuple[str, ...], values: Mapping[str, str]) -> MappedAttribute:
    keyword = name.removeprefix(IN_STEP)
    tag = tag_for_keyword(keyword)
    vr = standard_vr(tag) if tag is not None else None
    if tag is None or vr is None or VR[vr].kind not in {Kind.TEXT, Kind.SEQUENCE}:
        raise Hl7Error(f"{name!r} of the mapping is no attribute of an entry")
    sources = tuple(
        Source(None, text[1:]) if text.startswith("=") else Source(parse_place(text))
        for text in texts
    )
    return MappedAttribute(tag, vr, name != keyword or keyword in _OF_STEP, sources, values)


def _source_of(step: OrderedStep, attribute: MappedAttribute) -> Source | None:
    """Return the first source that has a text."""
    for source in attribute.sources:
        if source.place is None or step.text(source.place):
            return source
    return None


def _values(
    step: OrderedStep, attribute: MappedAttribute, spare: frozenset[Place]
) -> tuple[Any, ...]:
    """Return the values of an attribute; one at a ``spare`` place, not the first, may be unfit."""
    for source in attribute.sources:
        if source.place is None:
            return (source.text,)
        text = step.text(source.place)
        if not text:
            continue
        is_spare = source.place in spare and source != attribute.sources[0]
        if is_spare and fault_of(attribute.tag, attribute.vr, _one_value(text)):
            continue
        read = _read(step, attribute, source.place, text)
        if read:
            return (read,)
    return ()


def _read(step: OrderedStep, attribute: MappedAttribute, place: Place, text: str) -> Any:
    """Return the value of an attribute from its place; empty if the place says nothing for it."""
    match attribute.vr:
        case "PN":
            return _person_name(step, place)
        case "SQ":
            return _code(step, place, text)
        case "DA" | "TM":
            return _moment(attribute, place, text)
        case "UI":
            if not re.fullmatch(r"[0-9.]{1,64}", text):
                raise _wrong(place, text, "is no UID")
            return text
        case _:
            return _carried(attribute, place, attribute.values.get(text, text))


def _carried(attribute: MappedAttribute, place: Place, text: str) -> str:
    """Return a text as DICOM carries it; Hl7Error if it cannot, for a number or a code."""
    tag, vr = attribute.tag, attribute.vr
    if vr == "CS":
        text = text.upper()
        if not _CODE.fullmatch(text):
            words = f"is no {attribute_name(tag)} (CS): at most 16 capital letters, digits, _"
            raise _wrong(place, text, f"{words} and spaces")
    elif vr != "AE" and VR[vr].multiple:
        text = _one_value(text)
    if fault := fault_of(tag, vr, text):
        raise _wrong(place, text, fault)
    return text


def _one_value(text: str) -> str:
    """Return a text without backslashes, which would make several values of it (PS3.5 6.4)."""
    return text.replace("\\", "/")


def _person_name(step: OrderedStep, place: Place) -> str:
    """Return an XPN, or an XCN from its second component, as a PN with its component groups."""
    if place.subcomponent is not None:
        return _group(step, place, 0, is_of_field=False)
    groups = {"A": "", "I": "", "P": ""}
    for repetition in range(step.repetitions(place)):
        kind = step.text(_shifted(place, 7), repetition) if place.component == 1 else ""
        kind = kind if kind in groups else "A"
        groups[kind] = groups[kind] or _group(step, place, repetition, is_of_field=True)
    return "=".join(groups.values()).rstrip("=")


def _group(step: OrderedStep, place: Place, repetition: int, *, is_of_field: bool) -> str:
    # HL7 has the suffix before the prefix, DICOM after it (PS3.5 6.2.1).
    parts = [
        step.text(_shifted(place, offset, is_of_field=is_of_field), repetition)
        for offset in (0, 1, 2, 4, 3)
    ]
    kept = (_one_value(part).replace("^", " ").replace("=", " ").strip() for part in parts)
    return "^".join(kept).rstrip("^")


def _shifted(place: Place, offset: int, *, is_of_field: bool = True) -> Place:
    if is_of_field:
        return Place(place.segment, place.field, (place.component or 1) + offset)
    return Place(place.segment, place.field, place.component, (place.subcomponent or 1) + offset)


def _code(step: OrderedStep, place: Place, text: str) -> DataSet:
    """Return the item of a code: identifier, meaning, scheme (CE, CWE)."""
    text = _one_value(text)
    meaning, scheme = (_one_value(step.text(_shifted(place, offset))) for offset in (1, 2))
    return {
        _CODE_VALUE: Element("SH", (text,)),
        _CODING_SCHEME: Element("SH", (scheme or _LOCAL_SCHEME,)),
        _CODE_MEANING: Element("LO", (meaning or text,)),
    }


def _wrong(place: Place, text: str, words: str) -> Hl7Error:
    """Return the error of a value, which the sender may see and the log may not."""
    return Hl7Error(f"{place} {text[:70]!r} {words}", "102", logged=f"{place} {words}")


def _moment(attribute: MappedAttribute, place: Place, text: str) -> str:
    """Return the date or the time of a time stamp; a step's is in the time of this machine."""
    match = _TIME_STAMP.fullmatch(text)
    if match is None:
        name = attribute_name(attribute.tag)
        raise _wrong(place, text, f"is no {name}: write it as 202601051430")
    year, month, day, hour, minute, second, zone = match.groups()
    moment = f"{year}{month}{day}{hour or '00'}{minute or '00'}{second or '00'}"
    try:
        read = datetime.strptime(moment + (zone or "+0000"), "%Y%m%d%H%M%S%z")
    except ValueError:
        raise _wrong(place, text, "is no time that a calendar has") from None
    if zone and hour and attribute.tag in {_START_DATE, _START_TIME}:
        read = read.astimezone()
    if attribute.vr == "DA":
        return f"{read:%Y%m%d}"
    if not hour:
        return ""
    return f"{read:%H%M%S}" if second else f"{read:%H%M}"


_NUMBERS = tuple(
    map(parse_place, ("IPC-1.1", "OBR-18.1", "ORC-3.1", "OBR-3.1", "ORC-2.1", "OBR-2.1"))
)
_SENDER = tuple(map(parse_place, ("MSH-3.1", "MSH-4.1")))


def _made_uid(step: OrderedStep) -> str:
    """Return a UID of the first number that an order has, and its sender (PS3.5 B.2)."""
    number = next(filter(None, map(step.text, _NUMBERS)), "")
    if not number:
        raise Hl7Error("the order has no number: neither ORC-2, ORC-3, OBR-18 nor IPC-1", "101")
    name = "\0".join([*map(step.text, _SENDER), number])
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, name).int}"


def mapping_text(mapping: Hl7Mapping) -> str:
    """Return the table as the TOML file that ``read_mapping`` reads."""
    lines = ['# The first place that has a value counts; "=text" is a value itself.', "[places]"]
    for attribute in mapping.attributes:
        texts = [
            f"={each.text}" if each.place is None else str(each.place) for each in attribute.sources
        ]
        lines.append(f"{_name(attribute)} = {json.dumps(texts, ensure_ascii=False)}")
    for attribute in mapping.attributes:
        if attribute.values:
            lines += ["", f"[values.{_name(attribute)}]"]
            lines += [
                f"{json.dumps(key)} = {json.dumps(value)}"
                for key, value in attribute.values.items()
            ]
    return "\n".join([f"charset = {json.dumps(mapping.charset)}", "", *lines, ""])
