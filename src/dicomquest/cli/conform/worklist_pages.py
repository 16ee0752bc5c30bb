"""The page of each check of a worklist: for the one who reads a report (PS3.4 K)."""

from __future__ import annotations

from dicomquest.cli.conform.check_page import CheckPage

_NO_COMPLAINT = "No answer has such a fault."
_LEARNT = "All steps, by empty keys in the item of the Scheduled Procedure Step Sequence."


def _single(name: str, more: str) -> CheckPage:
    return CheckPage(
        f"A value of {name} that some steps have and others do not.",
        "All steps with the value are found, and no other.",
        "Another one is found, one is missing, or the query fails.",
        f"{name} is a required matching key of the worklist (PS3.4 Table K.6-1). {more}",
    )


WORKLIST_PAGES: dict[str, CheckPage] = {
    "worklist-accepted": CheckPage(
        "An association with the SOP class Modality Worklist Information Model - FIND.",
        "The presentation context is accepted.",
        "It is refused, or there is no association.",
        "Is the Modality Worklist licensed and switched on for our AE title?",
    ),
    "worklist-answers": CheckPage(
        _LEARNT,
        "There are answers, and the last response is Success, or FE00 after a C-CANCEL.",
        "The query ends with a failure status, or with none.",
        "A modality that asks without a condition gets nothing. Empty keys are universal matching "
        "(PS3.4 K.2.2.1.1).",
    ),
    "worklist-once": CheckPage(
        "The answers of `worklist-answers` are compared by Accession Number, Study Instance UID, "
        "Requested Procedure ID and Scheduled Procedure Step ID.",
        "No step comes twice.",
        "Answers repeat a step.",
        "A Scheduled Procedure Step has one response (PS3.4 K.4.1.3.1). A modality shows the same "
        "patient several times, and its operator may choose the wrong line.",
    ),
    "worklist-no-level": CheckPage(
        "The answers of `worklist-answers` are looked at.",
        _NO_COMPLAINT,
        "An answer has Query/Retrieve Level (0008,0052).",
        "A worklist has no levels; its answers have nothing that was not asked for (PS3.4 "
        "K.4.1.1.3.2).",
    ),
    "worklist-one-item": CheckPage(
        "The answers of `worklist-answers` are looked at.",
        "The Scheduled Procedure Step Sequence of each has one item.",
        "It has none, or several.",
        "An answer is one Scheduled Procedure Step (PS3.4 Table K.6-1); modalities read the first "
        "item and lose the others.",
    ),
    "worklist-type-1": CheckPage(
        "The answers of `worklist-answers` are looked at.",
        "Each key of return type 1 has a value: the step's station, date, time, modality and ID, "
        "Requested Procedure ID, Study Instance UID, Patient's Name and Patient ID.",
        "One is missing or empty.",
        "A modality copies these into its images (PS3.4 Table K.6-1, return key type 1). Without "
        "Study Instance UID and Patient ID the images do not find their order again.",
    ),
    "worklist-type-2": CheckPage(
        "The answers of `worklist-answers` are looked at.",
        "Each key of return type 2 is there, with or without a value.",
        "One is absent.",
        "Keys of return type 2 must be returned, empty if the value is not known (PS3.4 "
        "K.2.2.1.2).",
    ),
    "worklist-nothing-else": CheckPage(
        "The answers of `worklist-answers` are looked at.",
        "Each has the keys of the question, and at most Specific Character Set, Timezone Offset "
        "From UTC and HL7 Structured Document Reference Sequence beside them.",
        "There are other attributes.",
        "An answer has only what was asked for (PS3.4 K.4.1.1.3.2).",
    ),
    "worklist-optional-key": CheckPage(
        "Patient Transport Arrangements, empty.",
        "Each answer has the key, empty or not, or its status is FF01.",
        "The key is absent under the status FF00.",
        "An SCP that does not know an optional key must answer with FF01 (PS3.4 Table K.4-1).",
    ),
    "worklist-single-station": _single(
        "Scheduled Station AE Title", "A modality that gets the steps of others shows their list."
    ),
    "worklist-single-date": _single(
        "Scheduled Procedure Step Start Date", "Today's list has the steps of other days, or lacks "
        "some.",
    ),
    "worklist-single-modality": _single("Modality", "A CT shows the orders of the MR."),
    "worklist-single-patient-id": _single(
        "Patient ID", "A scan of the wrist band finds the wrong patient."
    ),
    "worklist-wild-patient-name": _single(
        "Patient's Name, its beginning with `*`,", "Wild card matching is prescribed for it."
    ),
    "worklist-wild-physician": _single(
        "Scheduled Performing Physician's Name, its beginning with `*`,",
        "Wild card matching is prescribed for it.",
    ),
    "worklist-range-dates": _single(
        "Scheduled Procedure Step Start Date, as a range,",
        "Range matching is prescribed for it: modalities ask for yesterday to tomorrow.",
    ),
    "worklist-date-and-time": CheckPage(
        "A range of days with a range of hours; a step on a day between is at another hour.",
        "The step is found: the ranges are one span, from the first moment to the last.",
        "It is missing, as each range was matched by itself.",
        "Start date and start time are matched together (PS3.4 Table K.6-1): 5 July 10:00 to 7 "
        "July 18:00 has all of 6 July.",
    ),
    "worklist-empty-value": CheckPage(
        "A value of a required key that some steps have empty.",
        "The steps with an empty value are not found.",
        "One of them is.",
        "In a worklist an unknown value matches no value of a key (PS3.4 K.2.2.1.1.1), other than "
        "in Query/Retrieve. Steps of nobody stand on every list.",
    ),
    "worklist-whole-sequence": CheckPage(
        "The Scheduled Procedure Step Sequence without an item, and with an empty item.",
        "Both return the step with its start date.",
        "One fails, finds nothing, or returns no step.",
        "Both forms ask for the whole sequence (PS3.4 K.2.2.1.2), and modalities use both.",
    ),
    "worklist-no-match": CheckPage(
        "A Patient ID that nobody has.",
        "There is no answer, and the last response is Success.",
        "There are answers, or a failure status.",
        "An empty list is no failure (PS3.4 K.4.1.3.1); modalities show an alarm then.",
    ),
    "worklist-cancel": CheckPage(
        "All steps, with a C-CANCEL after the first answer.",
        "The last response is FE00; it is not decided if all answers had been sent before.",
        "The query goes on to its end, or there is no last response.",
        "C-CANCEL must end a query by FE00 (PS3.4 K.4.1.3.1).",
    ),
    "worklist-extended": CheckPage(
        "SOP class extended negotiation of three bytes: 01 01, and fuzzy names.",
        "The answer has three bytes, the first two are 01; without an answer it is not decided.",
        "It has another number of bytes, or others.",
        "The first two bytes are fixed to 1, and an offer of three bytes is answered by three "
        "(PS3.4 K.5.1).",
    ),
}  # fmt: skip
