"""QIDO-RS over an index in either database (PS3.18 10.6)."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import ExitStack
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dicomquest.dataset.elements import from_json
from dicomquest.index import Index
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.options import QueryOptions
from dicomquest.query.visibility import parse_visible
from dicomquest.services.access import PeerChoices, Profile
from dicomquest.services.admission import AccessRules, Admission, PeerRule
from dicomquest.standard.models import STUDY_ROOT
from dicomquest.web import WebSettings, search_channel
from fixtures.building import data_set, instance
from fixtures.web import Browser, three_studies

if TYPE_CHECKING:
    from fixtures.postgresql_cluster import Cluster

STUDY, SERIES, INSTANCE = "0020000D", "0020000E", "00080018"
EVERYTHING = tuple(f"1.2.{number}" for number in (1, 2, 3))
XML = 'multipart/related; type="application/dicom+xml"'


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Index]:
    """An index in either database that no test changes."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            location = str(tmp_path_factory.mktemp("web") / "index.sqlite")
        else:
            cluster: Cluster = request.getfixturevalue("postgresql")
            location = stack.enter_context(cluster.database())
        index = stack.enter_context(Index(location))
        three_studies(index)
        yield index


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """An empty index of the test's own."""
    with Index(tmp_path / "index.sqlite") as opened:
        yield opened


@pytest.fixture(scope="module")
def browser(shared: Index) -> Browser:
    return Browser(shared)


def with_profile(index: Index, **profile: Any) -> Browser:
    rules = AccessRules(default=PeerRule(profile=Profile(**profile)))
    return Browser(index, WebSettings(admission=Admission(rules)))


@pytest.mark.requirement("QI-001", "QI-012")
@pytest.mark.parametrize(
    ("path", "tag", "expected"),
    [
        ("/studies", STUDY, list(EVERYTHING)),
        ("/studies/1.2.2/series", SERIES, ["1.2.2.3", "1.2.2.4"]),
        ("/studies/1.2.2/instances", INSTANCE, ["1.2.2.3.4", "1.2.2.3.5", "1.2.2.4.6"]),
        ("/series", SERIES, ["1.2.1.1", "1.2.1.2", "1.2.2.3", "1.2.2.4", "1.2.3.5"]),
        ("/studies/1.2.2/series/1.2.2.3/instances", INSTANCE, ["1.2.2.3.4", "1.2.2.3.5"]),
        ("/instances?StudyInstanceUID=1.2.3", INSTANCE, [f"1.2.3.5.{n}" for n in (7, 8, 9)]),
    ],
)
def test_a_resource_has_its_entities(
    browser: Browser, path: str, tag: str, expected: list[str]
) -> None:
    assert browser.values(path, tag) == expected


@pytest.mark.requirement("QI-002", "QI-004", "QI-006", "QI-007", "QI-008", "QI-011", "QI-049")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("PatientName=YAMADA*", [2]),
        ("00100010=YAMADA*", [2]),
        ("PatientName=m%C3%BCller*", [1]),
        ("PatientName=*%E5%B1%B1%E7%94%B0*", [2]),
        ("PatientName=O+Neill*", [3]),
        ("PatientName=O%20Neill*", []),
        ("PatientID=P1", [1]),
        ("StudyDate=20240102-", [2, 3]),
        ("StudyDate=20240102&StudyTime=101112", [2]),
        ("AccessionNumber=A3", [3]),
        ("ModalitiesInStudy=MR", [1, 2]),
        ("ReferringPhysicianName=refer*", [1, 2, 3]),
        ("StudyID=S2", [2]),
        ("StudyInstanceUID=1.2.1,1.2.3", [1, 3]),
        ("StudyInstanceUID=1.2.1%2C1.2.3", [1, 3]),
        ("StudyInstanceUID=1.2.1%5C1.2.3", [1, 3]),
        ("StudyDescription=*tudy,%202", [2]),
        ("PatientName=", [1, 2, 3]),
        ("PatientName=*&StudyDate=", [1, 2, 3]),
    ],
)
def test_keys_restrict_studies(browser: Browser, query: str, expected: list[int]) -> None:
    assert browser.values(f"/studies?{query}", STUDY) == [f"1.2.{number}" for number in expected]


@pytest.mark.requirement("QI-002", "QI-003", "QI-004", "QI-011")
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/series?Modality=MR", ["1.2.1.2", "1.2.2.4"]),
        ("/series?0020000e=1.2.1.1", ["1.2.1.1"]),
        ("/series?SeriesNumber=5", ["1.2.3.5"]),
        ("/series?RequestAttributesSequence.ScheduledProcedureStepID=SPS3", ["1.2.2.3"]),
        ("/series?00400275.00401001=RP4", ["1.2.2.4"]),
        ("/series?RequestAttributesSequence.00401001=RP4", ["1.2.2.4"]),
        ("/series?PatientID=P3", ["1.2.3.5"]),
    ],
)
def test_keys_restrict_series(browser: Browser, path: str, expected: list[str]) -> None:
    assert browser.values(path, SERIES) == expected


@pytest.mark.requirement("QI-004")
def test_paths_go_into_items_of_items(index: Index) -> None:
    index.ingest_data_sets(
        instance(
            number,
            series=number,
            RequestAttributesSequence=[
                data_set(RequestedProcedureCodeSequence=[data_set(CodeValue=f"C{number}")])
            ],
        )
        for number in (7, 8)
    )
    browser = Browser(index)
    path = "RequestAttributesSequence.RequestedProcedureCodeSequence.CodeValue"
    for key in (path, "00400275.00321064.00080100"):
        assert len(browser.matches(f"/series?{key}=C7")) == 1
        assert len(browser.matches(f"/series?{key}=C*")) == 2
        assert browser.matches(f"/series?{key}=C9") == []


@pytest.mark.requirement("QI-011")
@pytest.mark.parametrize(
    ("query", "count"),
    [("InstanceNumber=4", 1), ("SOPInstanceUID=1.2.1.1.1", 1), ("SOPClassUID=1.2.3", 0)],
)
def test_keys_restrict_instances(browser: Browser, query: str, count: int) -> None:
    assert len(browser.matches(f"/instances?{query}")) == count


@pytest.mark.requirement("QI-013", "QI-014")
def test_dates_and_times_are_one_instant(browser: Browser) -> None:
    """A range of days with times is one range of instants, in the zone of the request."""
    path = "/studies?StudyDate=20240101-20240102&StudyTime=120000-120000"
    assert browser.values(path, STUDY) == ["1.2.2"]
    later = "/studies?StudyDate=20240102&StudyTime=111112&TimezoneOffsetFromUTC=%2B0100"
    assert browser.values(later, STUDY) == ["1.2.2"]
    assert browser.values(later.replace("%2B", "+"), STUDY) == ["1.2.2"]
    assert browser.values(later.replace("0100", "0200"), STUDY) == []


@pytest.mark.requirement("QI-015")
@pytest.mark.parametrize(
    ("level", "path", "keys"),
    [
        ("STUDY", "/studies?PatientName=yam*&ModalitiesInStudy=CT", {
            "PatientName": "yam*", "ModalitiesInStudy": "CT"}),
        ("STUDY", "/studies?Modality=MR", {"Modality": "MR"}),
        ("SERIES", "/series?StudyDate=-20240102", {"StudyDate": "-20240102"}),
        ("IMAGE", "/studies/1.2.1/instances?Modality=CT", {
            "StudyInstanceUID": "1.2.1", "Modality": "CT"}),
    ],
)  # fmt: skip
def test_results_are_those_of_c_find(
    browser: Browser, shared: Index, level: str, path: str, keys: dict[str, str]
) -> None:
    unique = {"STUDY": STUDY, "SERIES": SERIES, "IMAGE": INSTANCE}[level]
    options = QueryOptions(relational=True, combined_datetime=True)
    query = parse_identifier(data_set(QueryRetrieveLevel=level, **keys), STUDY_ROOT.uid, options)
    found = sorted(each[int(unique, 16)].values[0] for each in shared.find_data_sets(query))
    assert browser.values(path, unique) == found != []


@pytest.mark.requirement("QI-015")
def test_fuzzy_matching_finds_what_sounds_alike(browser: Browser) -> None:
    assert browser.matches("/studies?PatientName=Mueler") == []
    assert browser.values("/studies?PatientName=Mueler&fuzzymatching=true", STUDY) == ["1.2.1"]


def test_text_without_case_is_asked_for(browser: Browser) -> None:
    key = "/studies?StudyDescription=STUDY*1"
    assert browser.matches(key) == []
    assert browser.values(f"{key}&ignorecase=true", STUDY) == ["1.2.1"]


@pytest.mark.requirement("QI-017")
def test_empty_value_matching(browser: Browser) -> None:
    path = "/studies?AccessionNumber=%22%22&emptyvaluematching=true"
    assert browser.values(path, STUDY) == ["1.2.2"]


@pytest.mark.requirement("QI-018", "QI-019")
def test_several_values_must_all_match(browser: Browser) -> None:
    """With multiplevaluematching commas separate values; without it they are text."""
    both = "/studies?ModalitiesInStudy=CT,MR&multiplevaluematching=true"
    assert browser.values(both, STUDY) == ["1.2.1", "1.2.2"]
    assert browser.matches("/studies?ModalitiesInStudy=CT,MR") == []
    assert browser.values("/studies?StudyDescription=Study,%201", STUDY) == ["1.2.1"]


@pytest.mark.requirement("QI-003", "QI-009")
def test_an_unknown_parameter_is_ignored(browser: Browser) -> None:
    response = browser.get("/studies?colour=blue&patientName=X&StudyID=S1")
    assert response.status_code == 200
    assert [each[STUDY]["Value"] for each in response.json()] == [["1.2.1"]]
    assert 'The colour parameter is not supported"' in response.headers["warning"]
    assert 'The patientName parameter is not supported"' in response.headers["warning"]


@pytest.mark.requirement("QI-005", "QI-010", "QI-022", "QI-042", "QI-043")
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/studies?PatientID=1&00100020=2", "00100020 is given twice"),
        ("/studies?limit=-1", "limit: write a number"),
        ("/studies?limit=1&limit=2", "limit is given twice"),
        ("/studies?offset=two", "offset: write a number"),
        ("/studies?fuzzymatching=yes", "fuzzymatching: write true or false"),
        ("/studies?includefield=all,StudyDate", "includefield: write all, or a list"),
        ("/studies?includefield=all&includefield=StudyDate", "includefield: write all, or a list"),
        ("/studies?StudyDate=2024-01-05", "Study Date"),
        ("/studies?StudyInstanceUID=1.2.x", "StudyInstanceUID: write UIDs"),
        ("/studies?PatientName=%FF", "not UTF-8"),
        ("/studies?PatientName=a%00b", "NUL"),
        ("/studies?PatientName.PatientID=1", "PatientName is not a sequence"),
        ("/studies/1.2.x/series", "the study of the path is no UID"),
        ("/studies/1.2/series/+/instances", "the series of the path is no UID"),
    ],
)
def test_a_wrong_request_is_told_why(browser: Browser, path: str, words: str) -> None:
    response = browser.get(path)
    assert response.status_code == 400
    assert words in response.text
    assert response.headers["content-type"].startswith("text/plain")


@pytest.mark.requirement("QI-020", "QI-023", "QI-049")
def test_includefield_adds_attributes(browser: Browser) -> None:
    """Fields of lower levels and unknown ones are left out, without an error."""
    [match] = browser.matches(
        "/studies?StudyID=S1&includefield=00081030%2C00080060&includefield=Nonsense"
        "&includefield=OtherPatientIDsSequence.PatientID,SOPInstanceUID"
    )
    assert match["00081030"] == {"vr": "LO", "Value": ["Study, 1"]}
    assert match["00101002"] == {"vr": "SQ"}
    assert not {"00080060", "00080018", "00080016"} & match.keys()
    [series] = browser.matches("/studies/1.2.3/series?includefield=PatientName,InstanceNumber")
    assert series["00100010"]["Value"] == [{"Alphabetic": "O+Neill^Ann"}]
    assert "00200013" not in series


@pytest.mark.requirement("QI-021", "QI-023")
def test_includefield_all_has_all_of_the_level(browser: Browser) -> None:
    [match] = browser.matches("/studies?StudyID=S1&includefield=all")
    assert {"00081030", "00100021", "00101010", "00201206"} <= match.keys()
    assert not {"00080060", "0020000E", "00200013"} & match.keys()
    [series] = browser.matches("/studies/1.2.3/series?includefield=all")
    assert {"00180015", "00080060"} <= series.keys()
    assert not {"00200013", "00080018"} & series.keys()


@pytest.mark.requirement("QI-024", "QI-025", "QI-026")
@pytest.mark.parametrize(
    ("path", "tags"),
    [
        ("/studies", """00080020 00080030 00080050 00080061 00080090 00100010 00100020 00100030
            00100040 0020000D 00200010 00201206 00201208"""),
        ("/studies/1.2.1/series", "00080060 0020000D 0020000E 00200011 00201209 00400275"),
        ("/studies/1.2.1/series/1.2.1.1/instances", "00080016 00080018 00200013 0020000D"),
        ("/series", "00080020 00100010 00080061 00080060 0020000E 00201209"),
        ("/studies/1.2.1/instances", "00080060 0020000E 00201209 00080018 00200013"),
        ("/instances", "00080020 00100010 00080060 0020000E 00080016 00200013"),
    ],
)  # fmt: skip
def test_the_usual_attributes_are_there(browser: Browser, path: str, tags: str) -> None:
    matches = browser.matches(path)
    assert matches
    for match in matches:
        assert set(tags.split()) <= match.keys()


@pytest.mark.requirement("QI-026")
def test_a_required_attribute_may_be_empty(browser: Browser) -> None:
    [match] = browser.matches("/studies/?StudyID=S2")
    assert match["00080050"] == {"vr": "SH"}


@pytest.mark.requirement("QI-029")
def test_very_many_results_are_not_counted(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_channel, "MOST_REMAINING", 5)
    warnings = [
        browser.get(f"/instances?limit={limit}").headers["warning"].partition('"')[2]
        for limit in (3, 4)
    ]
    assert [each.partition(" results")[0] for each in warnings] == [
        "There are more than 5 additional",
        "There are 5 additional",
    ]


@pytest.mark.requirement("QI-028", "QI-029", "QI-031", "QI-032")
@pytest.mark.parametrize("path", ["/studies", "/series", "/instances", "/studies/1.2.2/instances"])
def test_pages_have_each_match_once(browser: Browser, path: str) -> None:
    unique = {"studies": STUDY, "series": SERIES}.get(path.rpartition("/")[2], INSTANCE)
    total = len(browser.matches(path))
    paged: list[str] = []
    for offset in range(0, total + 2, 2):
        response = browser.get(f"{path}?limit=2&offset={offset}")
        remaining = total - offset - 2
        words = f"There are {remaining} additional results that can be requested"
        assert (words in response.headers.get("warning", "")) == (remaining > 0)
        if offset >= total:
            assert (response.status_code, response.content) == (204, b"")
        else:
            paged += [each[unique]["Value"][0] for each in response.json()]
    assert len(paged) == total
    assert len(set(paged)) == total
    assert [each[unique]["Value"][0] for each in browser.matches(f"{path}?limit=99")] == paged


def test_a_page_begins_with_the_newest_study(browser: Browser) -> None:
    found = [each[STUDY]["Value"][0] for each in browser.matches("/studies?limit=2")]
    assert found == ["1.2.3", "1.2.2"]


@pytest.mark.requirement("QI-028")
def test_a_page_of_what_python_matches(browser: Browser) -> None:
    """Keys that SQL cannot match are paged, too."""
    path = "/series?RequestAttributesSequence.ScheduledProcedureStepID=SPS*&limit=2"
    first, second = browser.matches(path), browser.matches(f"{path}&offset=2")
    third = browser.matches(f"{path}&offset=4")
    found = [each[SERIES]["Value"][0] for each in (*first, *second, *third)]
    assert (len(first), len(second), len(third), len(set(found))) == (2, 2, 1, 5)


@pytest.mark.requirement("QI-028", "QI-030")
@pytest.mark.parametrize("query", ["PatientID=NOBODY", "limit=0", "offset=3", f"offset={10**30}"])
def test_nothing_found_has_no_content(browser: Browser, query: str) -> None:
    response = browser.get(f"/studies?{query}")
    assert (response.status_code, response.content) == (204, b"")
    assert "content-type" not in response.headers


@pytest.mark.requirement("QI-012")
def test_an_unknown_study_has_no_series(browser: Browser) -> None:
    assert browser.matches("/studies/9.9/series") == []


@pytest.mark.requirement("QI-033")
def test_the_result_limit_caps_a_page(browser: Browser, shared: Index) -> None:
    capped = with_profile(shared, choices=PeerChoices(result_limit=2))
    for path in ("/studies", "/studies?limit=3"):
        response = capped.get(path)
        assert len(response.json()) == 2
        assert "There are 1 additional results" in response.headers["warning"]


@pytest.mark.requirement("QI-034", "QI-036", "QI-037", "QI-038")
@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/dicom+json", "application/dicom+json"),
        ("application/json", "application/dicom+json"),
        ("*/*", "application/dicom+json"),
        ("application/*", "application/dicom+json"),
        ("text/html, */*;q=0.1", "application/dicom+json"),
        (XML, "multipart/related"),
        ("multipart/related; type=application/dicom+xml", "multipart/related"),
        (f"application/dicom+json;q=0.5, {XML};q=0.6", "multipart/related"),
        (f"*/*;q=0.9, application/dicom+json;q=0, {XML};q=0.1", "multipart/related"),
        ("text/html", ""),
        ('multipart/related; type="application/dicom"', ""),
        ("application/dicom+json;q=0", ""),
    ],
)
def test_accept_chooses_the_form(browser: Browser, accept: str, expected: str) -> None:
    response = browser.get("/studies", accept=accept)
    assert response.status_code == (200 if expected else 406)
    assert response.headers["content-type"].startswith(expected or "text/plain")


@pytest.mark.requirement("QI-037")
def test_without_accept_it_is_json_unless_strict(browser: Browser, shared: Index) -> None:
    assert browser.get("/studies").headers["content-type"] == "application/dicom+json"
    strict = with_profile(shared, choices=PeerChoices(QueryOptions(strict=True)))
    assert strict.get("/studies").status_code == 406


def test_the_accept_parameter_wins(browser: Browser) -> None:
    path = "/studies?accept=multipart/related;type=%22application/dicom%2Bxml%22"
    response = browser.get(path, accept="application/dicom+json")
    assert response.headers["content-type"].startswith("multipart/related")


@pytest.mark.requirement("QI-035")
def test_xml_has_a_part_a_result(browser: Browser) -> None:
    response = browser.get("/studies", accept=XML)
    head = f"Content-Type: {response.headers['content-type']}\r\n\r\n".encode()
    message = message_from_bytes(head + response.content)
    parts: Any = message.get_payload()
    assert len(parts) == 3
    assert response.content.startswith(b"--")
    for part in parts:
        assert part.get_content_type() == "application/dicom+xml"
        assert "StudyInstanceUID" in part.get_payload()


def test_results_are_compressed_on_request(browser: Browser) -> None:
    plain = browser.matches("/instances")
    response = browser.get("/instances", accept_encoding="br, gzip;q=0.5")
    assert response.headers["content-encoding"] == "gzip"
    assert response.json() == plain
    refused = browser.get("/instances", accept_encoding="gzip;q=0")
    assert "content-encoding" not in refused.headers


def test_many_results_are_compressed_in_parts(index: Index) -> None:
    index.ingest_data_sets(
        data_set(
            SOPInstanceUID=f"1.3.{number}", SeriesInstanceUID="1.3", StudyInstanceUID="1.4",
            InstanceNumber=str(number),
        )
        for number in range(1500)
    )  # fmt: skip
    browser = Browser(index)
    response = browser.get("/instances", accept_encoding="gzip")
    assert len(response.json()) == 1500
    assert "content-length" not in response.headers
    with pytest.raises(gzip.BadGzipFile):
        gzip.decompress(browser.get("/instances").content)


@pytest.mark.requirement("QI-040", "QI-041")
def test_a_result_reads_back_as_it_was(browser: Browser) -> None:
    [match] = browser.matches("/studies?StudyID=S2")
    assert match["00100010"] == {
        "vr": "PN",
        "Value": [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}],
    }
    assert match["00080005"] == {"vr": "CS", "Value": ["ISO_IR 192"]}
    assert match["00201206"] == {"vr": "IS", "Value": [2]}
    assert from_json(match)[0x00080061].values == ("CT", "MR")


@pytest.mark.requirement("QI-047")
def test_a_private_key_needs_its_creator(index: Index) -> None:
    stored = data_set(
        SOPInstanceUID="1.1", SeriesInstanceUID="1.2", StudyInstanceUID="1.3", PatientID="P"
    )
    private = from_json({
        "00230010": {"vr": "LO", "Value": ["Acme"]}, "00231001": {"vr": "LO", "Value": ["x"]},
    })  # fmt: skip
    index.ingest_data_sets([dict(sorted((stored | private).items()))])
    browser = Browser(index)
    [match] = browser.matches("/instances?00230010=Acme&00231001=x")
    assert match["00230010"]["Value"] == ["Acme"]
    assert match["00231001"]["Value"] == ["x"]
    assert browser.matches("/instances?00230010=Acme&00231001=y") == []
    assert browser.matches("/instances?00230010=Other&00231001=x") == []
    response = browser.get("/instances?00231001=y")
    assert "private attribute without its creator" in response.headers["warning"]


@pytest.mark.requirement("QI-048")
def test_a_hidden_study_is_not_there(browser: Browser, shared: Index) -> None:
    """The visibility filter restricts every resource and its counts."""
    hidden = with_profile(shared, visible=parse_visible(["PatientID=P2"]))
    assert hidden.values("/studies", STUDY) == ["1.2.2"]
    assert len(hidden.matches("/series")) == 2
    assert len(hidden.matches("/instances")) == 3
    assert hidden.matches("/studies/1.2.1/series") == []
    assert "warning" not in hidden.get("/studies?limit=1").headers
    assert browser.get("/studies?limit=1").headers["warning"]


@pytest.mark.requirement("QI-043", "QI-044")
def test_other_requests_are_refused(browser: Browser) -> None:
    assert browser.get("/patients").status_code == 404
    refused = browser.request("DELETE", "/dicom-web/studies", {})
    assert refused.status_code == 405
    assert "GET" in refused.headers["allow"]
    assert browser.get("/studies?PatientName=" + "x" * 9000).status_code == 414


def test_a_lower_level_key_is_matched_and_told(browser: Browser) -> None:
    response = browser.get("/studies?Modality=MR")
    assert len(response.json()) == 2
    assert "Modality" in response.headers["warning"]


def test_a_settings_change_takes_effect(shared: Index) -> None:
    browser = Browser(shared)
    rules = AccessRules(default=PeerRule(profile=Profile(levels=frozenset())))
    browser.application.reconfigure(WebSettings(admission=Admission(rules)))
    assert browser.get("/studies").status_code == 403
    browser.application.reconfigure(WebSettings(root=""))
    assert browser.request("GET", "/studies", {}).status_code == 200


@pytest.mark.requirement("QI-020")
def test_unknown_includefield_is_told(browser: Browser) -> None:
    response = browser.get("/studies?includefield=foo,PatientID,bar")
    assert response.status_code == 200
    assert "The includefield foo, and 1 more is not known" in response.headers["warning"]
    assert "warning" not in browser.get("/studies?includefield=PatientID").headers
