"""Repository Query: pages in the order of records, limits, and what ends a query."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.index import Index
from dicomquest.query.visibility import parse_visible
from dicomquest.services.access import Profile, ServiceKind
from dicomquest.services.find import FindService
from dicomquest.services.limit_names import LimitName
from dicomquest.services.repository_find import RepositoryService
from dicomquest.standard.models import REPOSITORY_QUERY, STUDY_ROOT
from dicomquest.standard.tags import MAXIMUM_NUMBER_OF_RECORDS, PRIOR_RECORD_KEY, RECORD_KEY
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from fixtures.building import data_set, instance
from fixtures.find_service import Channel, answers, ask

STUDIES, SERIES = 9, 3
ARCHIVE = [
    instance(
        1, series=series, study=study, PatientID=f"P{study % 4}", PatientName=f"N{study % 2}",
        StudyDate=f"2024010{9 - study % 5}", Modality="CT" if series == 1 else "MR",
        ProcedureCodeSequence=[data_set(CodeValue=f"C{study % 3}")],
    )
    for study in range(1, STUDIES + 1)
    for series in range(1, SERIES + 1)
]  # fmt: skip
UIDS = {"STUDY": 0x0020000D, "SERIES": 0x0020000E, "IMAGE": 0x00080018}
QUESTIONS: list[dict[str, Any]] = [
    {},
    {"PatientName": "N1"},
    {"PatientID": "P1\\P2", "StudyDate": "20240105-"},
    # Python matches this one row by row.
    {"ProcedureCodeSequence": [data_set(CodeValue="C*")]},
]


@pytest.fixture
def archive(location: str) -> Iterator[Index]:
    with Index(location) as index:
        index.ingest_data_sets(ARCHIVE)
        yield index


def _asked(level: str, most: int | None, prior: bytes | None, keys: dict[str, Any]) -> DataSet:
    asked = data_set(QueryRetrieveLevel=level, **keys)
    asked |= {UIDS[level]: Element("UI", ()), RECORD_KEY: Element("OB", ())}
    if most is not None:
        asked[MAXIMUM_NUMBER_OF_RECORDS] = Element("UV", (most,))
    if prior is not None:
        asked[PRIOR_RECORD_KEY] = Element("OB", (prior,))
    return dict(sorted(asked.items()))


def _ask(index: Index, asked: DataSet, **more: Any) -> Channel:
    service = RepositoryService(index, "ARCHIVE")
    return ask(index, asked, model=REPOSITORY_QUERY.uid, service=service, accepted=b"\1", **more)


def _pages(
    index: Index, level: str, sizes: list[int], keys: dict[str, Any], **more: Any
) -> list[list[DataSet]]:
    """Ask on until the peer says that there is no more; sizes come in turn."""
    pages: list[list[DataSet]] = []
    prior = None
    for most in islice(cycle(sizes), len(ARCHIVE) + 1):
        channel = _ask(index, _asked(level, most, prior, keys), **more)
        page = answers(channel)
        pages.append(page)
        assert len(page) <= most
        if channel.finals[0][0] == 0x0000:
            return pages
        assert channel.finals[0][0] == 0xB001
        prior = page[-1][RECORD_KEY].values[0]
    raise AssertionError("the pages have no end")


def _uids(found: list[DataSet], level: str) -> list[str]:
    return [str(each[UIDS[level]].values[0]) for each in found]


@pytest.mark.requirement("RQ-001", "RQ-002", "RQ-003", "RQ-004", "RQ-005")
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    level=st.sampled_from(list(UIDS)),
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=3),
    keys=st.sampled_from(QUESTIONS),
)
def test_pages_joined_are_the_whole_answer(
    archive: Index, level: str, sizes: list[int], keys: dict[str, Any]
) -> None:
    """Pages of any sizes have each record once, in the order of the keys, as one query has."""
    whole = _ask(archive, _asked(level, None, None, keys))
    assert whole.finals[0][0] == 0x0000
    everything = answers(whole)
    assert [each for page in _pages(archive, level, sizes, keys) for each in page] == everything
    record_keys = [each[RECORD_KEY].values[0] for each in everything]
    assert record_keys == sorted(set(record_keys))
    plain = ask(archive, data_set(QueryRetrieveLevel=level, **keys), accepted=b"\1")
    assert sorted(_uids(everything, level)) == sorted(_uids(answers(plain), level))
    # From any earlier key, not only from the last of a page.
    place = sizes[0] % len(record_keys)
    rest = answers(_ask(archive, _asked(level, None, record_keys[place], keys)))
    assert rest == everything[place + 1 :]


@pytest.mark.requirement("RQ-004")
def test_inserts_between_pages_shift_nothing(archive: Index) -> None:
    """Each earlier record comes once, while instances come and are replaced between the pages."""
    before = _uids(answers(_ask(archive, _asked("STUDY", None, None, {}))), "STUDY")
    seen: list[str] = []
    prior = None
    for number in range(100, 200):
        channel = _ask(archive, _asked("STUDY", 2, prior, {}))
        page = answers(channel)
        seen += _uids(page, "STUDY")
        if channel.finals[0][0] == 0x0000 or number > 110:
            break
        prior = page[-1][RECORD_KEY].values[0]
        if number < 103:
            archive.ingest_data_sets([instance(1, study=number), ARCHIVE[number % len(ARCHIVE)]])
    assert seen[: len(before)] == before
    assert len(set(seen)) == len(seen)


@pytest.mark.requirement("RQ-002", "RQ-003")
def test_limit_of_the_server_ends_with_b001(archive: Index) -> None:
    """Either side's limit ends with B001; only the server's own is one of the metrics."""
    channel = _ask(archive, _asked("STUDY", None, None, {}), result_limit=4, limit_is_success=True)
    assert channel.statuses == [0xFF00] * 4 + [0xB001]
    assert channel.limits == [LimitName.RESULTS]
    channel = _ask(archive, _asked("STUDY", 3, None, {}), result_limit=4)
    assert (channel.statuses[-1], len(channel.pending), channel.limits) == (0xB001, 3, [])
    exact = _ask(archive, _asked("STUDY", STUDIES, None, {}))
    assert exact.finals[0][0] == 0x0000


@pytest.mark.requirement("RQ-006")
@pytest.mark.parametrize("prior", [b"nonsense", b"0" * 30])
def test_invalid_key_ends_with_a710(archive: Index, prior: bytes) -> None:
    channel = _ask(archive, _asked("STUDY", 3, prior, {}))
    assert channel.statuses == [0xA710]
    assert channel.finals[0][2] == (PRIOR_RECORD_KEY,)
    study = answers(_ask(archive, _asked("STUDY", 1, None, {})))[0]
    of_study = study[RECORD_KEY].values[0]
    assert _ask(archive, _asked("SERIES", 1, of_study, {})).statuses == [0xA710]


@pytest.mark.requirement("RQ-007")
def test_value_of_record_key_is_not_matched(archive: Index) -> None:
    asked = _asked("STUDY", None, None, {}) | {RECORD_KEY: Element("OB", (b"xx",))}
    assert len(_ask(archive, asked).pending) == STUDIES


@pytest.mark.parametrize(
    ("value", "found", "status"),
    [("", STUDIES, 0x0000), ("N", STUDIES, 0x0000), ("Y", 0, 0x0000), ("MAYBE", 0, 0xA900)],
)
def test_all_records_are_in_operational_use(
    archive: Index, value: str, found: int, status: int
) -> None:
    asked = _asked("STUDY", None, None, {"RemovedFromOperationalUse": value})
    channel = _ask(archive, asked)
    assert (len(channel.pending), channel.finals[0][0]) == (found, status)
    assert {pending for pending, _ in channel.pending} <= {0xFF00}
    assert all(each[0x00080405].values == ("N",) for each in answers(channel))
    plain = _ask(archive, _asked("STUDY", None, None, {}))
    assert all(0x00080405 not in each for each in answers(plain))


@pytest.mark.requirement("RQ-009")
def test_study_root_knows_no_records(archive: Index) -> None:
    """Study Root ignores what belongs to Repository Query, and cuts off with A700 as ever."""
    asked = _asked("STUDY", None, None, {})
    channel = ask(archive, asked, model=STUDY_ROOT.uid)
    assert channel.finals[0][0] == 0x0000
    assert len(channel.pending) == STUDIES
    assert all(RECORD_KEY not in each for each in answers(channel))
    cut = ask(archive, asked, model=STUDY_ROOT.uid, result_limit=2)
    assert cut.finals[0][0] == 0xA700


def test_pages_show_what_the_caller_may_see(archive: Index) -> None:
    visible = parse_visible(["PatientID=P1"])
    pages = _pages(archive, "STUDY", [1], {}, visible=visible)
    assert sorted(_uids([each for page in pages for each in page], "STUDY")) == [
        "1.2.1", "1.2.5", "1.2.9",
    ]  # fmt: skip


def test_explicit_vr_has_the_same_keys(archive: Index) -> None:
    asked = _asked("STUDY", None, None, {"PatientName": "N1"})
    syntax = EXPLICIT_VR_LITTLE_ENDIAN
    explicit = answers(_ask(archive, asked, syntax=syntax), syntax)
    assert explicit == answers(_ask(archive, asked))


def test_repository_is_a_model_of_its_own() -> None:
    """A rule for Study Root alone has no Repository Query."""
    uid = REPOSITORY_QUERY.uid
    assert Profile().allows(uid)
    assert not Profile(models=frozenset({STUDY_ROOT})).allows(uid)
    assert not Profile(services=frozenset({ServiceKind.STORE})).allows(uid)
    assert issubclass(RepositoryService, FindService)
