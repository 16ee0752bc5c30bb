"""HL7 messages taken apart: places, escapes, character sets, orders in one message."""

from __future__ import annotations

import re

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.worklist.hl7_limits import LARGEST_MESSAGE
from dicomquest.worklist.hl7_message import (
    MOST_SEGMENTS,
    Hl7Error,
    Place,
    acknowledgement,
    parse_place,
    read_message,
)
from fixtures.orders import HEADER, IHE_ORDER, IMAGING_ORDER, message


def text_of(data: bytes, place: str, step: int = 0) -> str:
    return read_message(data).steps[step].text(parse_place(place))


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("PID-3", "P1"),
        ("PID-3.4", "EAST"),
        ("PID-5.2", "Jane"),
        ("PID-5.9", ""),
        ("OBR-34.1.2", "Tech"),
        ("OBR-34.2", ""),
        ("OBR-99", ""),
        ("NTE-1", ""),
        ("MSH-9.2", "O01"),
        ("ZDS-1.1", "1.2.840.1"),
    ],
)
def test_places_have_texts(place: str, text: str) -> None:
    assert text_of(IHE_ORDER, place) == text


@pytest.mark.parametrize("text", ["", "PID", "PID-0", "PID-3.0", "pid-3", "PID-3.1.1.1", "PID-٣"])
def test_other_places_are_refused(text: str) -> None:
    with pytest.raises(Hl7Error, match="no place"):
        parse_place(text)


def test_each_ipc_is_a_step() -> None:
    steps = read_message(IMAGING_ORDER).steps
    assert [step.text(Place("IPC", 4)) for step in steps] == ["S2A", "S2B"]


def test_each_obr_without_ipc_is_a_step() -> None:
    data = message(
        HEADER.format(kind="ORM^O01", number="1", version="2.5"),
        "PID|||P1", "ORC|NW|1", "OBR|1|1", "OBR|2|2", "ORC|CA|3", "ORC|NW|4", "OBR|1|4",
    )  # fmt: skip
    steps = read_message(data).steps
    assert [(step.text(Place("ORC", 1)), step.text(Place("OBR", 2))) for step in steps] == [
        ("NW", "1"),
        ("NW", "2"),
        ("CA", ""),
        ("NW", "4"),
    ]
    assert {step.text(Place("PID", 3)) for step in steps} == {"P1"}


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (r"a\T\b", "a&b"),
        (r"\F\\S\\R\\E\x", "|^~\\x"),
        (r"\X4142\c", "ABc"),
        (r"a\.br\b", "a b"),
        (r"a\.sp999999999\b", "a b"),
        (r"\H\a\N\ ", "a"),
        ('""', ""),
        ("a\\", "a\\"),
    ],
)
def test_escapes_are_replaced(raw: str, text: str) -> None:
    assert text_of(IHE_ORDER.replace(b"Doe", raw.encode()), "PID-5.1") == text


@pytest.mark.parametrize(
    ("charset", "codec", "name"),
    [
        ("8859/1", "latin-1", "Müller"),
        ("UNICODE UTF-8", "utf-8", "山田"),
        ("~ISO IR87", "iso2022_jp", "山田"),
        ("GB 18030-2000", "gb18030", "王"),
    ],
)
def test_character_sets_are_read(charset: str, codec: str, name: str) -> None:
    data = IHE_ORDER.replace(b"8859/1", charset.encode()).replace(b"Doe", name.encode(codec))
    assert text_of(data, "PID-5.1") == name


def test_unknown_bytes_are_no_guess() -> None:
    bare = IHE_ORDER.replace(b"||||||8859/1", b"").replace(b"Doe", "Müller".encode())
    with pytest.raises(Hl7Error, match="MSH-18 names no character set"):
        read_message(bare)
    assert read_message(bare, "utf-8").steps[0].text(Place("PID", 5, 1)) == "Müller"
    with pytest.raises(Hl7Error, match="KLINGON"):
        read_message(IHE_ORDER.replace(b"8859/1", b"KLINGON"))


@pytest.mark.parametrize(
    ("data", "is_rejected"),
    [
        (b"", True),
        (b"MSH", True),
        (b"MSH||||||", True),
        (b"MSH\r" + IHE_ORDER, True),
        (IHE_ORDER[3:], True),
        (IHE_ORDER.replace(b"ORM^O01", b"ADT^A01"), True),
        (IHE_ORDER.replace(b"|17|", b"||"), False),
        (IHE_ORDER.split(b"ORC")[0], False),
        (IHE_ORDER + b"NTE|1\r" * MOST_SEGMENTS, False),
        (IHE_ORDER + b"A" * LARGEST_MESSAGE, False),
    ],
)
def test_other_messages_are_refused(data: bytes, is_rejected: bool) -> None:
    with pytest.raises(Hl7Error) as caught:
        read_message(data)
    assert caught.value.is_rejected is is_rejected


def test_answer_names_the_message() -> None:
    answer = hl7.parse(acknowledgement(IHE_ORDER, "20260105", "1").decode())
    assert [str(answer["MSH"][0][field]) for field in (3, 5, 9)] == ["DICOMQUEST", "RIS", "ACK^O01"]
    assert [str(field) for field in answer["MSA"][0][1:]] == ["AA", "17"]


def test_answer_has_the_reason() -> None:
    error = Hl7Error("PID|3\r^ is wrong", "101")
    answer = hl7.parse(acknowledgement(IHE_ORDER, "20260105", "1", error).decode())
    assert str(answer["MSA"][0][1]) == "AE"
    assert str(answer["MSA"][0][3]) == r"PID\F\3 \S\ is wrong"
    assert str(answer["ERR"][0][3]).startswith("101^")


PIECES = st.sampled_from(
    [b"\r", b"|", b"^", b"&", b"~", b"\\", b"ORC|NW", b"OBR|", b"IPC|A^B", b"MSH"]
)


@given(
    st.lists(st.one_of(PIECES, st.binary(max_size=5)), max_size=30).map(b"".join),
    st.integers(0, len(IHE_ORDER)),
    st.integers(0, 40),
)
def test_any_bytes_are_read_or_refused(noise: bytes, start: int, cut: int) -> None:
    for data in (noise, IHE_ORDER[:start] + noise + IHE_ORDER[start + cut :]):
        try:
            steps = read_message(data).steps
        except Hl7Error as error:
            answer = acknowledgement(data, "2026", "1", error)
        else:
            answer = acknowledgement(data, "2026", "1")
            for step in steps:
                for place in ("PID-5.1", "OBR-34.1.2", "IPC-1.1", "ORC-7.4"):
                    step.text(parse_place(place), 1)
        assert re.match(rb"MSH\|\^~\\&\|.*\rMSA\|A[AER]\|", answer, re.DOTALL)
        hl7.parse(answer.decode())
