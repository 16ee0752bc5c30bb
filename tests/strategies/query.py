"""Hypothesis strategies for queries: hostile values, corpora of instances, identifiers.

Values come from small pools, so that keys and stored values meet often, and from free text. Decoded
values are as a decoder leaves them: NFC, without the padding that their VR makes insignificant.
Strategies are cached: to make and to validate them anew for each draw takes longer than to draw.
"""

# ruff: noqa: RUF001  these strategies are about letters that look like others
from __future__ import annotations

import unicodedata
from functools import cache
from typing import Any, NamedTuple

from hypothesis import strategies as st

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.query.options import QueryOptions
from dicomquest.standard.keys import KEYS, Storage
from dicomquest.standard.levels import Level
from dicomquest.standard.models import MODELS, PATIENT_ROOT, STUDY_ROOT, InformationModel
from dicomquest.standard.vr import VR, Kind, Spaces
from fixtures.building import tag_of

CHARACTERS = (
    "aAbBcC09 %_[]*?'\"()^$.-=#&/äÄßéÉøİıΣσςЖжЁ王小東山田太郎홍길동やまだヤマダﾔﾀﾞＡ＊？％＿𠮷ก็ไשלום"
)
WORDS = (
    "ABC", "abc", "A_C", "A%C", "AXC", "a[b]c", "[a-c]", "x*y", "what?", "O'Brien", 'say "hi"',
    '""', "Müller", "Muller", "ＡＢＣ", "A B", "-", "()", ".", "^", "$", "王小東",
    "홍길동", "ÅNGSTRÖM",
    "𠮷野家", "ก็", "CT", "MR",
    "e\u0301a",
)  # fmt: skip
NAMES = (
    "Doe^John", "DOE^JOHN^^^", "doe ^ john", "Doe", "John^Doe", "Müller^Änne", "MULLER^ANNE",
    "Citizen^Snip^^^",
    "Wang^XiaoDong=王^小東=", "=王^小東", "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎", "ヤマダ^タロウ",
    "Hong^Gildong=洪^吉洞=홍^길동", "O'Brien^Éamon", "Smith^Mary",
    "Smyth^Marie", "Smith^Mary^A^Dr^PhD",
    "Ｄｏｅ^Ｊｏｈｎ", "Люкceмбypг", "Διονυσιος", "*^?", "a_b%c", "^", "=",
    "A=B=C=D", "A^B^C^D^E^F",
    "von der Heide^Jan-Ove",
)  # fmt: skip
DATES = (
    "20240101", "20240102", "20231231", "20240229", "1999.05.31", "19990531", "20240230", "2024",
    "00010101",
    "99991231",
)  # fmt: skip
TIMES = (
    "120000", "12", "1200", "120030.5", "120030.500000", "235960", "2400", "12:30:00", "000000",
    "0030", "2330", "9",
)  # fmt: skip
DATE_TIMES = (
    "20240101120000", "20240101120000.5", "20240101130000+0100", "20240101", "2024", "202401",
    "20231231233000-0500",
    "20240101000000+1400", "20241301", "00010101000000+1400", "99991231235959-1200",
)  # fmt: skip
UIDS = ("1.2.3", "1.2.30", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "2.25.1")
POOLS: dict[str, tuple[Any, ...]] = {
    "PN": NAMES,
    "DA": DATES,
    "TM": TIMES,
    "DT": DATE_TIMES,
    "UI": UIDS,
    "IS": ("7", "007", "+7", "-7", "0", "-0", "2147483647", "1.0", "abc"),
    "DS": ("1.5", "1.50", "15E-1", "+1.5", ".5", "0.5", "-0.0", "1e400", "NaN"),
    "AS": ("030Y", "010M", "30Y"),
    "AT": (0x00100010, 0x00080018, 0x7FE00010),
    "US": (0, 1, 7, 65535),
    "SS": (0, 1, -7, 32767),
    "UL": (0, 1, 7, 2**32 - 1),
    "SL": (0, 1, -7, -(2**31)),
    "UV": (0, 1, 7, 2**64 - 1),
    "SV": (0, 1, -7, -(2**63)),
    "FL": (0.0, -0.0, 1.5, -2.0, 0.10000000149011612),
    "FD": (0.0, 0.1, 1.5, -2.0, 1e300),
}
BINARY = (b"\x01\x00", b"ABC ", b"\x00\xff", b"7 ")


class Attribute(NamedTuple):
    """An attribute to store and to ask for."""

    tag: int
    vr: str
    level: Level
    item: str = ""
    creator: str | None = None


def _attribute(keyword: str, vr: str, level: Level, item: str = "") -> Attribute:
    return Attribute(tag_of(keyword), vr, level, item)


CREATOR = "ACME 1.0"
# The attributes of each sequence's items: codes, references, or requests with codes nested inside.
_ITEMS = {"RequestAttributesSequence": "request", "OtherPatientIDsSequence": "patient"}
_UNIQUE = (
    "PatientID",
    "IssuerOfPatientID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
)
_KEYS = tuple(
    Attribute(key.tag, key.vr, key.level, _ITEMS.get(key.keyword, "code") if key.vr == "SQ" else "")
    for key in KEYS
    if key.storage is not Storage.COMPUTED and key.keyword not in _UNIQUE
)
_OTHERS = (
    _attribute("PatientAddress", "LO", Level.PATIENT),
    _attribute("PatientMotherBirthName", "PN", Level.PATIENT),
    _attribute("MedicalAlerts", "LO", Level.STUDY),
    _attribute("AdmittingDate", "DA", Level.STUDY),
    _attribute("AdmittingTime", "TM", Level.STUDY),
    _attribute("LastMenstrualDate", "DA", Level.STUDY),
    _attribute("AdmittingDiagnosesCodeSequence", "SQ", Level.STUDY, "code"),
    _attribute("PregnancyStatus", "US", Level.STUDY),
    _attribute("GantryID", "LO", Level.SERIES),
    _attribute("SmallestPixelValueInSeries", "US", Level.SERIES),
    _attribute("StationAETitle", "AE", Level.IMAGE),
    _attribute("Rows", "US", Level.IMAGE),
    _attribute("ReferencePixelX0", "SL", Level.IMAGE),
    _attribute("TagAngleSecondAxis", "SS", Level.IMAGE),
    _attribute("RegionFlags", "UL", Level.IMAGE),
    _attribute("FileOffsetInContainer", "UV", Level.IMAGE),
    _attribute("FrameIncrementPointer", "AT", Level.IMAGE),
    _attribute("RecommendedDisplayFrameRateInFloat", "FL", Level.IMAGE),
    _attribute("ExposureTimeInms", "FD", Level.IMAGE),
    _attribute("PixelSpacing", "DS", Level.IMAGE),
    _attribute("TextValue", "UT", Level.IMAGE),
    _attribute("RetrieveURL", "UR", Level.IMAGE),
    _attribute("LongCodeValue", "UC", Level.IMAGE),
    _attribute("DerivationDescription", "ST", Level.IMAGE),
    _attribute("AnatomicRegionSequence", "SQ", Level.IMAGE, "code"),
    _attribute("ICCProfile", "OB", Level.IMAGE),
    Attribute(0x00090001, "LO", Level.IMAGE, "", CREATOR),
    Attribute(0x00090002, "DS", Level.IMAGE, "", CREATOR),
    Attribute(0x00090003, "UN", Level.IMAGE, "", CREATOR),
    Attribute(0x00090004, "SQ", Level.IMAGE, "code", CREATOR),
    Attribute(0x00090005, "DA", Level.IMAGE, "", CREATOR),
    Attribute(0x00090006, "US", Level.IMAGE, "", CREATOR),
)
ATTRIBUTES = _KEYS + _OTHERS
BY_LEVEL = {level: tuple(each for each in ATTRIBUTES if each.level is level) for level in Level}
ITEM_ATTRIBUTES: dict[str, tuple[Attribute, ...]] = {
    "code": (
        _attribute("CodeValue", "SH", Level.IMAGE),
        _attribute("CodingSchemeDesignator", "SH", Level.IMAGE),
        _attribute("CodeMeaning", "LO", Level.IMAGE),
        _attribute("ContextGroupVersion", "DT", Level.IMAGE),
        Attribute(0x00090001, "LO", Level.IMAGE, "", CREATOR),
    ),
    "request": (
        _attribute("ScheduledProcedureStepID", "SH", Level.IMAGE),
        _attribute("RequestedProcedureID", "SH", Level.IMAGE),
        _attribute("ScheduledProcedureStepStartDate", "DA", Level.IMAGE),
        _attribute("ScheduledProcedureStepStartTime", "TM", Level.IMAGE),
        _attribute("ReasonForTheRequestedProcedure", "LO", Level.IMAGE),
        _attribute("RequestingPhysician", "PN", Level.IMAGE),
        _attribute("ScheduledProtocolCodeSequence", "SQ", Level.IMAGE, "code"),
    ),
    "patient": (
        _attribute("PatientID", "LO", Level.IMAGE),
        _attribute("IssuerOfPatientID", "LO", Level.IMAGE),
        _attribute("TypeOfPatientID", "CS", Level.IMAGE),
    ),
}


def clean(vr: str, text: str) -> str:
    """A text as a decoder leaves it."""
    row = VR[vr]
    text = unicodedata.normalize("NFC", text.replace("\\", "") if row.multiple else text)
    return text.strip(" ") if row.spaces is Spaces.BOTH else text.rstrip(" ")


@cache
def free_texts(vr: str) -> st.SearchStrategy[str]:
    """Texts of hostile characters, decoded."""
    alphabet = CHARACTERS if VR[vr].multiple else CHARACTERS + "\\"
    return st.text(alphabet, max_size=8).map(lambda text: clean(vr, text))


@cache
def values(vr: str) -> st.SearchStrategy[Any]:
    """One stored value; of a text VR it may be empty."""
    if VR[vr].kind is Kind.OPAQUE:
        return st.sampled_from(BINARY)
    pool = POOLS.get(vr) or tuple(clean(vr, word) for word in WORDS)
    pooled = st.sampled_from(pool)
    return pooled if VR[vr].kind is not Kind.TEXT else st.one_of(pooled, pooled, free_texts(vr))


@cache
def elements(attribute: Attribute) -> st.SearchStrategy[Element]:
    """A stored element: none, one or several values, whatever its VM."""
    if attribute.vr == "SQ":
        return st.lists(items(attribute.item), max_size=3).map(
            lambda found: Element("SQ", tuple(found))
        )
    one = values(attribute.vr).map(lambda value: (value,))
    if not VR[attribute.vr].multiple:
        return st.one_of(one, one, st.just(())).map(lambda found: Element(attribute.vr, found))
    several = st.lists(values(attribute.vr), max_size=3).map(tuple)
    return st.one_of(one, one, several).map(
        lambda found: Element(attribute.vr, () if found == ("",) else found)
    )


@cache
@st.composite
def items(draw: st.DrawFn, kind: str) -> DataSet:
    """An item of a sequence with some of its attributes."""
    chosen = draw(st.lists(st.sampled_from(ITEM_ATTRIBUTES[kind]), max_size=4, unique=True))
    return _assembled(draw, chosen, elements)


def _assembled(draw: st.DrawFn, chosen: list[Attribute], of: Any) -> DataSet:
    """The chosen attributes with values of ``of``; private ones are in a block of their own."""
    block = draw(st.sampled_from((0x10, 0x11, 0xFF)))
    found: DataSet = {}
    for attribute in chosen:
        tag = attribute.tag
        if attribute.creator is not None:
            tag |= block << 8
            found[tag & 0xFFFF0000 | block] = Element("LO", (attribute.creator,))
        found[tag] = draw(of(attribute))
    return dict(sorted(found.items()))


@cache
@st.composite
def corpora(
    draw: st.DrawFn, max_patients: int = 3, max_children: int = 2, *, again: bool = False
) -> list[DataSet]:
    """Instances of a few patients in the order received; entities above conflict now and then.

    Some patients have the ID of another one, but demographics of their own.
    With ``again``, some come again, altered, and some of these in another series, study or patient.
    """
    found: list[DataSet] = []
    identities: list[DataSet] = []
    for patient in range(draw(st.integers(0, max_patients))):
        identity = {
            tag_of("PatientID"): draw(elements(_attribute("PatientID", "LO", Level.PATIENT))),
            tag_of("IssuerOfPatientID"): draw(
                st.sampled_from((Element("LO", ()), Element("LO", ("H1",))))
            ),
        }
        is_shared: bool = draw(st.booleans())
        if identities and is_shared:
            identity = draw(st.sampled_from(identities))
        identities.append(identity)
        of_patient = draw(_chosen(Level.PATIENT))
        for study in range(draw(st.integers(1, max_children))):
            of_study = draw(_chosen(Level.STUDY))
            for series in range(draw(st.integers(1, max_children))):
                of_series = draw(_chosen(Level.SERIES))
                for number in range(draw(st.integers(1, max_children))):
                    uids = _uids(f"1.2.{patient}.{study}", f"{series}", f"{number}")
                    conflict = (
                        draw(_chosen(draw(st.sampled_from(Level)))) if draw(st.booleans()) else {}
                    )
                    own = draw(_chosen(Level.IMAGE))
                    merged = of_patient | of_study | of_series | own | conflict | identity | uids
                    found.append(dict(sorted(merged.items())))
    found = draw(st.permutations(found)) if len(found) < 8 else found
    return found + draw(st.lists(_received_again(found), max_size=3)) if again and found else found


@st.composite
def _received_again(draw: st.DrawFn, corpus: list[DataSet]) -> DataSet:
    altered = draw(st.sampled_from(corpus)) | draw(_chosen(draw(st.sampled_from(Level))))
    other = draw(st.sampled_from(corpus))
    moves = draw(
        st.sampled_from(
            ((), ("SeriesInstanceUID",), ("SeriesInstanceUID", "StudyInstanceUID"), ("PatientID",))
        )
    )
    return dict(
        sorted((altered | {tag_of(keyword): other[tag_of(keyword)] for keyword in moves}).items())
    )


def _uids(study: str, series: str, number: str) -> DataSet:
    return {
        tag_of("StudyInstanceUID"): Element("UI", (study,)),
        tag_of("SeriesInstanceUID"): Element("UI", (f"{study}.{series}",)),
        tag_of("SOPInstanceUID"): Element("UI", (f"{study}.{series}.{number}",)),
    }


@cache
@st.composite
def _chosen(draw: st.DrawFn, level: Level) -> DataSet:
    chosen = draw(st.lists(st.sampled_from(BY_LEVEL[level]), max_size=5, unique=True))
    found = _assembled(draw, chosen, elements)
    if draw(st.integers(0, 3)) == 0:
        zone = draw(st.sampled_from(("+0100", "-0500", "+1400", "bad")))
        found[tag_of("TimezoneOffsetFromUTC")] = Element("SH", (zone,))
    return found


@cache
def key_texts(vr: str) -> st.SearchStrategy[str]:
    """One key value of a text VR: a stored one, with wild cards put in, a range, or anything."""
    pooled = values(vr).filter(bool)
    if vr in {"DA", "TM", "DT"}:
        open_ended = st.one_of(pooled.map(lambda a: f"{a}-"), pooled.map(lambda b: f"-{b}"))
        return st.one_of(pooled, open_ended, st.tuples(pooled, pooled).map("-".join))
    return st.one_of(pooled, pooled, wild_cards(pooled), free_texts(vr).filter(bool))


@st.composite
def wild_cards(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> str:
    """A text with some of its characters replaced by wild cards."""
    text = draw(texts)
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, len(text)))
    return (
        text[:start]
        + draw(st.sampled_from(("*", "?", "?*", "**", "?" * (end - start))))
        + text[end:]
    )


@cache
def key_elements(attribute: Attribute) -> st.SearchStrategy[Element]:
    """A key: universal, one value, several, the empty-value key, or an item."""
    vr = attribute.vr
    universal = st.just(Element(vr, ()))
    if vr == "SQ":
        item = key_items(attribute.item).map(lambda found: Element("SQ", (found,)))
        return st.one_of(universal, item, item, item)
    if VR[vr].kind is not Kind.TEXT:
        return st.one_of(universal, values(vr).map(lambda value: Element(vr, (value,))))
    one = key_texts(vr).map(lambda text: Element(vr, (text,)))
    several = st.lists(key_texts(vr), min_size=2, max_size=3).map(
        lambda texts: Element(vr, tuple(texts))
    )
    empty = st.just(Element(vr, ('""',)))
    return st.one_of(universal, one, one, one, several if VR[vr].multiple else one, empty)


@cache
@st.composite
def key_items(draw: st.DrawFn, kind: str) -> DataSet:
    """The one item of a sequence key."""
    chosen = draw(st.lists(st.sampled_from(ITEM_ATTRIBUTES[kind]), max_size=3, unique=True))
    return _assembled(draw, chosen, key_elements)


@cache
def query_options() -> st.SearchStrategy[QueryOptions]:
    """Lenient options, each negotiated one on or off."""
    flag = st.booleans()
    return st.builds(
        QueryOptions,
        relational=flag,
        combined_datetime=flag,
        fuzzy=flag,
        timezone_adjustment=flag,
        empty_value=flag,
        multiple_value=flag,
        unknown_matches=flag,
        ignore_case=flag,
        timezone_offset_minutes=st.sampled_from((0, 60, -300)),
    )


class Asked(NamedTuple):
    """An identifier and how it is to be read."""

    identifier: DataSet
    model: InformationModel
    options: QueryOptions


_COMPUTED = tuple(
    Attribute(key.tag, key.vr, key.level, "code") for key in KEYS if key.storage is Storage.COMPUTED
)
_UNIQUE_ATTRIBUTES = {
    Level.PATIENT: _attribute("PatientID", "LO", Level.PATIENT),
    Level.STUDY: _attribute("StudyInstanceUID", "UI", Level.STUDY),
    Level.SERIES: _attribute("SeriesInstanceUID", "UI", Level.SERIES),
    Level.IMAGE: _attribute("SOPInstanceUID", "UI", Level.IMAGE),
}
_STORED_UIDS = {
    Level.STUDY: ("1.2.0.0", "1.2.0.1", "1.2.1.0", "9.9"),
    Level.SERIES: ("1.2.0.0.0", "1.2.0.1.0", "9.9"),
    Level.IMAGE: ("1.2.0.0.0.0", "1.2.0.0.0.1", "9.9"),
}


@cache
@st.composite
def queries(draw: st.DrawFn) -> Asked:
    """An identifier with keys of all levels, which the parser may have to reject."""
    model = draw(st.sampled_from((*MODELS, PATIENT_ROOT, STUDY_ROOT)))
    level = draw(st.sampled_from(model.levels))
    # Mostly keys of the level, some of others, computed ones, and elements that restrict nothing.
    near = [each for at in Level if model.query_level(at) <= level for each in BY_LEVEL[at]]
    chosen = draw(st.lists(st.sampled_from(near), max_size=3, unique=True))
    if draw(st.booleans()):
        chosen.append(draw(st.sampled_from(ATTRIBUTES + _COMPUTED)))
    identifier = _assembled(draw, chosen, key_elements)
    for at, attribute in _UNIQUE_ATTRIBUTES.items():
        if draw(st.integers(0, 2)) == 0:
            identifier[attribute.tag] = draw(_unique_elements(at, attribute))
    if draw(st.integers(0, 3)) == 0:
        identifier[tag_of("TimezoneOffsetFromUTC")] = Element(
            "SH", (draw(st.sampled_from(("+0100", "-0500"))),)
        )
    identifier[tag_of("QueryRetrieveLevel")] = Element("CS", (level.name,))
    return Asked(dict(sorted(identifier.items())), model, draw(query_options()))


@cache
def _unique_elements(level: Level, attribute: Attribute) -> st.SearchStrategy[Element]:
    if level is Level.PATIENT:
        return key_elements(attribute)
    uids = st.lists(st.sampled_from(_STORED_UIDS[level]), max_size=3).map(tuple)
    return uids.map(lambda found: Element("UI", found))
