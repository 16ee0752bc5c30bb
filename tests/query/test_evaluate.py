from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.query.criteria import Step
from dicomquest.query.evaluate import find_element, matches_data_set, shifted
from dicomquest.query.options import QueryOptions
from dicomquest.query.reference import find
from fixtures.building import data_set, instance, matched, query, tag_of, text_of

ONE_REQUEST = [
    data_set(ScheduledProcedureStepID="SPS1", RequestedProcedureID="RP1", RequestingPhysician="Doe")
]
CORPUS = [
    instance(
        1,
        RequestAttributesSequence=[
            *ONE_REQUEST,
            data_set(ScheduledProcedureStepID="SPS2", RequestedProcedureID="RP1"),
        ],
    ),
    instance(
        2,
        series=2,
        RequestAttributesSequence=[
            data_set(ScheduledProcedureStepID="SPS2", RequestedProcedureID="RP1")
        ],
    ),
    instance(
        3,
        series=3,
        RequestAttributesSequence=[
            data_set(ScheduledProcedureStepID="SPS1", RequestedProcedureID="RP1"),
            data_set(ScheduledProcedureStepID="SPS2", RequestedProcedureID="RP2"),
        ],
    ),
    instance(4, series=4),
]


def requests(item: DataSet | None) -> dict[str, list[dict[str, str | None]]]:
    """The items returned for one item asked for, by series."""
    keywords = ("ScheduledProcedureStepID", "RequestedProcedureID", "RequestingPhysician")
    asked = query(
        "SERIES",
        StudyInstanceUID="1.2.1",
        RequestAttributesSequence=[item] if item is not None else [],
    )
    return {
        str(text_of(answer, "SeriesInstanceUID")): [
            {
                keyword: text_of(each, keyword)
                for keyword in keywords
                if text_of(each, keyword) is not None
            }
            for each in answer[tag_of("RequestAttributesSequence")].values
        ]
        for answer in find(CORPUS, asked)
    }


@pytest.mark.requirement("QR-105", "QR-107")
def test_matching_items_are_returned_reduced() -> None:
    """Only matching items are returned, reduced to the keys of the request."""
    asked = data_set(ScheduledProcedureStepID="SPS1", RequestedProcedureID="")
    found = [{"ScheduledProcedureStepID": "SPS1", "RequestedProcedureID": "RP1"}]
    assert requests(asked) == {"1.2.1.1": found, "1.2.1.3": found}


@pytest.mark.requirement("QR-105")
def test_all_item_keys_hold_within_one_item() -> None:
    assert requests(data_set(ScheduledProcedureStepID="SPS1", RequestedProcedureID="RP2")) == {}
    assert list(
        requests(data_set(ScheduledProcedureStepID="SPS2", RequestedProcedureID="RP2"))
    ) == ["1.2.1.3"]


@pytest.mark.requirement("QR-106")
@pytest.mark.parametrize("item", [None, {}], ids=["no item", "empty item"])
def test_universal_sequences_are_returned_whole(item: DataSet | None) -> None:
    found = requests(item)
    assert found["1.2.1.1"][0] == {
        "ScheduledProcedureStepID": "SPS1",
        "RequestedProcedureID": "RP1",
        "RequestingPhysician": "Doe",
    }
    assert [len(items) for items in found.values()] == [2, 1, 2, 0]


@pytest.mark.requirement("QR-106", "QR-107")
def test_item_of_universal_keys_reduces_all_items() -> None:
    found = requests(data_set(RequestingPhysician=""))
    assert found["1.2.1.1"] == [{"RequestingPhysician": "Doe"}, {"RequestingPhysician": ""}]
    assert found["1.2.1.4"] == []


@pytest.mark.requirement("QR-108")
def test_nested_sequences_are_matched_and_reduced() -> None:
    """Sequences in items are matched and reduced in turn."""
    codes = [
        data_set(CodeValue="A", CodeMeaning="First"),
        data_set(CodeValue="B", CodeMeaning="Second"),
    ]
    corpus = [
        instance(
            1,
            RequestAttributesSequence=[
                data_set(ScheduledProtocolCodeSequence=codes),
                data_set(RequestedProcedureID="X"),
            ],
        ),
        instance(
            2,
            series=2,
            RequestAttributesSequence=[data_set(ScheduledProtocolCodeSequence=codes[:1])],
        ),
    ]
    asked = query(
        "SERIES",
        StudyInstanceUID="1.2.1",
        RequestAttributesSequence=[
            data_set(ScheduledProtocolCodeSequence=[data_set(CodeValue="B")])
        ],
    )
    (answer,) = find(corpus, asked)
    (item,) = answer[tag_of("RequestAttributesSequence")].values
    assert item == data_set(ScheduledProtocolCodeSequence=[data_set(CodeValue="B")])


@pytest.mark.requirement("QR-077")
def test_dates_and_times_of_item_combine_within_it() -> None:
    key = data_set(
        ScheduledProcedureStepStartDate="20240101-20240102",
        ScheduledProcedureStepStartTime="2200-0200",
    )
    options = QueryOptions(combined_datetime=True)
    for date, time, expected in (
        ("20240101", "2300", [1]),
        ("20240102", "0100", [1]),
        ("20240102", "2300", []),
    ):
        stored = data_set(
            ScheduledProcedureStepStartDate=date, ScheduledProcedureStepStartTime=time
        )
        assert (
            matched(
                [instance(1, RequestAttributesSequence=[stored])],
                options,
                RequestAttributesSequence=[key],
            )
            == expected
        )
    halves = [
        data_set(ScheduledProcedureStepStartDate="20240103", ScheduledProcedureStepStartTime="2300")
    ]
    halves.append(data_set(ScheduledProcedureStepStartTime="2300"))
    assert (
        matched(
            [instance(1, RequestAttributesSequence=halves)],
            options,
            RequestAttributesSequence=[key],
        )
        == []
    )


@pytest.mark.requirement("QR-107")
def test_private_item_keys_keep_requests_block() -> None:
    """Private attributes of an item come with their creator in the request's block."""
    stored = {0x00090010: Element("LO", ("ACME",)), 0x00091001: Element("LO", ("x",))}
    key = {0x00090020: Element("LO", ("ACME",)), 0x00092001: Element("LO", ())}
    asked = query("STUDY", StudyInstanceUID="", ProcedureCodeSequence=[key])
    (answer,) = find([instance(ProcedureCodeSequence=[stored])], asked)
    (item,) = answer[tag_of("ProcedureCodeSequence")].values
    assert item == {0x00090020: Element("LO", ("ACME",)), 0x00092001: Element("LO", ("x",))}


def test_binary_numbers_and_tags_match_by_value() -> None:
    corpus = [
        instance(1, Rows=512, ExposureTimeInms=0.1, FrameIncrementPointer=0x00181063),
        instance(2, Rows=5120, ExposureTimeInms=0.2, FrameIncrementPointer=0x00181065),
    ]
    for keys in ({"Rows": 512}, {"ExposureTimeInms": 0.1}, {"FrameIncrementPointer": 0x00181063}):
        assert matched(corpus, **keys) == [1]


def test_stored_value_of_other_vr_takes_keys() -> None:
    """A stored value of another VR is read with the key's VR."""
    tag = tag_of("StudyDescription")
    keys = query("STUDY", StudyDescription="Head*").criteria
    assert matches_data_set({tag: Element("UN", (b"Chest\\Head CT ",))}, keys)
    assert matches_data_set({tag: Element("ST", ("Head CT",))}, keys)
    assert not matches_data_set({tag: Element("SQ", ({},))}, keys)


def test_private_element_is_found_by_its_creator() -> None:
    """A private element is found in the block of its creator."""
    stored = {
        0x00090010: Element("LO", ("ACME",)),
        0x00090011: Element("LO", ("ACME",)),
        0x00091001: Element("LO", ("first",)),
        0x00091102: Element("LO", ("second",)),
    }
    assert find_element(stored, Step(0x00090001, "ACME")) == Element("LO", ("first",))
    assert find_element(stored, Step(0x00090002, "ACME")) == Element("LO", ("second",))
    assert find_element(stored, Step(0x00090001, "OTHER")) is None


@pytest.mark.parametrize(
    ("date", "time", "minutes", "expected"),
    [
        ("20240101", "233000.000000", 60, ("20240102", "003000.000000")),
        ("20240101", "003000.250000", -60, ("20231231", "233000.250000")),
        ("20240101", "235960.000000", 1, ("20240102", "000060.000000")),
        ("20240101", None, 600, ("20240101", None)),
        (None, "233000.000000", 60, (None, "003000.000000")),
        ("99991231", "233000.000000", 60, ("99991231", "233000.000000")),
        ("00010101", "003000.000000", -60, ("00010101", "003000.000000")),
    ],
)
def test_moving_a_date_and_time(
    date: str | None, time: str | None, minutes: int, expected: tuple[str | None, str | None]
) -> None:
    assert shifted(date, time, minutes) == expected


@given(st.dates(), st.integers(-1560, 1560))
def test_moving_there_and_back_changes_nothing(day: object, minutes: int) -> None:
    date, time = str(day).replace("-", ""), "123015.500000"
    there = shifted(date, time, minutes)
    if there != (date, time):
        assert shifted(there[0], there[1], -minutes) == (date, time)
