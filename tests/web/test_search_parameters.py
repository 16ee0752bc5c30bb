"""Any path and any parameters get an answer that is no failure of the server (PS3.18 8.3.4)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.index import Index
from dicomquest.query.options import QueryOptions
from dicomquest.web.search_parameters import MOST_PARAMETERS, read_parameters, read_search
from dicomquest.web.search_resources import RESOURCES
from fixtures.web import Browser, three_studies

NAMES = st.sampled_from(
    [
        "PatientName", "StudyDate", "StudyTime", "StudyInstanceUID", "ModalitiesInStudy", "limit",
        "offset", "includefield", "fuzzymatching", "emptyvaluematching", "multiplevaluematching",
        "ignorecase",
        "accept", "TimezoneOffsetFromUTC", "Rows", "00280010", "00420011", "00100010", "00230010",
        "00231001", "RequestAttributesSequence", "RequestAttributesSequence.00400009",
        "QueryRetrieveLevel", "SpecificCharacterSet", "RetrieveAETitle", "PixelData", "7FE00010",
        "NumberOfStudyRelatedInstances", "PatientWeight", "FrameIncrementPointer", "00080000",
    ]
)  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(["true", "all", "1", "*", "?", "20240101-", "1.2.3,1.2.4", "a%5Cb", "%22%22"]),
    st.text(max_size=8),
)
QUERIES = st.lists(
    st.builds("{}={}".format, NAMES | st.text(max_size=6), VALUES) | st.text(max_size=6), max_size=4
).map("&".join)
PATHS = st.sampled_from(
    ["/studies", "/series", "/instances", "/studies/1.2.1/series", "/studies/1.2.1/instances",
     "/studies/1.2.1/series/1.2.1.1/instances", "/studies/%2e%2e/series", "/studies/a b/series",
     "/%00", "/studies/1/2/3", "//", ""]
)  # fmt: skip


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder: Path = tmp_path_factory.mktemp("web")
    with Index(folder / "index.sqlite") as index:
        three_studies(index)
        yield Browser(index)


@pytest.mark.requirement("QI-043")
@given(path=PATHS, query=QUERIES, accept=st.text(st.sampled_from('a/*;,q="0'), max_size=9))
def test_no_request_makes_the_server_fail(
    browser: Browser, path: str, query: str, accept: str
) -> None:
    encoded = query.encode("utf-8", "replace").hex()
    raw = "".join(f"%{encoded[at : at + 2]}" for at in range(0, len(encoded), 2))
    # Once with every byte encoded, once with the separators bare.
    for text in (raw, raw.replace("%26", "&").replace("%3d", "=").replace("%2c", ",")):
        response = browser.get(f"{path}?{text}", accept=accept)
        assert response.status_code in {200, 204, 400, 404, 406}, response.text


def test_too_many_parameters_are_refused(browser: Browser) -> None:
    response = browser.get("/studies?" + "&".join("a=1" for _ in range(MOST_PARAMETERS + 1)))
    assert response.status_code == 400


@pytest.mark.requirement("QI-008")
def test_a_plus_stays_a_plus() -> None:
    assert read_parameters(b"a=1+2&b=%2B%20&c&=d") == [
        ("a", "1+2"), ("b", "+ "), ("c", ""), ("", "d"),
    ]  # fmt: skip


def test_a_search_is_an_identifier_of_c_find() -> None:
    parameters = read_parameters(
        b"PatientName=A%5EB&limit=5&offset=10&includefield=PatientComments"
    )
    search = read_search(RESOURCES[0], {}, parameters, QueryOptions(), 3)
    assert search.identifier[0x00080052].values == ("STUDY",)
    assert search.identifier[0x00100010].values == ("A^B",)
    assert search.identifier[0x00104000].values == ()
    assert search.page == (3, 10)
    assert search.options == QueryOptions(relational=True, combined_datetime=True)
