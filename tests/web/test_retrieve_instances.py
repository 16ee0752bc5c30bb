"""Studies, series and instances by WADO-RS (PS3.18 10.4.1.1.1)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from dicomquest.index import Index, open_index
from dicomquest.query.visibility import parse_visible
from dicomquest.services.access import PeerChoices, Profile, ServiceKind
from dicomquest.services.admission import AccessRules, Admission, PeerRule
from dicomquest.services.observer import RetrieveFinished
from dicomquest.store import decompression
from dicomquest.web import WebSettings
from fixtures.observing import Heard
from fixtures.retrieving import Link
from fixtures.retrieving import retrieve as c_get
from fixtures.storing import data_set_bytes, instance, syntax_files, write
from fixtures.wado import ANY, DICOM, OCTETS, parts, path_of, read
from fixtures.web import Browser

EXPLICIT = "1.2.840.10008.1.2.1"
FILES = syntax_files()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """Files of all syntaxes, and a study of five made ones."""
    folder = tmp_path_factory.mktemp("wado")
    write(folder / "made", [instance(1, number) for number in range(1, 6)])
    with open_index(folder / "i.sqlite", create=True) as opened:
        opened.ingest([*FILES, folder / "made"])
        yield opened


@pytest.fixture(scope="module")
def browser(index: Index) -> Browser:
    return Browser(index)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[Browser, list[Path]]]:
    """A study of three files that a test may damage."""
    paths = write(tmp_path / "made", [instance(1, number) for number in range(1, 4)])
    with open_index(tmp_path / "i.sqlite", create=True) as opened:
        opened.ingest(paths)
        yield Browser(opened), paths


@pytest.mark.requirement("WS-001", "WS-019")
@pytest.mark.parametrize(("level", "count"), [(1, 5), (2, 5), (3, 1)])
def test_every_instance_comes_once(browser: Browser, level: int, count: int) -> None:
    found = parts(browser.get(path_of(instance(1, 1), level), Accept=ANY))
    numbers = sorted(int(read(each.body).InstanceNumber) for each in found)
    assert numbers == list(range(1, count + 1))
    assert all(read(each.body).file_meta.TransferSyntaxUID == EXPLICIT for each in found)


@pytest.mark.requirement("WS-002", "WS-005", "WS-030")
@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_a_file_comes_as_it_is_stored(browser: Browser, file: Path) -> None:
    stored = dcmread(file)
    (part,) = parts(browser.get(path_of(file), Accept=ANY))
    got, syntax = read(part.body), str(stored.file_meta.TransferSyntaxUID)
    if syntax in {"1.2.840.10008.1.2", "1.2.840.10008.1.2.2"}:
        syntax = EXPLICIT
    else:
        assert data_set_bytes(file) in part.body
    assert part.syntax == got.file_meta.TransferSyntaxUID == syntax
    # Group lengths hold for one form only.
    tags = [[each.tag for each in read if each.tag.element] for read in (got, stored)]
    assert tags[0] == tags[1]
    if file.name != "JPEG-lossy.dcm":
        assert (got.pixel_array == stored.pixel_array).all()


@pytest.mark.requirement("WS-003", "WS-005")
def test_no_syntax_is_uncompressed_or_lossy(browser: Browser) -> None:
    syntaxes = {}
    for file in FILES:
        (part,) = parts(browser.get(path_of(file), Accept=DICOM))
        stored = str(dcmread(file, stop_before_pixels=True).file_meta.TransferSyntaxUID)
        assert part.syntax == read(part.body).file_meta.TransferSyntaxUID
        syntaxes[stored] = part.syntax
    lossy = {f"1.2.840.10008.1.2.4.{each}" for each in (50, 51, 91)}
    assert {own for own, sent in syntaxes.items() if own == sent} == {EXPLICIT, *lossy}
    assert set(syntaxes.values()) == {EXPLICIT, *lossy}


@pytest.mark.requirement("WS-004")
@pytest.mark.parametrize(
    "syntax", ["1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.3", "x"]
)
def test_a_syntax_not_to_be_had_is_refused(browser: Browser, syntax: str) -> None:
    response = browser.get(path_of(instance(1, 1), 1), Accept=f"{DICOM}; transfer-syntax={syntax}")
    assert response.status_code == 406
    assert "transfer-syntax=*" in response.text


def test_the_extra_is_named_where_it_is_missing(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decompression, "find_spec", lambda name: None)
    (lossless,) = [each for each in FILES if each.name == "GDCMJ2K_TextGBR.dcm"]
    response = browser.get(path_of(lossless), Accept=DICOM)
    assert response.status_code == 406
    assert "dicomquest[images]" in response.text
    assert browser.get(path_of(lossless), Accept=ANY).status_code == 200


@pytest.mark.requirement("WS-006", "WS-007", "WS-008")
@pytest.mark.parametrize(
    "accept",
    [
        "multipart/related; type=application/dicom; transfer-syntax=*",
        'Multipart/Related;TYPE="application/dicom";transfer-syntax="*"',
        'multipart/related; type="application/dicom; transfer-syntax=*"',
        "text/html, multipart/related; type=application/dicom; q=0.5",
        'image/png, application/dicom; q=0.1, multipart/related; type="*/*"',
        "*/*",
        "multipart/*",
        "multipart/related",
        "",
    ],
)
def test_ranges_are_read_leniently(browser: Browser, accept: str) -> None:
    headers = {"Accept": accept} if accept else {}
    (part,) = parts(browser.get(path_of(instance(1, 1)), **headers))
    assert read(part.body).InstanceNumber == 1


@pytest.mark.requirement("WS-007")
def test_the_accept_parameter_wins(browser: Browser) -> None:
    path = path_of(instance(1, 1))
    response = browser.get(f"{path}?accept=application/dicom", Accept="image/gif")
    assert response.headers["content-type"].startswith("application/dicom;")
    assert browser.get(f"{path}?accept=image/gif", Accept=ANY).status_code == 406


@pytest.mark.requirement("WS-009")
def test_one_file_is_for_one_instance(browser: Browser) -> None:
    made = instance(1, 2)
    response = browser.get(path_of(made), Accept="application/dicom")
    assert response.status_code == 200
    assert read(response.content).SOPInstanceUID == made.SOPInstanceUID
    assert int(response.headers["content-length"]) == len(response.content)
    for level in (1, 2):
        assert browser.get(path_of(made, level), Accept="application/dicom").status_code == 406


@pytest.mark.requirement("WS-021")
@pytest.mark.parametrize("further", ["", "/metadata", "/frames/1", "/bulkdata/7FE00010"])
def test_uids_must_belong_together(browser: Browser, further: str) -> None:
    one, other = instance(1, 1), dcmread(FILES[0], stop_before_pixels=True)
    other.SOPInstanceUID = one.SOPInstanceUID
    assert browser.get(path_of(other) + further).status_code == 404
    path = path_of(one).replace("series/", "series/x")
    assert browser.get(path + further).status_code == 400


@pytest.mark.requirement("WS-022")
def test_a_file_that_is_gone_makes_a_part(own: tuple[Browser, list[Path]]) -> None:
    browser, paths = own
    paths[1].unlink()
    response = browser.get(path_of(instance(1, 1), 1), Accept=ANY)
    assert response.status_code == 206
    assert "1 of 3 instances" in response.headers["warning"]
    assert len(parts(response)) == 2
    assert browser.get(path_of(instance(1, 2)), Accept=ANY).status_code == 500
    assert browser.get(f"{path_of(instance(1, 2), 2)}/metadata").status_code == 206


@pytest.mark.requirement("WS-020")
def test_a_failure_leaves_no_end(own: tuple[Browser, list[Path]]) -> None:
    browser, paths = own
    whole = paths[2].read_bytes()
    paths[2].write_bytes(b"x" * len(whole))
    body = b""
    try:
        body = browser.get(path_of(instance(1, 1), 1), Accept=ANY).content
    except AssertionError:
        return  # the transport found no end
    assert not body.rstrip().endswith(b"--")


@pytest.mark.requirement("WS-024")
@pytest.mark.parametrize(
    ("further", "accept"),
    [
        ("", ANY), ("", "application/dicom"), ("/metadata", "*/*"), ("/frames/1", "*/*"),
        ("/bulkdata/7FE00010", OCTETS),
    ],
)  # fmt: skip
def test_the_same_version_is_not_sent_again(browser: Browser, further: str, accept: str) -> None:
    path = path_of(FILES[0]) + further
    response = browser.get(path, Accept=accept)
    again = browser.get(path, Accept=accept, If_None_Match=response.headers["etag"])
    assert (response.status_code, again.status_code, again.content) == (200, 304, b"")
    assert browser.get(path, Accept=accept, If_None_Match='"other"').status_code == 200


@pytest.mark.requirement("WS-034", "WS-039")
def test_a_retrieve_sends_what_c_get_sends(index: Index) -> None:
    """Hidden instances are as unknown ones."""
    visible = parse_visible(["InstanceNumber=1\\3"])
    profile = Profile(visible=visible)
    rules = AccessRules(default=PeerRule(profile=profile))
    browser = Browser(index, WebSettings(admission=Admission(rules)))
    made, link = instance(1, 1), Link()
    keys = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": str(made.StudyInstanceUID)}
    c_get(index, keys, link=link, profile=profile)
    found = parts(browser.get(path_of(made, 1), Accept=ANY))
    assert [read(each.body).SOPInstanceUID for each in found] == link.uids
    assert len(link.uids) == 2
    hidden = browser.get(path_of(instance(1, 2)), Accept=ANY)
    unknown = browser.get(path_of(instance(1, 77)), Accept=ANY)
    assert hidden.status_code == unknown.status_code == 404
    assert hidden.content == unknown.content


@pytest.mark.requirement("WS-034")
def test_the_right_to_retrieve_is_needed(index: Index) -> None:
    rules = AccessRules(default=PeerRule(profile=Profile(services=frozenset({ServiceKind.FIND}))))
    browser = Browser(index, WebSettings(admission=Admission(rules)))
    assert browser.get(path_of(instance(1, 1)), Accept=ANY).status_code == 403


def test_limits_bound_a_retrieve(index: Index) -> None:
    profile = Profile(choices=PeerChoices(most_retrieved=3))
    rules = AccessRules(default=PeerRule(profile=profile))
    browser = Browser(index, WebSettings(admission=Admission(rules)))
    assert browser.get(path_of(instance(1, 1), 1), Accept=ANY).status_code == 413
    none = Browser(index, WebSettings(most_retrieves=0))
    response = none.get(path_of(instance(1, 1)), Accept=ANY)
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")


def test_a_retrieve_is_told_as_c_get_is(index: Index) -> None:
    heard = Heard()
    browser = Browser(index, WebSettings(observer=heard))
    browser.get(path_of(instance(1, 1), 1), Accept=ANY)
    (event,) = [each for each in heard.events if isinstance(each, RetrieveFinished)]
    assert (event.service, event.level, event.code) == ("WADO-RS", "STUDY", "0000")
    assert event.counts["completed"] == 5
    assert event.retrieved.progress is not None
    (study,) = event.retrieved.progress.sent
    assert study.study_uid == instance(1, 1).StudyInstanceUID


@pytest.mark.requirement("WS-035")
def test_head_has_no_body(browser: Browser) -> None:
    for further in ("", "/metadata", "/frames/1"):
        response = browser.request("HEAD", f"/dicom-web{path_of(FILES[0])}{further}", {})
        assert response.status_code == 200
    assert browser.request("DELETE", f"/dicom-web{path_of(FILES[0])}", {}).status_code == 405


@pytest.mark.requirement("QI-027")
@pytest.mark.parametrize("path", ["/studies", "/series", "/instances"])
def test_results_name_what_can_be_retrieved(browser: Browser, path: str) -> None:
    for match in browser.matches(f"{path}?PatientID=P1"):
        (address,) = match["00081190"]["Value"]
        assert match["00080056"]["Value"] == ["ONLINE"]
        local = address.removeprefix("http://pacs.example/dicom-web")
        assert parts(browser.get(local, Accept=ANY))
