"""Multipart messages in pieces of any length (RFC 2046 5.1.1)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dicomquest.web.store_parts import (
    LONGEST_HEADERS,
    LONGEST_PREAMBLE,
    MultipartError,
    MultipartReader,
    PartBegan,
    PartData,
    PartEnded,
)

HEADERS = b"Content-Type: application/dicom\r\n\r\n"


def parts_of(message: bytes, cuts: list[int] | None = None, boundary: str = "b") -> list[bytes]:
    """The contents of the whole parts of a message that arrives in pieces."""
    reader = MultipartReader(boundary)
    found: list[bytes] = []
    content: list[bytes] | None = None
    places = [0, *sorted(min(cut, len(message)) for cut in cuts or ()), len(message)]
    for start, end in pairwise(places):
        for event in reader.feed(message[start:end]):
            match event:
                case PartBegan():
                    assert content is None
                    content = []
                case PartData(data):
                    assert content is not None
                    assert data
                    content.append(data)
                case PartEnded():
                    assert content is not None
                    found.append(b"".join(content))
                    content = None
    assert reader.is_closed == (content is None and message.count(b"--b--") > 0)
    return found


def message_of(parts: list[bytes], headers: bytes = HEADERS, line: bytes = b"\r\n") -> bytes:
    body = b"".join(b"--b" + line + headers + part + line for part in parts)
    return body + b"--b--"


NEARLY = st.lists(
    st.sampled_from([b"\r", b"\n", b"-", b"--", b"--b", b"\r\n--", b"\r\n--bx", b"x", b"\0"]),
    max_size=8,
).map(b"".join)
CONTENT = NEARLY.filter(
    lambda each: all(
        end not in b"\r\n" + each + b"\r\n" for end in (b"\r\n--b\r", b"\r\n--b\n", b"\r\n--b--")
    )
)


@pytest.mark.requirement("WS-026")
@given(st.lists(CONTENT, max_size=4), st.lists(st.integers(0, 400), max_size=30))
@example([b"", b"a"], list(range(100)))
@example([b"\r\n--bx"], list(range(100)))
def test_any_pieces_give_the_same_parts(parts: list[bytes], cuts: list[int]) -> None:
    assert parts_of(message_of(parts), cuts) == parts


@pytest.mark.requirement("WS-026")
@given(st.lists(CONTENT, min_size=1, max_size=4))
def test_single_bytes_give_the_same_parts(parts: list[bytes]) -> None:
    message = message_of(parts)
    assert parts_of(message, list(range(len(message)))) == parts


@pytest.mark.requirement("WS-027")
@pytest.mark.parametrize(
    "message",
    [
        b"\r\n" + message_of([b"one", b"two"]),
        b"a preamble\r\nof lines --b\r\n" + message_of([b"one", b"two"]),
        message_of([b"one", b"two"]) + b"\r\nan epilogue\r\n--b\r\n\r\nno part",
        message_of([b"one", b"two"]) + b"\0\0\0\0",
        message_of([b"one", b"two"]).replace(b"--b\r\n", b"--b \t\r\n"),
        message_of([b"one", b"two"], headers=b"\r\n"),
        message_of([b"one", b"two"], headers=HEADERS.replace(b"\r\n", b"\n"), line=b"\n"),
        message_of([b"one", b"two"], headers=HEADERS.replace(b"\r\n", b"\n")),
    ],
    ids=["CRLF", "preamble", "epilogue", "NUL", "padding", "no headers", "LF", "LF in headers"],
)
def test_what_clients_write_is_tolerated(message: bytes) -> None:
    assert parts_of(message) == [b"one", b"two"]
    assert parts_of(message, list(range(len(message)))) == [b"one", b"two"]


def test_content_of_lines_keeps_its_returns() -> None:
    r"""In a message whose lines end with LF, a \r before a delimiter is content."""
    message = b"--b\nA: b\n\none\r\n--b--"
    assert parts_of(message) == [b"one\r"]


def test_empty_parts_are_parts() -> None:
    assert parts_of(b"--b\r\nA: b\r\n\r\n--b\r\n\r\n\r\n--b--") == [b"", b""]


@pytest.mark.requirement("WS-027")
@pytest.mark.parametrize("message", [b"", b"no part", b"--b\r\nA: b", message_of([b"x"])[:-2]])
def test_a_message_without_end_is_not_closed(message: bytes) -> None:
    reader = MultipartReader("b")
    list(reader.feed(message))
    assert not reader.is_closed


@pytest.mark.parametrize(
    "message", [b"x" * (LONGEST_PREAMBLE + 9), b"--b\r\nA: " + b"x" * LONGEST_HEADERS]
)
def test_endless_headers_are_an_error(message: bytes) -> None:
    with pytest.raises(MultipartError, match=r"65536|8192"):
        parts_of(message, list(range(0, len(message), 1000)))


@pytest.mark.parametrize("boundary", ["", "x" * 71, "a\nb", "ends with ", "ä"])
def test_wrong_boundaries_are_an_error(boundary: str) -> None:
    with pytest.raises(MultipartError):
        MultipartReader(boundary)


def test_memory_is_that_of_a_piece() -> None:
    reader = MultipartReader("b")
    list(reader.feed(b"--b\r\n\r\n"))
    for _ in range(100):
        (event,) = reader.feed(b"\r\n--" * 10_000)
        assert isinstance(event, PartData)
        assert len(reader._bytes) < 10
