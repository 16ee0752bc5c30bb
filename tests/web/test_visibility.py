"""One filter hides the same from every face: C-FIND, QIDO, WADO and the page (PS3.18 11)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomquest.index import Index, open_index
from dicomquest.query.criteria import KeyCriterion
from dicomquest.query.visibility import parse_visible
from dicomquest.services.access import Profile
from dicomquest.services.admission import AccessRules, Admission, PeerRule
from dicomquest.web import WebSettings
from fixtures.building import query
from fixtures.retrieving import Link, retrieve
from fixtures.storing import ROOT, instance, write
from fixtures.wado import ANY, parts, read
from fixtures.web import Browser

STUDIES = (1, 2, 3)
RULES = [
    "PatientID=P1", "PatientID=P1\\P3", "PatientID=P*", "PatientID=X", "InstanceNumber=2",
    "InstanceNumber=1\\3", "Modality=CT", "Modality=MR", "StudyDate=20240105-",
    "StudyDate=-20240104", f"StudyInstanceUID={ROOT}.2", f"SOPInstanceUID={ROOT}.3.1.1",
]  # fmt: skip


class Seen(NamedTuple):
    """The instances that a face shows, and the studies."""

    instances: list[str]
    studies: list[str]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    folder: Path = tmp_path_factory.mktemp("visible")
    made = [instance(study, number) for study in STUDIES for number in (1, 2, 3)]
    for each in made[6:]:
        each.Modality, each.StudyDate = "MR", "20240103"
    write(folder / "made", made)
    with open_index(folder / "i.sqlite", create=True) as opened:
        opened.ingest([folder / "made"])
        yield opened


def by_find(index: Index, visible: tuple[KeyCriterion, ...]) -> Seen:
    found = []
    for level, tag in (("IMAGE", 0x00080018), ("STUDY", 0x0020000D)):
        keys = {"SOPInstanceUID": ""} if level == "IMAGE" else {"StudyInstanceUID": ""}
        asked = replace(query(level, **keys), visible=visible)
        found.append(sorted(str(each[tag].values[0]) for each in index.find_data_sets(asked)))
    return Seen(*found)


def by_search(browser: Browser) -> Seen:
    return Seen(browser.values("/instances", "00080018"), browser.values("/studies", "0020000D"))


def by_retrieve(browser: Browser) -> Seen:
    instances: list[str] = []
    studies = []
    for study in STUDIES:
        uid = f"{ROOT}.{study}"
        response = browser.get(f"/studies/{uid}", Accept=ANY)
        assert response.status_code in {200, 404}
        if response.status_code == 200:
            studies.append(uid)
            instances += [str(read(each.body).SOPInstanceUID) for each in parts(response)]
    return Seen(sorted(instances), studies)


def by_single_retrieves(browser: Browser, further: str) -> Seen:
    instances = []
    for study in STUDIES:
        for number in (1, 2, 3):
            uid = f"{ROOT}.{study}.1.{number}"
            path = f"/studies/{ROOT}.{study}/series/{ROOT}.{study}.1/instances/{uid}"
            response = browser.get(path + further)
            assert response.status_code in {200, 404}
            instances += [uid] if response.status_code == 200 else []
    return Seen(instances, sorted({each.rsplit(".", 2)[0] for each in instances}))


def by_c_get(index: Index, profile: Profile) -> Seen:
    instances: list[str] = []
    studies = []
    for study in STUDIES:
        link = Link()
        keys = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": f"{ROOT}.{study}"}
        retrieve(index, keys, link=link, profile=profile)
        instances += link.uids
        studies += [f"{ROOT}.{study}"] if link.uids else []
    return Seen(sorted(instances), studies)


def studies_on_the_page(browser: Browser) -> list[str]:
    """The studies of the list, whose number the page says too."""
    text = browser.request("GET", "/?all", {}).text
    return sorted(set(re.findall(r"/studies/([0-9.]+)", text)))


@pytest.mark.requirement("WS-034", "WS-039", "QI-048")
@settings(max_examples=25, deadline=None)
@given(rules=st.lists(st.sampled_from(RULES), min_size=1, max_size=3, unique=True))
def test_a_filter_hides_the_same_from_all(index: Index, rules: Sequence[str]) -> None:
    keys = {each.partition("=")[0]: each for each in rules}
    visible = parse_visible(list(keys.values()))
    profile = Profile(visible=visible)
    admission = Admission(AccessRules(default=PeerRule(profile=profile)))
    browser = Browser(index, WebSettings(admission=admission))
    expected = by_find(index, visible)
    assert by_search(browser) == expected
    assert by_retrieve(browser) == expected
    assert by_c_get(index, profile) == expected
    for further in ("/metadata", "/bulkdata/7FE00010"):
        assert by_single_retrieves(browser, further) == expected
    assert studies_on_the_page(browser) == expected.studies
    counted = re.search(r"([0-9]+) stud(?:y|ies)\. Newest", browser.request("GET", "/", {}).text)
    assert int(counted[1] if counted else 0) == len(expected.studies)
