from datetime import UTC, datetime
from urllib.parse import parse_qsl

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dicomquest.web.box import Links, Reading, read_box

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


NUMBERS = {
    "A77-1203": {"AccessionNumber": 1},
    "77654033": {"PatientID": 6},
    "0012": {"StudyID": 2},
    "A77": {"AccessionNumber": 1, "PatientID": 12},
    "20240305": {"PatientID": 1},
}


class Index:
    """An index of a few numbers."""

    def counts(self, code: str) -> dict[str, int]:
        return NUMBERS.get(code, {})

    def beginning(self, code: str) -> int:
        return 3 if code == "B99" else 0


def read(text: str) -> Reading:
    return read_box(text, NOW, Index())


SENTENCES = {
    "": "All studies",
    "citizen 2024 MR knee": "MR studies of patients named citizen…, study date in 2024, "
    'description with "knee"',
    "jan citizen": "Studies of patients named jan… citizen… (any order)",
    "jan 2024 citizen": "Studies of patients named jan… citizen… (any order), study date in 2024",
    "Citizen, Jan": "Studies of patients with family name citizen…, given name jan…",
    "CITIZEN^JAN": "Studies of patients named CITIZEN^JAN exactly",
    "citi*^j?n": "Studies of patients named like citi*^j?n",
    "=山田*": "Studies of patients with ideographic name like 山田*",
    "山田": "Studies of patients named 山田…",
    "やまだ": "Studies of patients named やまだ…",
    "Müller": "Studies of patients named müller…",
    "محمد": "Studies of patients named محمد…",
    "~citizen": "Studies of patients named citizen… or sounding like it",
    '"van der Berg"': 'Studies of patients named with "van der Berg"',
    "2024": "Studies with study date in 2024",
    "2024-03": "Studies with study date in March 2024",
    "2024-03-05": "Studies with study date on 2024-03-05",
    "20240305": "Studies with study date on 2024-03-05",
    "2024-03..2024-05": "Studies with study date from 2024-03-01 to 2024-05-31",
    "..2024": "Studies with study date until 2024-12-31",
    "since 2024-03": "Studies with study date since 2024-03-01",
    "25/12/2024": "Studies with study date on 2024-12-25",
    "today": "Studies with study date 2026-11-28 (today)",
    "yesterday": "Studies with study date 2026-11-27 (yesterday)",
    "last week": "Studies with study date 2026-11-16 to 2026-11-22 (last week)",
    "last month": "Studies with study date 2026-10-01 to 2026-10-31 (last month)",
    "7 days": "Studies with study date 2026-11-21 to 2026-11-28 (7 days)",
    "CT MR": "CT or MR studies",
    "CT+SR": "Studies with both CT and SR",
    "ultrasound": "US studies",
    "mri": "MR studies",
    "x-ray": "CR or DX studies",
    "ＭＲ ２０２４": "MR studies with study date in 2024",  # noqa: RUF001  full-width letters
    "A77-1203": "Studies with accession number A77-1203",
    "77654033": "Studies with patient ID 77654033",
    "0012": "Studies with study ID 0012",
    "id:123^^^EAST": "Studies with patient ID 123, issuer of patient ID EAST",
    "acc:none": "Studies without accession number",
    "born:1970": "Studies of patients born in 1970",
    "sex:F": "Studies of female patients",
    "sex:male smith": "Studies of male patients named smith…",
    'desc:"status post"': 'Studies with description with "status post"',
    "station:MR2": "Studies with station MR2",
    "ref:smith": "Studies with referring physician named smith…",
    "uid:1.2.3": "Studies with study UID 1.2.3",
    "1.2.840.99.3": "Studies with study UID 1.2.840.99.3",
    "name:jan": "Studies of patients named jan…",
    "date:2024": "Studies with study date in 2024",
    "date:last-week": "Studies with study date 2026-11-16 to 2026-11-22 (last week)",
    "mod:CT": "CT studies",
    'mod:"CT, MR"': "CT or MR studies",
    'sex:"F , M"': "Studies with sex F or M",
    'uid:"1.2.3, 1.2.4"': "Studies with study UID one of 2",
    "BodyPartExamined:KNEE": "Studies with body part examined KNEE",
    "0018,0015:KNEE": "Studies with body part examined KNEE",
    '"MR"': 'Studies of patients named with "MR"',
    "citizen MR last month": "MR studies of patients named citizen…, "
    "study date 2026-10-01 to 2026-10-31 (last month)",
}


@pytest.mark.parametrize(("text", "sentence"), SENTENCES.items(), ids=SENTENCES)
def test_each_text_has_its_sentence(text: str, sentence: str) -> None:
    reading = read(text)
    assert reading.is_answerable
    assert reading.sentence == sentence


def test_several_kinds_are_a_choice_not_a_guess() -> None:
    reading = read("MR A77")
    assert not reading.is_answerable
    assert reading.question == (
        "A77 is the accession number of 1 study and the patient ID of 12 studies. Which?"
    )
    assert [each.text for each in reading.choices] == ["MR acc:A77", "MR id:A77"]


def test_an_unknown_code_says_so_and_offers() -> None:
    reading = read("B99")
    assert not reading.is_answerable
    assert reading.question == "B99 is no accession number, patient ID or study ID here."
    assert [(each.label, each.text) for each in reading.offers] == [
        ("3 patient IDs begin with B99", "id:B99*"),
        ("Look for B99 in names", "word:B99"),
    ]


def test_a_date_that_is_an_identifier_too_offers_it() -> None:
    reading = read("20240305 MR")
    assert reading.is_answerable
    assert [(each.label, each.text) for each in reading.offers] == [
        ("20240305 is also the patient ID of 1 study", "id:20240305 MR")
    ]


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        ("05/03/2024", ["2024-03-05", "2024-05-03"]),
        ("born:05/03/1970 MR", ["born:1970-03-05 MR", "born:1970-05-03 MR"]),
        ("A7*", ["acc:A7*", "id:A7*", "study:A7*"]),
    ],
)
def test_day_month_and_kind_are_not_guessed(text: str, choices: list[str]) -> None:
    reading = read(text)
    assert not reading.is_answerable
    assert [each.text for each in reading.choices] == choices
    assert all(read(each.text).is_answerable for each in reading.choices)


@pytest.mark.parametrize(
    ("text", "part", "words"),
    [
        ("MR 2024-13", "2024-13", "no such month"),
        ("2024-02-30", "2024-02-30", "February 2024 has 29 days"),
        ("citizen foo:bar", "foo:bar", "is no key. Write one of name: id:"),
        ("05/03/24", "05/03/24", "year first, with four digits"),
        ("2024-05..2024-03", "2024-05..2024-03", "ends before it begins"),
        ("citizen NOT knee", "NOT", "no NOT"),
        ("citizen OR smith", "OR", "no OR"),
        ("-citizen", "-citizen", "no NOT"),
        ("2024 2025", "2025", "given twice"),
        ("CT CT+SR", "CT+SR", "CT MR or CT+SR"),
        ("*", "*", "every study has that"),
        ("desc:", "desc:", "desc:none"),
        ("uid:x", "uid:x", "is no UID"),
        ("sex:x", "sex:x", "is no sex"),
        ("PixelData:1", "PixelData:1", "no query can match"),
        ("A\\B", "A\\B", "backslash"),
        ("StudyDaet:2024", "StudyDaet:2024", "Perhaps StudyDate"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, part: str, words: str) -> None:
    reading = read(text)
    assert not reading.is_answerable
    (trouble,) = reading.troubles
    assert reading.text[trouble.start : trouble.end] == part
    assert words in trouble.sentence
    assert trouble.sentence.endswith((".", "?"))


PARTS = st.one_of(
    st.sampled_from(
        [
            *SENTENCES, "last", "since", "none", "OR", "week", "7", "A77", "B99", "05/03/2024",
            "2024-13", "knee", "id:", "name:", '"', '""', ",", "^", "*", "~", "\\", ":", "..",
            "StudyDate:", "0010,0010:", "0023,xx01:Acme:x", "uid:", "mod:", "+", "1.2.3", "ref:~x",
            "word:none", "sex:", "time:10:11", "PatientAge:", "RequestAttributesSequence.",
        ]
    ),
    st.text(max_size=8),
    st.from_regex(r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.]?[0-9]{0,4}", fullmatch=True),
)  # fmt: skip
TEXTS = st.lists(st.tuples(PARTS, st.sampled_from(["", " ", " ", "\t"])), max_size=8).map(
    lambda parts: "".join(part + space for part, space in parts)
)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
@example("Citizen, JanCITIZEN^JAN")
@example("A77-1203 A77")
@example("77654033 B99")
@example("2024 1/2/0001")
def test_any_text_is_read_and_asks_or_says_why(text: str) -> None:
    reading = read(text)
    assert reading.sentence
    for trouble in reading.troubles:
        assert 0 <= trouble.start < trouble.end <= len(reading.text)
    if reading.is_answerable:
        assert len(reading.query().criteria) >= len(reading.keys)
    for link in (*reading.choices, *reading.offers):
        assert read(link.text).keys != reading.keys


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_an_address_has_the_question_again(text: str) -> None:
    links = Links()
    reading = read(text)
    address = links.address(reading)
    assert address.isascii()
    again = links.read(_parameters(address), NOW, Index())
    assert again is not None
    assert again.keys == reading.keys
    assert again.troubles == reading.troubles or not reading.is_answerable
    assert links.address(again) == address


def _parameters(address: str) -> list[tuple[str, str]]:
    return parse_qsl(address.replace("+", "%2B"), keep_blank_values=True)
