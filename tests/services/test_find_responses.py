"""The identifiers of responses: their elements and their character set (PS3.4 C.4.1.1.3.2)."""

from __future__ import annotations

import struct

import pytest

from dicomquest.dataset.encoder import encode
from dicomquest.index import Index
from dicomquest.query.options import QueryOptions
from dicomquest.standard.models import PATIENT_ROOT
from dicomquest.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from fixtures.building import data_set, text_of
from fixtures.find_service import ALL_STUDIES, LATIN_1, STUDIES, UTF_8, answers, ask

CHAIN = {
    "PatientID": "P2",
    "StudyInstanceUID": "1.2.2",
    "SeriesInstanceUID": "1.2.2.1",
    "SOPInstanceUID": "1.2.2.1.1",
}


@pytest.mark.requirement("QR-041", "QR-046", "QR-047", "QR-048", "QR-056")
@pytest.mark.parametrize(
    "syntax",
    [
        IMPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_BIG_ENDIAN,
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    ],
)
@pytest.mark.parametrize(
    ("level", "keys"),
    [
        ("PATIENT", {"PatientID": "P2"}),
        ("STUDY", {"PatientID": "P2", "StudyInstanceUID": ""}),
        ("SERIES", {"PatientID": "P2", "StudyInstanceUID": "1.2.2", "SeriesInstanceUID": ""}),
        (
            "IMAGE",
            {
                "PatientID": "P2",
                "StudyInstanceUID": "1.2.2",
                "SeriesInstanceUID": "1.2.2.1",
                "SOPInstanceUID": "",
            },
        ),
    ],
)
def test_response_has_syntax_level_chain_and_source(
    index: Index, syntax: str, level: str, keys: dict[str, str]
) -> None:
    """A response is in its context's syntax and has level, unique keys and source."""
    channel = ask(
        index, data_set(QueryRetrieveLevel=level, **keys), model=PATIENT_ROOT.uid, syntax=syntax
    )
    (answer,) = answers(channel, syntax)
    expected = {
        "QueryRetrieveLevel": level,
        "RetrieveAETitle": "ARCHIVE",
        **{key: CHAIN[key] for key in keys},
    }
    assert answer == data_set(**expected)


@pytest.mark.requirement("QR-055")
@pytest.mark.parametrize("charset", [(), UTF_8])
def test_elements_come_in_ascending_order_once(index: Index, charset: tuple[str, ...]) -> None:
    more = data_set(InstanceAvailability="", NumberOfStudyRelatedInstances="")
    channel = ask(index, ALL_STUDIES | more, charset=charset)
    for _, data in channel.pending:
        tags, offset = [], 0
        while offset < len(data):
            group, element, length = struct.unpack_from("<HHI", data, offset)
            tags.append((group, element))
            offset += 8 + length
        assert offset == len(data)
        assert tags == sorted(set(tags))
        assert len(tags) >= 7


@pytest.mark.requirement("QR-034", "QR-050", "QR-051")
def test_availability_is_said_where_it_is_asked_for(index: Index) -> None:
    asked = ask(index, ALL_STUDIES | data_set(InstanceAvailability="OFFLINE"))
    assert {text_of(answer, "InstanceAvailability") for answer in answers(asked)} == {"ONLINE"}
    assert len(asked.pending) == STUDIES
    assert {
        text_of(answer, "InstanceAvailability") for answer in answers(ask(index, ALL_STUDIES))
    } == {None}


@pytest.mark.requirement("QR-053", "QR-113")
@pytest.mark.parametrize("offset", ["+0100", "-0500", ""])
@pytest.mark.parametrize("accepted", [b"", b"\0\0\0\1"])
def test_times_are_returned_as_stored(index: Index, offset: str, accepted: bytes) -> None:
    """Times are returned as stored, and without an offset."""
    keys = {"StudyTime": "", "PatientID": "P2", "TimezoneOffsetFromUTC": offset}
    channel = ask(
        index, data_set(QueryRetrieveLevel="STUDY", StudyInstanceUID="", **keys), accepted=accepted
    )
    (answer,) = answers(channel)
    assert text_of(answer, "StudyTime") == "101500"
    assert text_of(answer, "TimezoneOffsetFromUTC") is None


@pytest.mark.requirement("QR-052", "QR-114")
@pytest.mark.parametrize(
    "syntax", [IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN]
)  # the fast path and the plain
@pytest.mark.parametrize(
    ("requested", "charsets"),
    [
        ((), {"P1": None, "P2": "ISO_IR 192", "P3": "ISO_IR 192"}),
        (LATIN_1, {"P1": None, "P2": "ISO_IR 100", "P3": "ISO_IR 192"}),
        (UTF_8, {"P1": None, "P2": "ISO_IR 192", "P3": "ISO_IR 192"}),
    ],
)
def test_response_uses_requests_charset_where_it_fits(
    index: Index, requested: tuple[str, ...], charsets: dict[str, str | None], syntax: str
) -> None:
    """A response is in the request's character set where that has its characters."""
    names = {"P1": "CITIZEN^Jan", "P2": "Müller^Jürgen", "P3": "山田^太郎"}
    found = answers(ask(index, ALL_STUDIES, charset=requested, syntax=syntax), syntax)
    assert {
        text_of(answer, "PatientID"): text_of(answer, "PatientName") for answer in found
    } == names
    assert {
        text_of(answer, "PatientID"): text_of(answer, "SpecificCharacterSet") for answer in found
    } == charsets


@pytest.mark.requirement("QR-114", "EN-033")
@pytest.mark.parametrize(
    ("default", "name", "found"),
    [
        (None, "M\u00fcller*".encode(), ["P2"]),
        (None, "M\u00fcller*".encode("latin-1"), ["P2"]),
        ("ISO_IR 100", "M\u00fcller*".encode("latin-1"), ["P2"]),
        ("ISO_IR 126", "M\u00fcller*".encode("latin-1"), []),  # the byte FC is a Greek letter there
        ("GB18030", "\u5c71\u7530*".encode("gb18030"), ["P3"]),
        ("ISO_IR 100", "\u5c71\u7530*".encode("gb18030"), []),
    ],
)
def test_undeclared_bytes_use_peers_charset(
    index: Index, default: str | None, name: bytes, found: list[str]
) -> None:
    """Bytes without a character set are read in the one configured for the peer."""
    channel = ask(index, _with_name(name), default_charset=default)
    assert [text_of(answer, "PatientID") for answer in answers(channel)] == found
    assert channel.statuses[-1] == 0x0000


def test_strict_refuses_bytes_outside_declared_set(index: Index) -> None:
    """Strict refuses bytes that the declared set does not have."""
    declared = struct.pack("<HHI", 0x0008, 0x0005, 10) + b"ISO_IR 192"
    identifier = declared + _with_name(b"M\xfcller")
    assert ask(index, identifier).statuses[-1] == 0x0000
    ((status, comment, offending),) = ask(
        index, identifier, options=QueryOptions(strict=True)
    ).finals
    assert (status, offending) == (0xA900, (0x00100010,))
    assert comment


def _with_name(name: bytes) -> bytes:
    """Build an identifier that asks for studies by the bytes of a name."""
    name += b" " * (len(name) % 2)
    before, after = (
        data_set(QueryRetrieveLevel="STUDY"),
        data_set(PatientID="", StudyInstanceUID=""),
    )
    element = struct.pack("<HHI", 0x0010, 0x0010, len(name)) + name
    return (
        encode(before, IMPLICIT_VR_LITTLE_ENDIAN, ())
        + element
        + encode(after, IMPLICIT_VR_LITTLE_ENDIAN, ())
    )
