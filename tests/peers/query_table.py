"""A hundred queries over ``realistic``, one row each, with the clause of PS3.4 that decides."""

from __future__ import annotations

from dataclasses import dataclass

from peers.realistic import uid


@dataclass(frozen=True, slots=True)
class Row:
    """One query, with ``keys`` in findscu's form, and the number of matches, counted by hand."""

    level: str
    keys: dict[str, str]
    clause: str
    found: int
    says: str
    model: str = "study"


def _names(*rows: tuple[str, int, str]) -> tuple[Row, ...]:
    return tuple(
        Row("PATIENT", {"PatientName": key}, "C.2.2.2.1.1", found, says, "patient")
        for key, found, says in rows
    )


def _wild(keyword: str, *rows: tuple[str, int, str]) -> tuple[Row, ...]:
    return tuple(
        Row("STUDY", {keyword: key}, "C.2.2.2.4", found, says) for key, found, says in rows
    )


def _study(clause: str, found: int, says: str, **keys: str) -> Row:
    return Row("STUDY", keys, clause, found, says)


STUDY_1, STUDY_31 = uid(1), uid(31)

ROWS: tuple[Row, ...] = (
    # Universal matching.
    Row("PATIENT", {}, "C.4.1.3.1", 22, "one response a patient", "patient"),
    Row("STUDY", {}, "C.4.1.3.1", 32, "one response a study"),
    Row("PATIENT", {"PatientName": "*"}, "C.2.2.2.4", 22, "* alone is universal", "patient"),
    _study("C.2.2.2.4", 32, "* alone is universal, also for an empty value", AccessionNumber="*"),
    _study("C.2.2.2.3", 32, "a key without value is universal", StudyDate="", StudyTime="",
        PatientName=""),
    # Person names.
    *_names(
        ("CITIZEN^Jan", 1, "a name as stored"),
        ("citizen^jan", 1, "person names may be matched without regard to case; ours are"),
        ("CITIZEN^Snip", 1, "trailing empty components mean nothing (PS3.5 6.2.1)"),
        ("CITIZEN^Snip^^^", 1, "trailing empty components mean nothing (PS3.5 6.2.1)"),
        ("CITIZEN*", 4, "* is any sequence of characters; case need not count in names"),
        ("CITIZEN^*", 3, "^ is literal; case need not count in names"),
        ("CITIZEN^J?n", 1, "? is one character"),
        ("CITIZEN^J?", 0, "? is exactly one character"),
        ("DOE", 1, "without a wild card the whole name must match"),
        ("DOE*", 3, "DOE alone and with given names"),
        ("*^JANE*", 1, "a wild card in front"),
        ("DOE^JANE^MARIE^DR^PHD", 1, "five components"),
        ("*", 22, "universal"),
        ("NOBODY", 0, "no match is Success without a response"),
    ),
    Row("PATIENT", {"PatientName": "Müller^Jürgen"}, "C.2.2.2.1.1", 2,
        "Latin-1 stored, UTF-8 asked; accents need not count in names", "patient"),
    Row("PATIENT", {"PatientName": "M?ller*"}, "C.2.2.2.4", 2, "? is one character, not one byte",
        "patient"),
    Row("PATIENT", {"PatientName": "Buc^J?r?me"}, "C.2.2.2.4", 1,
        "? is one character, not one byte", "patient"),
    Row("PATIENT", {"PatientName": "Yamada^Tarou"}, "C.2.2.2.1.1", 1, "the alphabetic group alone",
        "patient"),
    Row("PATIENT", {"PatientName": "山田^太郎"}, "C.2.2.2.1.1", 1, "the ideographic group alone",
        "patient"),
    Row("PATIENT", {"PatientName": "山田*"}, "C.2.2.2.4", 1, "a prefix of the ideographic group",
        "patient"),
    Row("PATIENT", {"PatientName": "やまだ^たろう"}, "C.2.2.2.1.1", 1, "the phonetic group alone",
        "patient"),
    Row("PATIENT", {"PatientName": "홍^길동"}, "C.2.2.2.1.1", 1, "the phonetic group alone, Korean",
        "patient"),
    Row("PATIENT", {"PatientName": "*=山田*"}, "C.2.2.2.4", 1, "group by group", "patient"),
    Row("PATIENT", {"PatientName": "王^小东"}, "C.2.2.2.1.1", 1, "GB18030 stored, UTF-8 asked",
        "patient"),
    Row("PATIENT", {"PatientName": "Διονυσιος"}, "C.2.2.2.1.1", 1, "Greek stored, UTF-8 asked",
        "patient"),
    Row("PATIENT", {"PatientName": "שרון^דבורה"}, "C.2.2.2.1.1", 1, "Hebrew stored, UTF-8 asked",
        "patient"),
    Row("PATIENT", {"PatientName": "قباني*"}, "C.2.2.2.4", 1, "Arabic stored, UTF-8 asked",
        "patient"),
    Row("PATIENT", {"PatientName": "นาย^สมชาย"}, "C.2.2.2.1.1", 1, "Thai stored, UTF-8 asked",
        "patient"),
    # Text of other VRs: case-sensitive, and nothing but * and ? is special.
    *_wild(
        "PatientID",
        ("A_1", 1, "_ is literal"),
        ("A_?", 1, "_ is literal beside a wild card"),
        ("A%*", 3, "% is literal"),
        ("A?1", 9, "? is one character"),
        ("A*1", 11, "* is none or more characters"),
        ("[7]", 1, "[ and ] are literal"),
        ("[7*", 1, "[ is literal beside a wild card"),
        ("0007", 1, "leading zeros are part of text"),
        ("7", 1, "leading zeros are part of text"),
        ("a_1", 0, "text is case-sensitive"),
        ("IE*", 1, "a space inside a value counts"),
    ),
    *_wild(
        "StudyDescription",
        ("HEAD CT", 1, "as stored"),
        ("head*", 1, "text is case-sensitive"),
        ("KNEE 50%*", 1, "% is literal"),
        ("*50%_A", 1, "% and _ are literal"),
        ("[CT]*", 1, "[ and ] are literal"),
        ("CT?THORAX", 2, "? fits * and a space"),
        ("CHEST", 8, "as stored"),
        ("*CHEST*", 9, "wild cards at both ends"),
        ("SCH?DEL", 2, "? is one character, not one byte"),
        ("胸部", 1, "kanji in a description"),
        ("?部", 1, "? is one character, not one byte"),
        ("T*E", 1, "* inside"),
    ),
    *_wild(
        "AccessionNumber",
        ("A001", 1, "as stored; case counts"),
        ("a001", 1, "as stored; case counts"),
        ("A_06", 1, "_ is literal"),
        ("A?06", 2, "? is one character"),
        ("A00*", 8, "a prefix"),
        ("*6", 3, "a suffix"),
    ),
    _study("C.2.2.2.1", 1, "an insignificant space at the end", AccessionNumber="A001 "),
    # Dates and times.
    _study("C.2.2.2.1", 2, "one day", StudyDate="20240210"),
    _study("C.2.2.2.5", 4, "from a day to a day, both included", StudyDate="20230704-20230706"),
    _study("C.2.2.2.5", 1, "one day as a range", StudyDate="20240105-20240105"),
    _study("C.2.2.2.5", 7, "from a day on", StudyDate="20240101-"),
    _study("C.2.2.2.5", 2, "up to a day; an unknown date is in no range, unless switched on",
        StudyDate="-20200101"),
    _study("C.2.2.2.5", 1, "a leap day in a range", StudyDate="20200228-20200301"),
    _study("C.4.1.1.4", 0, "no date: an error, never everything", StudyDate="2024-01-05"),
    _study("C.4.1.1.4", 0, "no day of the calendar: an error, never everything",
        StudyDate="20241301"),
    _study("C.2.2.2.5", 0, "a range from later to earlier: an error, never everything",
        StudyDate="20240201-20240101"),
    _study("C.2.2.2.5", 0, "a hyphen alone: an error, never everything", StudyDate="-"),
    _study("C.2.2.2.1.3", 7, "1200 is twelve o'clock, its minute", StudyTime="1200"),
    _study("C.2.2.2.1.3", 5, "120000 is also 1200 and 12", StudyTime="120000"),
    _study("C.2.2.2.1.3", 2, "073000 is also 0730", StudyTime="073000"),
    _study("C.2.2.2.1.3", 1, "trailing zeros of a fraction mean nothing", StudyTime="235959.500"),
    _study("C.2.2.2.5", 8, "from a time to a time", StudyTime="1200-1201"),
    _study("C.2.2.2.5", 3, "the last minute of the day, its fraction too", StudyTime="2359-"),
    _study("C.2.2.2.5", 4, "up to a time; an unknown time is in no range, unless switched on",
        StudyTime="-0730"),
    _study("C.2.2.2.5", 30, "the whole day: 235959 is that second to its end",
        StudyTime="000000-235959"),
    _study("C.2.2.2.5", 3, "date and time ranges are independent",
           StudyDate="20240101-20240430", StudyTime="0900-1100"),
    # Lists of UIDs.
    _study("C.2.2.2.2", 2, "a list of UIDs", StudyInstanceUID=f"{STUDY_1}\\{uid(2)}\\{uid(999)}"),
    _study("C.2.2.2.2", 1, "a UID twice in the list", StudyInstanceUID=f"{STUDY_1}\\{STUDY_1}"),
    _study("C.2.2.2.1", 1, "one UID", StudyInstanceUID=STUDY_1),
    _study("C.2.2.2.1", 0, "a UID is no prefix", StudyInstanceUID=uid()),
    _study("C.2.2.2.4", 0, "no wild cards in UIDs", StudyInstanceUID=f"{uid()}.?"),
    Row("SERIES", {"StudyInstanceUID": STUDY_31,
        "SeriesInstanceUID": f"{uid(31, 1)}\\{uid(31, 3)}"}, "C.2.2.2.2",
        2, "a list of UIDs at SERIES level"),
    Row("IMAGE", {"StudyInstanceUID": STUDY_1, "SeriesInstanceUID": uid(1, 1),
                  "SOPInstanceUID": f"{uid(1, 1, 2)}\\{uid(1, 1, 5)}"}, "C.2.2.2.2", 2,
        "a list of UIDs at IMAGE level"),
    # Computed keys.
    _study("C.3.4", 3, "an optional key: studies with a series of this modality",
        ModalitiesInStudy="SR"),
    _study("C.3.4", 26, "any value of the key, any series", ModalitiesInStudy="CT\\MR"),
    _study("C.2.2.2.4", 3, "a wild card against each modality", ModalitiesInStudy="P*"),
    _study("C.3.4", 1, "a modality and a date", ModalitiesInStudy="PT",
        StudyDate="20210101-20211231"),
    _study("C.3.4", 3, "an optional key: studies with an instance of this SOP class",
           SOPClassesInStudy="1.2.840.10008.5.1.4.1.1.88.33"),
    # Hierarchy.
    Row("SERIES", {"StudyInstanceUID": STUDY_1}, "C.4.1.3.1.1", 2, "the series of a study"),
    Row("SERIES", {"StudyInstanceUID": STUDY_1, "Modality": "SR"}, "C.4.1.3.1.1", 1,
        "the series of a modality"),
    Row("SERIES", {"StudyInstanceUID": uid(4), "SeriesNumber": "7"}, "C.2.2.2.1", 1, "a number"),
    Row("SERIES", {"StudyInstanceUID": uid(4), "SeriesNumber": "007"}, "C.2.2.2.1", 1,
        "numbers by value, which is ours to choose"),
    Row("SERIES", {"StudyInstanceUID": uid(999)}, "C.4.1.3.1.1", 0,
        "an unknown study: Success without a response"),
    Row("IMAGE", {"StudyInstanceUID": STUDY_1, "SeriesInstanceUID": uid(1, 1)}, "C.4.1.3.1.1", 8,
        "all instances"),
    Row("IMAGE", {"StudyInstanceUID": STUDY_1, "SeriesInstanceUID": uid(1, 1),
        "InstanceNumber": "3"}, "C.2.2.2.1",
        1, "one number"),
    Row("IMAGE", {"StudyInstanceUID": STUDY_1, "SeriesInstanceUID": uid(1, 2)}, "C.3.1", 1,
        "SR, too"),
    Row("STUDY", {"PatientID": "12345678"}, "C.4.1.3.1.1", 4, "the studies of a patient",
        "patient"),
    Row("SERIES", {"PatientID": "12345678", "StudyInstanceUID": STUDY_1}, "C.4.1.3.1.1", 2,
        "from the patient down",
        "patient"),
    Row("SERIES", {"PatientID": "JP1", "StudyInstanceUID": STUDY_1}, "C.4.1.3.1.1",
        0, "a study that is not this patient's", "patient"),
    _study("C.4.1.3.1", 3, "two keys are ANDed", PatientName="DOE*", StudyDate="20240101-"),
    # Optional keys, multiple values, sequences.
    _study("C.2.2.1.3", 32, "an optional key: Referring Physician's Name",
        ReferringPhysicianName="WELBY*"),
    _study("C.2.2.1.3", 12, "an optional key: Patient's Sex", PatientSex="F"),
    _study("C.2.2.1.3", 3, "an optional key: Patient's Birth Date, a range",
        PatientBirthDate="19800101-19801231"),
    _study("C.2.2.2.1", 2, "an optional key: Patient's Weight, 70 and 70.0 alike",
        PatientWeight="70"),
    _study("C.2.2.1.3", 1, "an optional key: Patient's Age", PatientAge="050Y"),
    _study("C.2.2.3", 1, "one of several stored values", NameOfPhysiciansReadingStudy="READER^TWO"),
    Row("PATIENT", {"OtherPatientNames": "MAIDEN*"}, "C.2.2.3", 1, "one of several stored values",
        "patient"),
    Row("PATIENT", {"IssuerOfPatientID": "NORTH"}, "C.2.2.1.3", 1,
        "an optional key: Issuer of Patient ID",
        "patient"),
    _study("C.2.2.2.6", 1, "an optional key: a code in a sequence",
           **{"ProcedureCodeSequence[0].CodeValue": "24627-2"}),
    _study("C.2.2.2.6", 0, "both in one item",
           **{"ProcedureCodeSequence[0].CodeValue": "24627-2",
              "ProcedureCodeSequence[0].CodingSchemeDesignator": "SRT"}),
    Row("SERIES", {"StudyInstanceUID": uid(26),
        "RequestAttributesSequence[0].ScheduledProcedureStepID": "SPS1"},
        "C.2.2.2.6", 1, "an item of several"),
    Row("SERIES", {"StudyInstanceUID": uid(26),
        "RequestAttributesSequence[0].ScheduledProcedureStepID": "SPS1",
                   "RequestAttributesSequence[0].RequestedProcedureID": "RP2"},
        "C.2.2.2.6", 0, "never two items together"),
    Row("SERIES", {"StudyInstanceUID": STUDY_1, "BodyPartExamined": "CHEST"}, "C.2.2.1.3", 1,
        "an optional key: Body Part Examined"),
    Row("SERIES", {"StudyInstanceUID": uid(2), "SeriesDescription": "T1_*"}, "C.2.2.2.4", 1,
        "_ is literal"),
    # Queries outside the model.
    Row("PATIENT", {"PatientName": "DOE*"}, "C.6.2.1", 0, "no PATIENT level under Study Root"),
    Row("NONSENSE", {"PatientName": "DOE*"}, "C.4.1.1.3.1", 0, "no such level"),
    Row("IMAGE", {"StudyInstanceUID": STUDY_1, "SeriesInstanceUID": uid(1, 1),
        "InstanceNumber": "x"}, "C.4.1.1.4",
        0, "no number: an error, never everything"),
)  # fmt: skip
