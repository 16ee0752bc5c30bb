import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicomquest.index import Index
from dicomquest.query.criteria import FuzzyName, HasValue, KeyCriterion
from dicomquest.web.box import Reading, read_box
from dicomquest.web.box.printed_lines import asked_by_qido, find_line, qido_line
from fixtures.web import Browser, three_studies

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)

WORDS = st.sampled_from(
    [
        "citizen", "Citizen, Jan", "CITIZEN^JAN", "citi*^j?n", "=山田*", "~smith", '"van der Berg"',
        "knee", "desc:a*b", "CT", "MR", "CT+SR", "x-ray", "2024", "2024-03..2024-05", "since 2024",
        "last month", "acc:A77-1203", "acc:none", "id:123^^^EAST", "born:1970", "sex:F", "ref:none",
        "station:MR2", "uid:1.2.3", "uid:1.2,1.3", "BodyPartExamined:KNEE", "acc:a,b&c=d", "id:%41",
        "0018,0015:ARM", "time:10:11", "PatientAge:045Y", "RequestedProcedureID:x",
        "RequestAttributesSequence.ScheduledProcedureStepID:SPS1", "0023,xx01:Acme:x",
    ]
)  # fmt: skip
READINGS = (
    st.lists(WORDS, min_size=1, max_size=5, unique=True)
    .map(lambda words: read_box(" ".join(words), NOW))
    .filter(lambda reading: reading.is_answerable)
)


def asked(reading: Reading) -> set[KeyCriterion]:
    return {each for each in reading.query().criteria if not isinstance(each.criterion, HasValue)}


def pairs_of(address: str) -> list[tuple[str, str]]:
    query = address.partition("?")[2]
    parts = (part.partition("=") for part in query.split("&") if part)
    return [(unquote(name), unquote(value)) for name, _, value in parts]


@settings(max_examples=300, deadline=None)
@given(READINGS)
def test_the_qido_line_asks_the_same_or_says_not(reading: Reading) -> None:
    line = qido_line(reading)
    assert line.text.isascii()
    again = set(asked_by_qido(pairs_of(line.text)))
    assert (again == asked(reading)) == (not line.remark)


@settings(max_examples=200, deadline=None)
@given(READINGS)
def test_the_find_line_has_each_key_or_says_not(reading: Reading) -> None:
    line = find_line(reading)
    words = shlex.split(line.text)
    assert words[:4] == ["dicomquest", "find", "--index", "scans.sqlite"]
    assert len({*words[4:]} - {"--fuzzy", "--ignore-case", "--offer", "empty-value"}) == len(
        {key.keyword for key in reading.keys}
    )
    if not line.remark:
        for key in reading.keys:
            assert f"{key.keyword}={key.value}" in words


@pytest.mark.parametrize(
    ("text", "find", "qido", "remark"),
    [
        ("acc:A77 MR 2024",
         "AccessionNumber=A77 ModalitiesInStudy=MR StudyDate=20240101-20241231",
         "AccessionNumber=A77&ModalitiesInStudy=MR&StudyDate=20240101-20241231", ""),
        ("citizen", "--fuzzy PatientName=citizen", "PatientName=citizen&fuzzymatching=true",
         "It also finds names that sound alike."),
        ("~citizen", "--fuzzy PatientName=citizen", "PatientName=citizen&fuzzymatching=true", ""),
        ("desc:kn?e", "--ignore-case 'StudyDescription=kn?e'",
         "StudyDescription=kn%3Fe&ignorecase=true", ""),
        ("CT MR", r"'ModalitiesInStudy=CT\MR'", "ModalitiesInStudy=CT%5CMR", ""),
        ("CT+SR", r"'ModalitiesInStudy=CT\SR'",
         "ModalitiesInStudy=CT,SR&multiplevaluematching=true", ""),
        ("acc:none", "--offer empty-value 'AccessionNumber=\"\"'",
         "AccessionNumber=%22%22&emptyvaluematching=true", ""),
    ],
)  # fmt: skip
def test_lines_read_as_people_write_them(text: str, find: str, qido: str, remark: str) -> None:
    reading = read_box(text, NOW)
    assert find_line(reading).text == f"dicomquest find --index scans.sqlite {find}"
    assert qido_line(reading).text == f"/dicom-web/studies?{qido}"
    assert qido_line(reading).remark == remark


@pytest.mark.parametrize(
    ("text", "remark"),
    [("citizen", "It also finds names that sound alike."), ("~citizen", "")],
)
def test_the_find_line_asks_for_words_of_names(text: str, remark: str) -> None:
    assert find_line(read_box(text, NOW)).remark == remark


def test_words_of_a_name_do_not_sound_unless_asked() -> None:
    def codes(text: str) -> set[str]:
        (key,) = read_box(text, NOW).query().criteria
        assert isinstance(key.criterion, FuzzyName)
        return {word.code for word in key.criterion.words}

    assert codes("citizen") == {""}
    assert codes("~citizen") != {""}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index(tmp_path_factory.mktemp("lines") / "index.sqlite") as opened:
        three_studies(opened)
        yield opened


STORED = [
    "müller", "Müller, Jörg", "MULLER^JORG", "mu*^j?rg", "=山田*", "山田", "山田太郎", "~miller",
    "taro yamada", '"+neill"', "CT", "MR", "CT+MR", "CT MR", "2024", "2024-01-02",
    "2024-01-02..2024-01-03",
    "since 2024-01-02", "acc:A1", "acc:none", "id:P1", "sex:F", "sex:none", "desc:study",
    "desc:s*,?2", 'desc:"STUDY, 3"', "ref:refer", "study:S2", "time:10:11", "1.2.3.4",
    "RequestAttributesSequence.ScheduledProcedureStepID:SPS1", "mod:US", "born:none",
]  # fmt: skip


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from(STORED), max_size=2, unique=True))
def test_the_qido_line_finds_the_same_or_says_not(index: Index, texts: list[str]) -> None:
    reading = read_box(" ".join(texts), NOW)
    if not reading.is_answerable:
        return
    own = {str(each[0x0020000D].values[0]) for each in index.find_data_sets(reading.query())}
    line = qido_line(reading)
    found = Browser(index).matches(line.text.removeprefix("/dicom-web"))
    uids = {match["0020000D"]["Value"][0] for match in found}
    assert uids == own or line.remark


@pytest.mark.parametrize(
    ("text", "count"),
    [("müller", 1), ("MÜLLER, jörg", 1), ("山田", 1), ("山田太郎", 1),
     ("~miller", 1), ("miller", 0), ("acc:none", 1), ("sex:F", 1), ("desc:STUDY", 3),
     ("CT+MR", 2), ("CT MR", 3), ("2024", 3)],
)  # fmt: skip
def test_texts_find_what_they_say(index: Index, text: str, count: int) -> None:
    assert len(index.find_data_sets(read_box(text, NOW).query())) == count


def test_the_find_line_names_a_peer() -> None:
    target = ("pacs.example", "11112", "--aec", "MAIN")
    line = find_line(read_box("desc:knee 2024", NOW), target)
    assert line.text.startswith("dicomquest find pacs.example 11112 --aec MAIN StudyDate=2024")
    assert "--ignore-case" not in line.text
    assert line.remark.startswith("It asks in another way:")
