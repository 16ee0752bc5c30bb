"""A hundred queries over ``realistic``, one row each, with the clause of PS3.4 that says what the answer is."""

from __future__ import annotations

from dataclasses import dataclass

from peers.realistic import uid


@dataclass(frozen=True, slots=True)
class Row:
    """One query. ``model``: study or patient; ``level`` as in the identifier; ``keys`` as findscu takes them."""

    level: str
    keys: dict[str, str]
    clause: str
    says: str
    model: str = "study"


def _names(*rows: tuple[str, str]) -> tuple[Row, ...]:
    return tuple(Row("PATIENT", {"PatientName": key}, "C.2.2.2.1.1", says, "patient") for key, says in rows)


def _wild(keyword: str, *rows: tuple[str, str]) -> tuple[Row, ...]:
    return tuple(Row("STUDY", {keyword: key}, "C.2.2.2.4", says) for key, says in rows)


def _study(clause: str, says: str, **keys: str) -> Row:
    return Row("STUDY", keys, clause, says)


STUDY_1, STUDY_31 = uid(1), uid(31)

ROWS: tuple[Row, ...] = (
    # Universal matching.
    Row("PATIENT", {}, "C.4.1.3.1", "one response a patient", "patient"),
    Row("STUDY", {}, "C.4.1.3.1", "one response a study"),
    Row("PATIENT", {"PatientName": "*"}, "C.2.2.2.4", "* alone is universal", "patient"),
    _study("C.2.2.2.4", "* alone is universal, also for an empty value", AccessionNumber="*"),
    _study("C.2.2.2.3", "a key without value is universal", StudyDate="", StudyTime="", PatientName=""),
    # Person names.
    *_names(
        ("CITIZEN^Jan", "a name as stored"),
        ("citizen^jan", "person names may be matched without regard to case; ours are"),
        ("CITIZEN^Snip", "trailing empty components mean nothing (PS3.5 6.2.1)"),
        ("CITIZEN^Snip^^^", "trailing empty components mean nothing (PS3.5 6.2.1)"),
        ("CITIZEN*", "* is any sequence of characters"),
        ("CITIZEN^*", "^ is literal"),
        ("CITIZEN^J?n", "? is one character"),
        ("CITIZEN^J?", "? is exactly one character"),
        ("DOE", "without a wild card the whole name must match"),
        ("DOE*", "DOE alone and with given names"),
        ("*^JANE*", "a wild card in front"),
        ("DOE^JANE^MARIE^DR^PHD", "five components"),
        ("*", "universal"),
        ("NOBODY", "no match is Success without a response"),
    ),
    Row("PATIENT", {"PatientName": "Müller^Jürgen"}, "C.2.2.2.1.1", "Latin-1 stored, UTF-8 asked", "patient"),
    Row("PATIENT", {"PatientName": "M?ller*"}, "C.2.2.2.4", "? is one character, not one byte", "patient"),
    Row("PATIENT", {"PatientName": "Buc^J?r?me"}, "C.2.2.2.4", "? is one character, not one byte", "patient"),
    Row("PATIENT", {"PatientName": "Yamada^Tarou"}, "C.2.2.2.1.1", "the alphabetic group alone", "patient"),
    Row("PATIENT", {"PatientName": "山田^太郎"}, "C.2.2.2.1.1", "the ideographic group alone", "patient"),
    Row("PATIENT", {"PatientName": "山田*"}, "C.2.2.2.4", "a prefix of the ideographic group", "patient"),
    Row("PATIENT", {"PatientName": "やまだ^たろう"}, "C.2.2.2.1.1", "the phonetic group alone", "patient"),
    Row("PATIENT", {"PatientName": "홍^길동"}, "C.2.2.2.1.1", "the phonetic group alone, Korean", "patient"),
    Row("PATIENT", {"PatientName": "*=山田*"}, "C.2.2.2.4", "group by group", "patient"),
    Row("PATIENT", {"PatientName": "王^小东"}, "C.2.2.2.1.1", "GB18030 stored, UTF-8 asked", "patient"),
    Row("PATIENT", {"PatientName": "Διονυσιος"}, "C.2.2.2.1.1", "Greek stored, UTF-8 asked", "patient"),
    Row("PATIENT", {"PatientName": "שרון^דבורה"}, "C.2.2.2.1.1", "Hebrew stored, UTF-8 asked", "patient"),
    Row("PATIENT", {"PatientName": "قباني*"}, "C.2.2.2.4", "Arabic stored, UTF-8 asked", "patient"),
    Row("PATIENT", {"PatientName": "นาย^สมชาย"}, "C.2.2.2.1.1", "Thai stored, UTF-8 asked", "patient"),
    # Text of other VRs: case-sensitive, and nothing but * and ? is special.
    *_wild(
        "PatientID",
        ("A_1", "_ is literal"),
        ("A_?", "_ is literal beside a wild card"),
        ("A%*", "% is literal"),
        ("A?1", "? is one character"),
        ("A*1", "* is none or more characters"),
        ("[7]", "[ and ] are literal"),
        ("[7*", "[ is literal beside a wild card"),
        ("0007", "leading zeros are part of text"),
        ("7", "leading zeros are part of text"),
        ("a_1", "text is case-sensitive"),
        ("IE*", "a space inside a value counts"),
    ),
    *_wild(
        "StudyDescription",
        ("HEAD CT", "as stored"),
        ("head*", "text is case-sensitive"),
        ("KNEE 50%*", "% is literal"),
        ("*50%_A", "% and _ are literal"),
        ("[CT]*", "[ and ] are literal"),
        ("CT?THORAX", "? fits * and a space"),
        ("CHEST", "as stored"),
        ("*CHEST*", "wild cards at both ends"),
        ("SCH?DEL", "? is one character, not one byte"),
        ("胸部", "kanji in a description"),
        ("?部", "? is one character, not one byte"),
        ("T*E", "* inside"),
    ),
    *_wild(
        "AccessionNumber",
        ("A001", "as stored; case counts"),
        ("a001", "as stored; case counts"),
        ("A_06", "_ is literal"),
        ("A?06", "? is one character"),
        ("A00*", "a prefix"),
        ("*6", "a suffix"),
    ),
    _study("C.2.2.2.1", "an insignificant space at the end", AccessionNumber="A001 "),
    # Dates and times.
    _study("C.2.2.2.1", "one day", StudyDate="20240210"),
    _study("C.2.2.2.5", "from a day to a day, both included", StudyDate="20230704-20230706"),
    _study("C.2.2.2.5", "one day as a range", StudyDate="20240105-20240105"),
    _study("C.2.2.2.5", "from a day on", StudyDate="20240101-"),
    _study("C.2.2.2.5", "up to a day", StudyDate="-20200101"),
    _study("C.2.2.2.5", "a leap day in a range", StudyDate="20200228-20200301"),
    _study("C.2.2.2", "no date at all must not match everything", StudyDate="2024-01-05"),
    _study("C.2.2.2", "a date that does not exist must not match everything", StudyDate="20241301"),
    _study("C.2.2.2.5", "the bounds in the wrong order must not match everything", StudyDate="20240201-20240101"),
    _study("C.2.2.2.5", "a hyphen alone must not match everything", StudyDate="-"),
    _study("C.2.2.2.1.3", "1200 is twelve o'clock, its minute", StudyTime="1200"),
    _study("C.2.2.2.1.3", "120000 is also 1200 and 12", StudyTime="120000"),
    _study("C.2.2.2.1.3", "073000 is also 0730", StudyTime="073000"),
    _study("C.2.2.2.1.3", "trailing zeros of a fraction mean nothing", StudyTime="235959.500"),
    _study("C.2.2.2.5", "from a time to a time", StudyTime="1200-1201"),
    _study("C.2.2.2.5", "the last minute of the day, its fraction too", StudyTime="2359-"),
    _study("C.2.2.2.5", "up to a time", StudyTime="-0730"),
    _study("C.2.2.2.5", "the whole day", StudyTime="000000-235959"),
    _study("C.2.2.2.5", "date and time ranges are independent", StudyDate="20240101-20240430", StudyTime="0900-1100"),
    # Lists of UIDs.
    _study("C.2.2.2.2", "a list of UIDs", StudyInstanceUID=f"{STUDY_1}\\{uid(2)}\\{uid(999)}"),
    _study("C.2.2.2.2", "a UID twice in the list", StudyInstanceUID=f"{STUDY_1}\\{STUDY_1}"),
    _study("C.2.2.2.1", "one UID", StudyInstanceUID=STUDY_1),
    _study("C.2.2.2.1", "a UID is no prefix", StudyInstanceUID=uid()),
    _study("C.2.2.2.4", "no wild cards in UIDs", StudyInstanceUID=f"{uid()}.?"),
    Row("SERIES", {"StudyInstanceUID": STUDY_31, "SeriesInstanceUID": f"{uid(31, 1)}\\{uid(31, 3)}"}, "C.2.2.2.2",
        "a list of UIDs at SERIES level"),
    Row("IMAGE", {"StudyInstanceUID": STUDY_1, "SeriesInstanceUID": uid(1, 1),
                  "SOPInstanceUID": f"{uid(1, 1, 2)}\\{uid(1, 1, 5)}"}, "C.2.2.2.2", "a list of UIDs at IMAGE level"),
    # Computed keys.
    _study("C.3.4", "studies with a series of this modality", ModalitiesInStudy="SR"),
    _study("C.3.4", "any value of the key, any series", ModalitiesInStudy="CT\\MR"),
    _study("C.2.2.2.4", "a wild card against each modality", ModalitiesInStudy="P*"),
    _study("C.3.4", "a modality and a date", ModalitiesInStudy="PT", StudyDate="20210101-20211231"),
    _study("C.3.4", "studies with an instance of this SOP class",
           SOPClassesInStudy="1.2.840.10008.5.1.4.1.1.88.33"),
    # Hierarchy.
    Row("SERIES", {"StudyInstanceUID": STUDY_1}, "C.4.1.3.1.1", "the series of a study"),
    Row("SERIES", {"StudyInstanceUID": STUDY_1, "Modality": "SR"}, "C.4.1.3.1.1", "the series of a modality"),
    Row("SERIES", {"StudyInstanceUID": uid(4), "SeriesNumber": "7"}, "C.2.2.2.1", "a number"),
    Row("SERIES", {"StudyInstanceUID": uid(4), "SeriesNumber": "007"}, "C.2.2.2.1", "the same number"),
    Row("SERIES", {"StudyInstanceUID": uid(999)}, "C.4.1.3.1.1", "an unknown study: Success without a response"),
    Row("IMAGE", {"StudyInstanceUID": STUDY_1, "SeriesInstanceUID": uid(1, 1)}, "C.4.1.3.1.1", "all instances"),
    Row("IMAGE", {"StudyInstanceUID": STUDY_1, "SeriesInstanceUID": uid(1, 1), "InstanceNumber": "3"}, "C.2.2.2.1",
        "one number"),
    Row("IMAGE", {"StudyInstanceUID": STUDY_1, "SeriesInstanceUID": uid(1, 2)}, "C.3.1", "SR, too"),
    Row("STUDY", {"PatientID": "12345678"}, "C.4.1.3.1.1", "the studies of a patient", "patient"),
    Row("SERIES", {"PatientID": "12345678", "StudyInstanceUID": STUDY_1}, "C.4.1.3.1.1", "from the patient down",
        "patient"),
    Row("SERIES", {"PatientID": "JP1", "StudyInstanceUID": STUDY_1}, "C.4.1.3.1.1",
        "a study that is not this patient's", "patient"),
    _study("C.4.1.3.1", "two keys are ANDed", PatientName="DOE*", StudyDate="20240101-"),
    # Optional keys, multiple values, sequences.
    _study("C.2.2.1.3", "an optional key: Referring Physician's Name", ReferringPhysicianName="WELBY*"),
    _study("C.2.2.1.3", "an optional key: Patient's Sex", PatientSex="F"),
    _study("C.2.2.1.3", "an optional key: Patient's Birth Date, a range", PatientBirthDate="19800101-19801231"),
    _study("C.2.2.1.3", "an optional key: Patient's Weight, a number", PatientWeight="70"),
    _study("C.2.2.1.3", "an optional key: Patient's Age", PatientAge="050Y"),
    _study("C.2.2.3", "one of several stored values", NameOfPhysiciansReadingStudy="READER^TWO"),
    Row("PATIENT", {"OtherPatientNames": "MAIDEN*"}, "C.2.2.3", "one of several stored values", "patient"),
    Row("PATIENT", {"IssuerOfPatientID": "NORTH"}, "C.2.2.1.3", "an optional key: Issuer of Patient ID", "patient"),
    _study("C.2.2.2.6", "a code in a sequence", **{"ProcedureCodeSequence[0].CodeValue": "24627-2"}),
    _study("C.2.2.2.6", "both in one item",
           **{"ProcedureCodeSequence[0].CodeValue": "24627-2",
              "ProcedureCodeSequence[0].CodingSchemeDesignator": "SRT"}),
    Row("SERIES", {"StudyInstanceUID": uid(26), "RequestAttributesSequence[0].ScheduledProcedureStepID": "SPS1"},
        "C.2.2.2.6", "an item of several"),
    Row("SERIES", {"StudyInstanceUID": uid(26), "RequestAttributesSequence[0].ScheduledProcedureStepID": "SPS1",
                   "RequestAttributesSequence[0].RequestedProcedureID": "RP2"},
        "C.2.2.2.6", "never two items together"),
    Row("SERIES", {"StudyInstanceUID": STUDY_1, "BodyPartExamined": "CHEST"}, "C.2.2.1.3", "Body Part Examined"),
    Row("SERIES", {"StudyInstanceUID": uid(2), "SeriesDescription": "T1_*"}, "C.2.2.2.4", "_ is literal"),
    # What is no query of the model.
    Row("PATIENT", {"PatientName": "DOE*"}, "C.6.2.1", "no PATIENT level under Study Root"),
    Row("NONSENSE", {"PatientName": "DOE*"}, "C.4.1.1.3.1", "no such level"),
    Row("IMAGE", {"StudyInstanceUID": STUDY_1, "SeriesInstanceUID": uid(1, 1), "InstanceNumber": "x"}, "C.2.2.2.1",
        "no number must not match everything"),
)  # fmt: skip
