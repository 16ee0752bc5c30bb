"""HL7 v2 messages as the steps that they order (HL7 2.5.1 chapters 2 and 4, ORM^O01, OMI^O23)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import hl7

from dicomquest.errors import DicomquestError
from dicomquest.worklist.hl7_limits import LARGEST_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_SEGMENTS = 2_000
"""Segments of a message: an order of one procedure has ten."""

KINDS = frozenset({"ORM^O01", "OMI^O23"})
"""The messages that order imaging."""

# HL7 table 0211, with the names by which Python knows the sets.
_CODECS = {
    "ASCII": "ascii",
    **{f"8859/{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
    "ISO IR6": "ascii",
    "ISO IR14": "shift_jis",
    "ISO IR87": "iso2022_jp",
    "ISO IR159": "iso2022_jp_2",
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "BIG-5": "big5",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
}
_HEADER = re.compile(rb"MSH" + 5 * rb"([^\r\n])")
_PATH = re.compile(r"([A-Z][A-Z0-9]{2})-(\d{1,3})(?:\.(\d{1,2}))?(?:\.(\d{1,2}))?", re.ASCII)
_DELETED = '""'
# The library's own ``unescape`` repeats a character as often as a message says, and logs values.
_ESCAPE = re.compile(r"\\([^\\]*)\\")
_SPECIAL = {"F": "|", "S": "^", "T": "&", "R": "~", "E": "\\"}
_ESCAPED = str.maketrans({value: f"\\{name}\\" for name, value in _SPECIAL.items()})


class Hl7Error(DicomquestError, ValueError):
    """A message that cannot be taken.

    ``code`` is its code of HL7 table 0357; ``is_rejected`` says that it is of a kind that nobody
    here takes (AR), not of wrong content (AE). ``logged`` is the message without the values of the
    patient, for the log.
    """

    def __init__(
        self, text: str, code: str = "207", *, is_rejected: bool = False, logged: str = ""
    ) -> None:
        super().__init__(text)
        self.code = code
        self.is_rejected = is_rejected
        self.logged = logged or text


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a message: ``PID-3.4.2`` is a segment, a field, a component, a subcomponent."""

    segment: str
    field: int
    component: int | None = None
    subcomponent: int | None = None

    def __str__(self) -> str:
        parts = (self.component, self.subcomponent)
        return f"{self.segment}-{self.field}" + "".join(f".{part}" for part in parts if part)


def parse_place(text: str) -> Place:
    """Read a place; Hl7Error if the text is none."""
    match = _PATH.fullmatch(text)
    if match is None:
        raise Hl7Error(f"{text!r} is no place in a message; write one such as OBR-4.2")
    segment, *numbers = match.groups()
    field, component, subcomponent = (None if each is None else int(each) for each in numbers)
    if not field or component == 0 or subcomponent == 0:
        raise Hl7Error(f"{text!r} is no place in a message: fields are counted from 1")
    return Place(segment, field, component, subcomponent)


@dataclass(frozen=True, slots=True)
class OrderedStep:
    """One step of a message: the segments that are about it, the first of each name."""

    segments: Mapping[str, hl7.Segment]

    def text(self, place: Place, repetition: int = 0) -> str:
        """Return the text at a place, without escapes; empty if there is none."""
        found: object = self.segments.get(place.segment)
        indices = (place.field, repetition, (place.component or 1) - 1)
        for index in (*indices, (place.subcomponent or 1) - 1):
            if isinstance(found, str) or found is None:
                # A part without separators is a text, which is its own first part.
                found = found if index == 0 else None
                continue
            found = found[index] if index < len(found) else None  # type: ignore[index, arg-type]
        while isinstance(found, hl7.Container):
            found = found[0] if found else None
        text = "" if found is None else str(found)
        return "" if text == _DELETED else _unescaped(text).strip()

    def repetitions(self, place: Place) -> int:
        """Return the number of repetitions of the field of a place."""
        segment = self.segments.get(place.segment)
        if segment is None or place.field >= len(segment):
            return 0
        field = segment[place.field]
        return 1 if isinstance(field, str) else len(field)


@dataclass(frozen=True, slots=True)
class OrderMessage:
    """A message with its header: ``kind`` is ``ORM^O01`` or ``OMI^O23``."""

    kind: str
    control_id: str
    steps: tuple[OrderedStep, ...]


def read_message(data: bytes, default_charset: str = "ascii") -> OrderMessage:
    """Return a message; Hl7Error says why it cannot be taken.

    ``default_charset`` is the codec of messages whose MSH-18 is empty.
    """
    message = _parsed(data, default_charset)
    header = OrderedStep({"MSH": message[0]})
    kind = "^".join(header.text(Place("MSH", 9, part)) for part in (1, 2))
    if kind not in KINDS:
        raise Hl7Error(
            f"the message is {kind}; a worklist takes {' and '.join(sorted(KINDS))}",
            "200",
            is_rejected=True,
        )
    control_id = header.text(Place("MSH", 10))
    if not control_id:
        raise Hl7Error("MSH-10 has no message control ID: give each message one", "101")
    steps = tuple(_steps(message))
    if not steps:
        raise Hl7Error("the message orders nothing: it has no ORC", "100")
    return OrderMessage(kind, control_id, steps)


def acknowledgement(data: bytes, now: str, number: str, error: Hl7Error | None = None) -> bytes:
    """Return the answer to a message: AA, or AE or AR with the reason of an error (2.9.2).

    ``now`` is the time as HL7 writes it, ``number`` the answer's own control ID.
    """
    fields = _header_fields(data)
    code = "AA" if error is None else "AR" if error.is_rejected else "AE"
    event = fields["event"]
    header = [
        "MSH", r"^~\&", fields["to"], fields["to_facility"], fields["from"],
        fields["from_facility"], now, "", f"ACK^{event}" if event else "ACK", number,
        fields["processing"] or "P", fields["version"] or "2.5.1", *[""] * 5, "UNICODE UTF-8",
    ]  # fmt: skip
    lines = ["|".join(header), "|".join(["MSA", code, fields["control_id"]])]
    if error is not None:
        text = _escaped(str(error))
        lines[-1] += f"|{text}"
        lines.append(f"ERR|||{error.code}^{_CODES[error.code]}^HL70357|E||||{text}")
    return "".join(f"{line}\r" for line in lines).encode()


def control_id_of(data: bytes) -> str:
    """Return MSH-10 of a message, whatever else is wrong in it; empty if it cannot be read."""
    return _header_fields(data)["control_id"]


_CODES = {
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "200": "Unsupported message type",
    "207": "Application internal error",
}


def _parsed(data: bytes, default_charset: str) -> hl7.Message:
    if len(data) > LARGEST_MESSAGE:
        raise Hl7Error(f"{len(data):,} bytes are no order: at most {LARGEST_MESSAGE:,}")
    data = re.sub(rb"\r?\n", b"\r", data).strip(b"\r\x0b\x1c \t")
    header = _HEADER.match(data)
    if header is None or len(set(header.groups())) != len(header.groups()):
        raise Hl7Error("this is no HL7 v2 message: it begins with no MSH", "100", is_rejected=True)
    if data.count(b"\r") >= MOST_SEGMENTS:
        raise Hl7Error(f"more than {MOST_SEGMENTS:,} segments are no order")
    separator = header[1]
    fields = data.split(b"\r", 1)[0].split(separator)
    charsets = fields[17].split(header[3]) if len(fields) > 17 else []
    names = [each.decode("ascii", "replace").strip() for each in charsets]
    text = _decoded(data, names, default_charset)
    try:
        return hl7.parse(text)
    except (hl7.HL7Exception, LookupError, TypeError, ValueError) as error:
        logged = f"the message cannot be read: {type(error).__name__}"
        raise Hl7Error(f"the message cannot be read: {error}", "100", logged=logged) from error


def _decoded(data: bytes, charsets: list[str], default: str) -> str:
    names = [name for name in charsets if name]
    # Later repetitions name the sets that escape sequences turn on; Python's codec of the
    # Japanese ones has them all.
    name = names[-1] if names else ""
    codec = _CODECS.get(name, default if not name else "")
    if not codec:
        raise Hl7Error(f"MSH-18 names the character set {name!r}, which nobody here reads", "102")
    try:
        return data.decode(codec)
    except UnicodeDecodeError as error:
        told = f"MSH-18 says {name}" if name else "MSH-18 names no character set"
        raise Hl7Error(
            f"byte {error.start:,} is no {codec}: {told}; name the set of the message",
            "102",
        ) from error


def _steps(message: hl7.Message) -> Iterator[OrderedStep]:
    """Yield the steps: one an IPC, or one an OBR that has none; a cancelled order needs no OBR."""
    common: dict[str, hl7.Segment] = {}
    orders: list[list[hl7.Segment]] = []
    studies = [segment for segment in message if str(segment[0]) == "ZDS"]
    for segment in message:
        name = str(segment[0])
        if name == "ORC":
            orders.append([segment])
        elif orders:
            orders[-1].append(segment)
        else:
            common.setdefault(name, segment)
    if len(studies) == 1:
        common["ZDS"] = studies[0]
    for order in orders:
        yield from _steps_of_order(common, order)


def _steps_of_order(
    common: dict[str, hl7.Segment], order: list[hl7.Segment]
) -> Iterator[OrderedStep]:
    shared = dict(common)
    waiting: dict[str, hl7.Segment] = {}
    has_step = False
    for segment in order:
        name = str(segment[0])
        if name == "OBR" and "OBR" in waiting:
            if not has_step:
                yield OrderedStep(shared | waiting)
            waiting = {key: value for key, value in waiting.items() if key in {"ORC", "TQ1"}}
            has_step = False
        if name == "IPC":
            has_step = True
            yield OrderedStep(shared | waiting | {name: segment})
            continue
        waiting.setdefault(name, segment)
    if not has_step:
        yield OrderedStep(shared | waiting)


def _unescaped(text: str) -> str:
    """Replace the escape sequences (2.7); those that mean nothing here go."""
    return _ESCAPE.sub(lambda match: _escape_value(match[1]), text) if "\\" in text else text


def _escape_value(name: str) -> str:
    if name in _SPECIAL:
        return _SPECIAL[name]
    if name.startswith("X") and re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", name[1:]):
        return bytes.fromhex(name[1:]).decode("latin-1")
    return " " if name.startswith((".br", ".sp", ".ce", ".sk")) else ""


def _escaped(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f]", " ", text.translate(_ESCAPED))


def _header_fields(data: bytes) -> dict[str, str]:
    """Return the fields of a header that an answer repeats, whatever else is wrong in it."""
    header = _HEADER.match(data[:4096].lstrip(b"\r\n\x0b \t"))
    names = ("from", "from_facility", "to", "to_facility")
    found = dict.fromkeys((*names, "event", "control_id", "processing", "version"), "")
    if header is None:
        return found
    first = re.split(rb"[\r\n]", data.lstrip(b"\r\n\x0b \t")[:4096], maxsplit=1)[0]
    fields = [each.decode("ascii", "replace") for each in first.split(header[1])]
    fields += [""] * (12 - len(fields))
    found |= dict(zip(names, fields[2:6], strict=True))
    event = fields[8].split(header[2].decode("ascii", "replace"))
    found["event"] = event[1] if len(event) > 1 else ""
    found |= {"control_id": fields[9], "processing": fields[10], "version": fields[11]}
    return {name: re.sub(r"[\x00-\x1f\x7f|]", "", text)[:199] for name, text in found.items()}
