"""The quick ways of an answer against the plain one: decoded, sifted, merged, encoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomquest.dataset.charset import choose
from dicomquest.dataset.codec import Remarks, decode
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.dataset.encoder import encode
from dicomquest.errors import DataSetError
from dicomquest.federation.answer_encoder import encode_merged, encode_responses
from dicomquest.federation.answer_shape import shape_of
from dicomquest.federation.asked_query import AskedQuery, asked
from dicomquest.federation.merged_answer import Merged, Part, merged
from dicomquest.federation.row_reader import RowPart, RowReader, reader_of
from dicomquest.federation.sieve import Sieve
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.options import QueryOptions
from dicomquest.query.visibility import parse_visible
from dicomquest.standard.models import PATIENT_ROOT, STUDY_ROOT
from dicomquest.standard.tags import QUERY_RETRIEVE_LEVEL, SPECIFIC_CHARACTER_SET
from dicomquest.standard.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from fixtures.building import data_set

OPTIONS = QueryOptions(relational=True, empty_value=True)
TITLES = ("UPSTREAM",)

KEYS = {
    "StudyDate": "", "StudyTime": "", "AccessionNumber": "", "ReferringPhysicianName": "",
    "ModalitiesInStudy": "", "PatientName": "", "PatientID": "", "StudyInstanceUID": "",
    "NumberOfStudyRelatedInstances": "",
}  # fmt: skip
VRS = {
    0x00080005: "CS", 0x00080020: "DA", 0x00080030: "TM", 0x00080050: "SH", 0x00080052: "CS",
    0x00080054: "AE", 0x00080056: "CS", 0x00080061: "CS", 0x00080090: "PN", 0x00081030: "LO",
    0x00100010: "PN", 0x00100020: "LO", 0x00100021: "LO", 0x0020000D: "UI", 0x00201208: "IS",
}  # fmt: skip

QUESTIONS = [
    ({}, STUDY_ROOT, "STUDY"),
    ({"PatientName": "A*"}, STUDY_ROOT, "STUDY"),
    ({"StudyDate": "2020-", "StudyTime": "1000-"}, STUDY_ROOT, "STUDY"),
    ({"ModalitiesInStudy": "CT", "StudyDescription": ""}, STUDY_ROOT, "STUDY"),
    ({"AccessionNumber": '""', "InstanceAvailability": ""}, STUDY_ROOT, "STUDY"),
    ({"PatientID": "1*", "IssuerOfPatientID": ""}, PATIENT_ROOT, "PATIENT"),
]


def question(number: int, visible: Sequence[str]) -> AskedQuery:
    keys, model, level = QUESTIONS[number]
    keys = {key: value.replace("2020-", "20200101-") for key, value in keys.items()}
    own = KEYS if level == "STUDY" else {"PatientName": "", "PatientID": ""}
    identifier = data_set(QueryRetrieveLevel=level, **{**own, **keys})
    query = parse_identifier(identifier, model.uid, OPTIONS)
    return asked(identifier, query, parse_visible(visible))


LETTERS = "AB1 .\\^=-\0\x1b\xa0üж全"
TEXTS = {
    "UI": st.text("12.\\\0 ", max_size=8) | st.just("1.2.3"),
    "DA": st.sampled_from(["", "20200102", "20191231", "2020.01.02", " 20200102"]),
    "TM": st.sampled_from(["", "101112", "0959", "10", "101112.5 "]),
    "IS": st.sampled_from(["", "1", "07", "12 ", "-3", "x", "1\\2"]),
    "CS": st.sampled_from(["", "CT", "CT\\MR", "MR ", "CT \\MR", "ONLINE", "STUDY", "PATIENT"]),
    "AE": st.sampled_from(["", "OTHER", "ONE\\TWO", "ONE\\ONE", " LEFT"]),
}


@st.composite
def answers(draw: st.DrawFn, level: str) -> dict[int, str]:
    """The texts of one answer, most of them usual."""
    tags = sorted(VRS)
    if draw(st.booleans()):
        tags = [tag for tag in tags if draw(st.integers(0, 9))]
    found: dict[int, str] = {}
    for tag in tags:
        if tag == SPECIFIC_CHARACTER_SET:
            charset = draw(st.sampled_from(["", "ISO_IR 192", "ISO_IR 100", "ISO_IR 13"]))
            if charset:
                found[tag] = charset
        elif tag == QUERY_RETRIEVE_LEVEL:
            found[tag] = draw(st.sampled_from([level, level, level, "SERIES"]))
        else:
            plain = st.sampled_from(["", "A", "AB", "A^B", "1", "11"])
            odd = TEXTS.get(VRS[tag], st.text(LETTERS, max_size=6))
            usual = odd if VRS[tag] in TEXTS else plain
            found[tag] = draw(odd if draw(st.integers(0, 9)) == 0 else usual)
    return found


def in_bytes(answer: dict[int, str], syntax: str, *, is_odd: bool) -> bytes:
    """The answer as an archive writes it, with spaces and all."""
    data = b""
    codec = {"ISO_IR 100": "latin-1", "ISO_IR 13": "shift_jis"}.get(
        answer.get(SPECIFIC_CHARACTER_SET, ""), "utf-8"
    )
    for tag, text in answer.items():
        value = text.encode(codec, "replace")
        if len(value) % 2 and not is_odd:
            value += b"\0" if VRS[tag] == "UI" else b" "
        data += tag.to_bytes(4, "big")[1::-1] + tag.to_bytes(4, "big")[:1:-1]
        if syntax == EXPLICIT_VR_LITTLE_ENDIAN:
            data += VRS[tag].encode() + len(value).to_bytes(2, "little")
        else:
            data += len(value).to_bytes(4, "little")
        data += value
    return data


@settings(deadline=None)
@given(st.data())
def test_rows_come_to_what_data_sets_come_to(data: st.DataObject) -> None:
    """Each answer goes out as by the plain way, and is left out where that leaves it out."""
    number = data.draw(st.integers(0, len(QUESTIONS) - 1))
    visible = data.draw(st.sampled_from([(), ("StudyDate=20200101-",), ("PatientName=A*",)]))
    asking = question(number, visible)
    level = asking.query.level.name
    issuer = data.draw(st.sampled_from(["", "HOSPITAL"]))
    syntax = data.draw(st.sampled_from([EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN]))
    to = data.draw(st.sampled_from([EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN]))
    requested = data.draw(st.sampled_from([(), ("ISO_IR 192",), ("ISO_IR 100",)]))
    plain, quick = Sieve(asking.query, OPTIONS, issuer), Sieve(asking.query, OPTIONS, issuer)
    readers: list[RowReader] = []
    for _ in range(4):
        raw = in_bytes(data.draw(answers(level)), syntax, is_odd=data.draw(st.integers(0, 19)) == 0)
        expected = by_plain_way(raw, syntax, asking, plain)
        for reader in readers:
            before = (quick.dropped, quick.without_key)
            taken = reader.take(raw, 0)
            if taken is False:
                assert (quick.dropped, quick.without_key) == before
                continue
            if taken is True:
                assert expected is None
                continue
            assert expected is not None
            identity, part = taken
            answer, response = expected
            assert identity == plain.identity(answer)
            assert part.part == Part(0, decoded(answer), TITLES)
            assert part.response == response.response
            assert part.lacks == response.lacks
            assert encode_responses([part], to, requested) == encode_merged(
                [response.response], to, requested
            )
        learn(raw, syntax, asking, quick, readers)


def decoded(answer: DataSet) -> DataSet:
    return {tag: Element(vr, tuple(values)) for tag, (vr, values) in answer.items()}


def by_plain_way(
    raw: bytes, syntax: str, asking: AskedQuery, sieve: Sieve
) -> tuple[DataSet, Merged] | None:
    try:
        taken = sieve.take(decode(raw, syntax))
    except DataSetError:
        return None
    if taken is None:
        return None
    return taken, merged([Part(0, taken, TITLES)], asking.query)


def learn(
    raw: bytes, syntax: str, asking: AskedQuery, sieve: Sieve, readers: list[RowReader]
) -> None:
    remarks = Remarks()
    try:
        answer = decode(raw, syntax, remarks=remarks)
    except DataSetError:
        return
    shape = shape_of(answer, remarks, syntax)
    reader = reader_of(shape, asking.query, sieve, TITLES) if shape is not None else None
    if reader is not None:
        readers.append(reader)


@pytest.mark.parametrize("name", ["DOE^JANE", "ÜBER^ÄNNE", "ЖУК"])
def test_usual_answer_goes_on_as_it_came(name: str) -> None:
    """The quickest way is taken at all: the bytes of a usual answer are those of its response."""
    asking = question(0, ())
    returned = {**KEYS, "PatientName": name, "PatientID": "7", "StudyInstanceUID": "1.2.3"}
    answer = data_set(
        QueryRetrieveLevel="STUDY", RetrieveAETitle="UPSTREAM", ModalitiesInStudy=["CT", "MR"],
        **{key: value for key, value in returned.items() if key != "ModalitiesInStudy"},
    )  # fmt: skip
    raw = encode(answer, EXPLICIT_VR_LITTLE_ENDIAN, choose(answer))
    readers: list[RowReader] = []
    learn(raw, EXPLICIT_VR_LITTLE_ENDIAN, asking, Sieve(asking.query, OPTIONS), readers)
    taken = readers[0].take(raw, 0)
    assert isinstance(taken, tuple)
    identity, part = taken
    assert identity == b"1.2.3"
    assert isinstance(part, RowPart)
    assert part.data is raw
    [sent] = encode_responses([part], EXPLICIT_VR_LITTLE_ENDIAN, ())
    assert sent is raw
    [other] = encode_responses([part], IMPLICIT_VR_LITTLE_ENDIAN, ())
    assert decode(other, IMPLICIT_VR_LITTLE_ENDIAN) == decode(raw, EXPLICIT_VR_LITTLE_ENDIAN)


def test_keys_of_items_take_the_plain_way() -> None:
    asking = question(0, ())
    sequence = {"ProcedureCodeSequence": [data_set(CodeValue="")]}
    identifier = {**asking.identifier, **data_set(**sequence)}
    query = parse_identifier(identifier, STUDY_ROOT.uid, OPTIONS)
    readers: list[RowReader] = []
    answer = data_set(QueryRetrieveLevel="STUDY", RetrieveAETitle="X", StudyInstanceUID="1.2")
    raw = encode(answer, EXPLICIT_VR_LITTLE_ENDIAN, ())
    of_items = replace(asking, query=query)
    learn(raw, EXPLICIT_VR_LITTLE_ENDIAN, of_items, Sieve(query, OPTIONS), readers)
    assert readers == []
