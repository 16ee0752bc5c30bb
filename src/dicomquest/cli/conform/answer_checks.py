"""Checks of levels and of the identifiers of answers (PS3.4 C.4.1.1.3.2, C.6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from dicomquest.cli.conform.judging import room_of
from dicomquest.cli.conform.outcome import Verdict, failed, not_decided, passed
from dicomquest.cli.conform.questioner import values_of
from dicomquest.standard.keys import KEYS_BY_KEYWORD, UNIQUE_KEYS, KeyType, key_type
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from dicomquest.cli.conform.holdings import Holdings, Room
    from dicomquest.cli.conform.questioner import Asks
    from dicomquest.standard.models import InformationModel

Judge = Callable[["Asks", "Holdings"], Verdict]

NOT_ASKED_FOR = frozenset({
    "SpecificCharacterSet", "QueryRetrieveLevel", "RetrieveAETitle", "StorageMediaFileSetID",
    "StorageMediaFileSetUID", "InstanceAvailability", "TimezoneOffsetFromUTC",
    "QueryRetrieveView", "RetrieveURI", "RetrieveURL",
})  # fmt: skip
"""Attributes that an answer may have without being asked for (PS3.4 C.4.1.1.3.2)."""


def model(wanted: InformationModel) -> Judge:
    """Return the check that the peer accepts an information model."""

    def judge(_: Asks, held: Holdings) -> Verdict:
        if wanted in held.models:
            return passed("accepted")
        return not_decided("not accepted; an SCP chooses the models that it supports")

    return judge


def level(wanted: Level) -> Judge:
    """Return the check that a level without conditions is answered, and with Success."""

    def judge(_: Asks, held: Holdings) -> Verdict:
        room = held.rooms.get(wanted)
        if room is None:
            return not_decided(f"no way to a {wanted.entity}: nothing is known above it")
        reply = room.reply
        if reply.status is None or reply.is_refused:
            return failed(f"{room.model.words}, {wanted.name}: {reply.end()}")
        if not room.entities:
            return not_decided("no answers")
        more = ", then cancelled" if reply.is_cut else ""
        return passed(f"{len(reply.answers)} answers{more}")

    return judge


def one_answer(wanted: Level) -> Judge:
    """Return the check that no entity of a level is answered twice."""

    def judge(_: Asks, held: Holdings) -> Verdict:
        room = room_of(held, wanted)
        if isinstance(room, Verdict):
            return room
        issuer = ("IssuerOfPatientID",) if wanted is Level.PATIENT else ()
        repeated = room.reply.repeated(room.unique, *issuer)
        total = len(room.reply.answers)
        if repeated:
            return failed(f"{repeated} of {total} answers repeat a {wanted.entity}")
        if total == 1:
            return not_decided(f"one {wanted.entity} only")
        return passed(f"{total} answers, each another {wanted.entity}")

    return judge


def of_each_answer(complaint: Callable[[Room, Dataset, int], Iterator[str]]) -> Judge:
    """Return the check that there is no complaint about any answer of the four levels."""

    def judge(_: Asks, held: Holdings) -> Verdict:
        complaints: Counter[str] = Counter()
        total = 0
        for room in held.rooms.values():
            reply = room.reply
            total += len(reply.answers)
            if reply.unreadable:
                continue
            for answer, status in zip(reply.answers, reply.pending, strict=True):
                complaints.update(
                    f"{room.level.name}: {words}" for words in complaint(room, answer, status)
                )
        if complaints:
            return failed(
                "; ".join(f"{words} ({count} answers)" for words, count in complaints.items())
            )
        return passed(f"{total} answers") if total else not_decided("the peer gave no answers")

    return judge


def unique_key(room: Room, answer: Dataset, _: int) -> Iterator[str]:
    """Complain of an answer without the unique key of its level."""
    if not values_of(answer, room.unique):
        yield f"{room.unique} is missing or empty"


def upper_keys(room: Room, answer: Dataset, _: int) -> Iterator[str]:
    """Complain of an answer without the unique keys that the question had for upper levels."""
    for keyword, value in room.above.items():
        found = values_of(answer, keyword)
        if found != (value,):
            yield f"{keyword} is missing" if not found else f"{keyword} has another value"


def level_returned(room: Room, answer: Dataset, _: int) -> Iterator[str]:
    """Complain of an answer without the level of the question."""
    if values_of(answer, "QueryRetrieveLevel") != (room.level.name,):
        yield "QueryRetrieveLevel is missing or another"


def location(_: Room, answer: Dataset, __: int) -> Iterator[str]:
    """Complain of an answer that does not say where its instances are."""
    if not (values_of(answer, "RetrieveAETitle") or values_of(answer, "StorageMediaFileSetID")):
        yield "neither RetrieveAETitle nor StorageMediaFileSetID"


def required_keys(room: Room, answer: Dataset, _: int) -> Iterator[str]:
    """Complain of an answer that lacks a required key of the question, even an empty one."""
    for keyword in room.keys:
        if is_required(keyword, room) and keyword not in answer:
            yield f"{keyword} is absent"


def optional_keys(room: Room, answer: Dataset, status: int) -> Iterator[str]:
    """Complain of an answer with FF00 that lacks an optional key of the question."""
    if status != 0xFF01:
        for keyword in room.keys:
            if not is_required(keyword, room) and keyword not in answer:
                yield f"{keyword} is absent, and the status is not FF01"


def nothing_else(room: Room, answer: Dataset, _: int) -> Iterator[str]:
    """Complain of attributes that the question did not have."""
    allowed = {
        *NOT_ASKED_FOR, *room.keys, *room.above, *(key.keyword for key in UNIQUE_KEYS.values())
    }  # fmt: skip
    for element in answer:
        if element.keyword and element.keyword not in allowed:
            yield f"{element.keyword} was not asked for"


def readable_text(_: Room, answer: Dataset, __: int) -> Iterator[str]:
    """Complain of text that is not in the character set of its answer (PS3.5 6.1)."""
    for element in answer:
        text = str(element.value)
        if any(each == "\ufffd" or "\udc80" <= each <= "\udcff" for each in text):
            charset = "\\".join(values_of(answer, "SpecificCharacterSet")) or "none named"
            yield f"{element.keyword} is not in the character set ({charset})"


def pending_status(_: Asks, held: Holdings) -> Verdict:
    """Judge the statuses of the answers: FF00 or FF01, each with an identifier."""
    replies = [room.reply for room in held.rooms.values()]
    if unreadable := sum(reply.unreadable for reply in replies):
        return failed(f"{unreadable} answers without an identifier that can be read")
    statuses = Counter(status for reply in replies for status in reply.pending)
    if not statuses:
        return not_decided("the peer gave no answers")
    return passed(", ".join(f"{status:04X}: {count}" for status, count in statuses.items()))


def is_required(keyword: str, room: Room) -> bool:
    """Tell whether a key is unique or required at the level of a room."""
    row = KEYS_BY_KEYWORD.get(keyword)
    return row is not None and key_type(row.tag, room.model) is not KeyType.OPTIONAL
