"""The checks of a C-FIND SCP, one row each with its clause (PS3.4 C; PS3.7; PS3.8)."""

from __future__ import annotations

from dicomquest.cli.conform import answer_checks as answers
from dicomquest.cli.conform import exchange_checks as exchange
from dicomquest.cli.conform import matching_checks as matching
from dicomquest.cli.conform import worklist_checks as worklist
from dicomquest.cli.conform.outcome import Check
from dicomquest.standard.levels import Level
from dicomquest.standard.models import PATIENT_ROOT, STUDY_ROOT

_IDENTIFIER = "C.4.1.1.3.2"

# fmt: off
CHECKS: tuple[Check, ...] = (
    Check("echo", "A.4", "C-ECHO is answered with Success.", exchange.echo),
    Check("model-patient", "C.6.1", "Patient Root is accepted.", answers.model(PATIENT_ROOT)),
    Check("model-study", "C.6.2", "Study Root is accepted.", answers.model(STUDY_ROOT)),
    *(
        Check(f"level-{each.name.lower()}", "C.4.1.3.1.1",
              f"A query at {each.name} level is answered.", answers.level(each))
        for each in Level
    ),
    *(
        Check(f"once-{each.name.lower()}", "C.4.1.3.1.1",
              f"Each {each.entity} is answered once.", answers.one_answer(each))
        for each in Level
    ),
    Check("answer-unique-key", _IDENTIFIER, "Each answer has the unique key of its level.",
          answers.of_each_answer(answers.unique_key)),
    Check("answer-upper-keys", "C.4.1.3.1.1", "Each answer has the unique keys of upper levels.",
          answers.of_each_answer(answers.upper_keys)),
    Check("answer-level", _IDENTIFIER, "Each answer has Query/Retrieve Level.",
          answers.of_each_answer(answers.level_returned)),
    Check("answer-required-keys", "C.2.2.1.2", "Each answer has the required keys, empty or not.",
          answers.of_each_answer(answers.required_keys)),
    Check("answer-optional-keys", "C.2.2.1.3",
          "Each answer has the optional keys, or the status FF01.",
          answers.of_each_answer(answers.optional_keys)),
    Check("answer-nothing-else", _IDENTIFIER, "No answer has attributes that were not asked for.",
          answers.of_each_answer(answers.nothing_else)),
    Check("answer-location", _IDENTIFIER,
          "Each answer has Retrieve AE Title or Storage Media File-Set ID.",
          answers.of_each_answer(answers.location)),
    Check("answer-character-set", "C.4.1.1.3.2", "Text is in the character set of its answer.",
          answers.of_each_answer(answers.readable_text)),
    Check("status-pending", "C.4.1.1.4", "Answers are FF00 or FF01, with an identifier.",
          answers.pending_status),
    Check("status-success", "C.4.1.1.4", "The last response is Success.",
          exchange.success_without_identifier),
    Check("status-no-match", "C.4.1.3.1", "No match is Success.", matching.no_match),
    Check("single-patient-id", "C.2.2.2.1", "A Patient ID finds its studies alone.",
          matching.single(Level.STUDY, "PatientID")),
    Check("single-accession-number", "C.2.2.2.1", "An Accession Number finds its studies alone.",
          matching.single(Level.STUDY, "AccessionNumber")),
    Check("single-study-id", "C.2.2.2.1", "A Study ID finds its studies alone.",
          matching.single(Level.STUDY, "StudyID")),
    Check("single-study-date", "C.2.2.2.1.3", "A date finds its studies alone.",
          matching.single(Level.STUDY, "StudyDate")),
    Check("single-study-uid", "C.2.2.2.1", "A Study Instance UID finds its study alone.",
          matching.single(Level.STUDY, "StudyInstanceUID")),
    Check("single-patient-name", "C.2.2.2.1.1", "A name finds its studies alone.",
          matching.of_names(matching.name_whole, "needs two different names")),
    Check("single-modality", "C.2.2.2.1", "A Modality finds its series alone.",
          matching.single(Level.SERIES, "Modality")),
    Check("single-instance-number", "C.2.2.2.1", "An Instance Number finds its instances alone.",
          matching.single(Level.IMAGE, "InstanceNumber")),
    Check("single-case", "C.2.2.2.1", "Case counts in text that is no name.",
          matching.case_of_text),
    Check("single-two-keys", "C.2.2.2", "Two keys must match both.", matching.two_keys),
    Check("single-hierarchy", "C.4.1.3.1.1", "A series is found below its own study alone.",
          matching.below_a_study),
    Check("name-utf-8", "C.2.2.2.1.1", "A name beyond ASCII, asked in UTF-8, is found.",
          matching.of_names(matching.name_other_characters,
                            "needs a name with characters beyond ASCII")),
    Check("list-of-uid", "C.2.2.2.2", "A list of UIDs finds each study once.",
          matching.list_of_uids),
    Check("universal", "C.2.2.2.3", "An empty key is no condition.", matching.universal),
    Check("wild-star-alone", "C.2.2.2.4", "A name of * alone is no condition.",
          matching.star_alone),
    Check("wild-star", "C.2.2.2.4", "* is any characters.",
          matching.of_names(matching.name_prefix, "needs two different names")),
    Check("wild-question", "C.2.2.2.4", "? is one character.",
          matching.of_names(matching.name_question, "needs two different names")),
    Check("wild-question-utf-8", "C.2.2.2.4", "? is one character, not one byte.",
          matching.of_names(matching.name_other_question,
                            "needs a name with characters beyond ASCII")),
    Check("wild-literal", "C.2.2.2.4", "_ and % are no wild cards.", matching.literal_underscore),
    Check("wild-uid", "C.2.2.2.4", "A UID has no wild cards.", matching.wild_uid),
    Check("wild-uid-star-alone", "C.4.1.1.4",
          "A UID of * alone finds all, none or gets A900; it is no fault of the SCP (Cxxx).",
          matching.star_as_uid),
    Check("range-dates", "C.2.2.2.5", "A range of dates finds the studies in it alone.",
          matching.of_level(Level.STUDY, matching.date_range, "needs two study dates")),
    Check("range-from", "C.2.2.2.5", "A range without an end finds all later studies.",
          matching.of_level(Level.STUDY, matching.date_from, "needs two study dates")),
    Check("range-until", "C.2.2.2.5", "A range without a beginning finds all earlier studies.",
          matching.of_level(Level.STUDY, matching.date_until, "needs two study dates")),
    Check("range-times", "C.2.2.2.5", "A range of times finds the studies in it alone.",
          matching.of_level(Level.STUDY, matching.time_range, "needs study times of two hours")),
    Check("sequence", "C.2.2.2.6", "A key in an item is matched.", matching.sequence),
    *(
        Check(identifier, clause, f"{name} is matched, or the status is FF01.",
              matching.optional(level, keyword, nonsense))
        for identifier, clause, name, level, keyword, nonsense in (
            ("modalities-in-study", "C.3.4", "Modalities in Study",
             Level.STUDY, "ModalitiesInStudy", "ZZ"),
            ("optional-study-description", "C.2.2.1.3", "Study Description",
             Level.STUDY, "StudyDescription", matching.NOBODY),
            ("optional-series-description", "C.2.2.1.3", "Series Description",
             Level.SERIES, "SeriesDescription", matching.NOBODY),
            ("optional-body-part", "C.2.2.1.3", "Body Part Examined",
             Level.SERIES, "BodyPartExamined", "NOBODY"),
        )
    ),
    Check("cancel", "C.4.1.3.1", "C-CANCEL ends a query with FE00.", exchange.cancel),
    Check("malformed-no-level", "C.4.1.1.3.1", "A query without a level fails.",
          exchange.level_value(None, "no Query/Retrieve Level")),
    Check("malformed-level", "C.4.1.1.3.1", "A query at a level that does not exist fails.",
          exchange.level_value("NONSENSE", "level NONSENSE")),
    Check("malformed-study-root-patient", "C.6.2.1", "A PATIENT query under Study Root fails.",
          exchange.patient_level_of_study_root),
    Check("malformed-date", "C.4.1.1.4", "A value that is no date does not find everything.",
          exchange.malformed_date("20241301")),
    Check("malformed-range", "C.2.2.2.5", "A hyphen alone is no range, and finds not everything.",
          exchange.malformed_date("-")),
    Check("malformed-then-right", "C.4.1.1.4", "After a refused query the next one is answered.",
          exchange.after_refusal),
    Check("negotiation-unknown-class", "PS3.8 9.3.3.2", "An unknown SOP class is refused alone.",
          exchange.unknown_sop_class),
    Check("negotiation-extended", "C.5.1.1", "Extended negotiation accepts only what was offered.",
          exchange.extended_answer),
    Check("negotiation-relational", "C.4.1.3.2.1", "Relational queries work, if accepted.",
          exchange.relational),
)
"""The checks of Query/Retrieve."""

_K_ANSWER = "K.4.1.1.3.2"

WORKLIST_CHECKS: tuple[Check, ...] = (
    Check("worklist-accepted", "K.5", "The Modality Worklist is accepted.", worklist.accepted),
    Check("worklist-answers", "K.4.1.3.1", "A question with empty keys is answered.",
          worklist.all_steps),
    *(
        Check(f"worklist-{name}", clause, words, worklist.of_worklist(judge))
        for name, clause, words, judge in (
            ("once", "K.4.1.3.1", "Each step is answered once.", worklist.once),
            ("no-level", _K_ANSWER, "No answer has Query/Retrieve Level.",
             worklist.of_each_step(worklist.no_level)),
            ("one-item", "K.6.1.2.2", "Each answer has one step.",
             worklist.of_each_step(worklist.one_item)),
            ("type-1", "K.2.2.1.2", "Keys of type 1 have a value.",
             worklist.of_each_step(worklist.valued_keys)),
            ("type-2", "K.2.2.1.2", "Keys of type 2 are there, empty or not.",
             worklist.of_each_step(worklist.present_keys)),
            ("nothing-else", _K_ANSWER, "No answer has attributes that were not asked for.",
             worklist.of_each_step(worklist.nothing_else)),
            ("optional-key", "K.4.1.1.4", "An optional key is returned, or the status is FF01.",
             worklist.optional_key),
            ("single-station", "K.6.1.2.2", "A station's AE title finds its steps alone.",
             worklist.single("ScheduledStationAETitle")),
            ("single-date", "K.6.1.2.2", "A start date finds its steps alone.",
             worklist.single("ScheduledProcedureStepStartDate")),
            ("single-modality", "K.6.1.2.2", "A modality finds its steps alone.",
             worklist.single("Modality")),
            ("single-patient-id", "K.6.1.2.2", "A Patient ID finds its steps alone.",
             worklist.single("PatientID")),
            ("wild-patient-name", "K.6.1.2.2", "* in Patient's Name is any characters.",
             worklist.wild("PatientName")),
            ("wild-physician", "K.6.1.2.2", "* in the performing physician is any characters.",
             worklist.wild("ScheduledPerformingPhysicianName")),
            ("range-dates", "K.6.1.2.2", "A range of start dates finds the steps in it alone.",
             worklist.matched(worklist.date_ranges, "needs steps on two days")),
            ("date-and-time", "K.6.1.2.2", "Ranges of date and time are one span.",
             worklist.date_and_time),
            ("empty-value", "K.2.2.1.1.1", "A key does not find a step with an empty value.",
             worklist.empty_value),
            ("whole-sequence", "K.2.2.1.2", "A sequence without a condition is returned whole.",
             worklist.whole_sequence),
            ("no-match", "K.4.1.3.1", "No match is Success.", worklist.no_match),
            ("cancel", "K.4.1.3.1", "C-CANCEL ends a query with FE00.", worklist.cancelled),
            ("extended", "K.5.1.2", "Extended negotiation is answered by as many bytes.",
             worklist.extended_answer),
        )
    ),
)
"""The checks of a worklist."""
# fmt: on

ALL_CHECKS = (*CHECKS, *WORKLIST_CHECKS)
BY_IDENTIFIER = {check.identifier: check for check in ALL_CHECKS}
