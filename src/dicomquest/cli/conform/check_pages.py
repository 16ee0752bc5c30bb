"""The page of each check of a C-FIND SCP: for the one who reads a report (PS3.4 C; PS3.7)."""

from __future__ import annotations

from dicomquest.cli.conform.check_page import CheckPage
from dicomquest.cli.conform.worklist_pages import WORKLIST_PAGES
from dicomquest.standard.levels import Level

PAGE = "docs/reference/conform-checks.md"
"""The pages of all checks, a heading each."""


def place_of(identifier: str) -> str:
    """Return the place of a check's page."""
    return f"{PAGE}#{identifier}"


def _model(name: str) -> CheckPage:
    return CheckPage(
        f"An association with the SOP class {name} Query/Retrieve Information Model - FIND.",
        "The presentation context is accepted.",
        "Nothing: an SCP chooses its models. Without it the check is not decided.",
        f"Which information models does your conformance statement name, and is {name} licensed "
        "and switched on for our AE title?",
    )


def _level(level: Level) -> CheckPage:
    return CheckPage(
        f"All {level.entities}, by empty keys at {level.name} level; below {Level.PATIENT.entity} "
        "level those of one entity above.",
        "There are answers, and the last response is no failure.",
        "The query ends with a failure status, or with none.",
        f"Queries at {level.name} level with empty keys fail. PS3.4 C.6 gives your model this "
        "level, and universal matching (C.2.2.2.3) takes empty keys.",
    )


def _once(level: Level) -> CheckPage:
    return CheckPage(
        f"The answers of `level-{level.name.lower()}` are compared by their unique key.",
        f"No {level.entity} comes twice.",
        f"Answers repeat a {level.entity}, often once for each of its instances.",
        f"A response is due for each {level.entity} that matches (PS3.4 C.4.1.3.1.1), not for each "
        "of its instances. An SCU that counts or retrieves by these answers does so too often.",
    )


def _single(name: str, entities: str, more: str = "") -> CheckPage:
    return CheckPage(
        f"A value of {name} that some {entities} have and others do not.",
        f"All {entities} with the value are found, and no other.{more}",
        "Another one is found, one is missing, or the query fails.",
        f"Single value matching of {name} (PS3.4 C.2.2.2.1) finds the wrong {entities}: the report "
        "has the value, and how many were wrong.",
    )


def _optional(name: str, entities: str) -> CheckPage:
    return CheckPage(
        f"A value of {name} that some {entities} have; if none returns one, a value that none has.",
        f"The {entities} with the value are found, or the answers have the status FF01.",
        "The key is ignored under the status FF00, so that the list looks like the right one.",
        f"{name} is an optional key. An SCP that does not match it must answer with FF01 (PS3.4 "
        "C.4.1.1.4, C.2.2.1.3); better, match it: clinicians search by it.",
    )


def _range(ask: str, found: str) -> CheckPage:
    return CheckPage(
        ask,
        f"{found} are found, and no other. Both ends belong to a range.",
        "A study outside of the range is found, one inside is missing, or the query fails.",
        "Range matching (PS3.4 C.2.2.2.5) finds the wrong studies: the report has the range.",
    )


def _of_answers(what: str, lack: str, vendor: str) -> CheckPage:
    return CheckPage(
        "Nothing more: it looks at the answers of the four levels.",
        f"Each answer {what}.",
        f"An answer {lack}.",
        vendor,
    )


_MALFORMED = "A status of the class Failure, A900 by PS3.4 C.4.1.1.4, and no answer."

PAGES: dict[str, CheckPage] = {
    "echo": CheckPage(
        "A C-ECHO on an association of its own.",
        "The status is 0000.",
        "Another status, no response, or no presentation context for Verification.",
        "Every SCP must offer Verification (PS3.4 A.4): monitors use it to see that you are there.",
    ),
    "model-patient": _model("Patient Root"),
    "model-study": _model("Study Root"),
    **{f"level-{level.name.lower()}": _level(level) for level in Level},
    **{f"once-{level.name.lower()}": _once(level) for level in Level},
    "answer-unique-key": _of_answers(
        "has a value of the unique key of its level",
        "lacks it, or has it empty",
        "Without the unique key (PS3.4 C.4.1.1.3.2) no later query or retrieve can name the match.",
    ),
    "answer-upper-keys": _of_answers(
        "has the unique keys that the question had for the levels above, with those values",
        "lacks one, or has another value",
        "The unique keys of the levels above are part of each match (PS3.4 C.4.1.3.1.1): SCUs file "
        "series and instances by them.",
    ),
    "answer-level": _of_answers(
        "has Query/Retrieve Level (0008,0052) with the level of the question",
        "lacks it, or names another level",
        "PS3.4 C.4.1.1.3.2 demands Query/Retrieve Level in each response; some SCUs drop answers "
        "without it.",
    ),
    "answer-required-keys": _of_answers(
        "has all required keys of the question, those without a value empty",
        "lacks a required key",
        "A required key that was asked for must come back, empty if there is no value (PS3.4 "
        "C.2.2.1.2). An SCU cannot tell an absent one from one that you do not support.",
    ),
    "answer-optional-keys": _of_answers(
        "has the optional keys of the question, or the status FF01",
        "lacks an optional key under the status FF00",
        "A response without a key that was asked for must have the status FF01 (PS3.4 C.2.2.1.3, "
        "C.4.1.1.4), so that the SCU knows the key is not supported.",
    ),
    "answer-nothing-else": _of_answers(
        "has the attributes of the question, and those that an SCP adds (PS3.4 C.4.1.1.3.2)",
        "has attributes that nobody asked for",
        "Responses hold what was asked for (PS3.4 C.4.1.1.3.2). More may be patient data that the "
        "SCU must not see, and costs time.",
    ),
    "answer-location": _of_answers(
        "has Retrieve AE Title (0008,0054) or Storage Media File-Set ID (0088,0130)",
        "has neither",
        "Without Retrieve AE Title (PS3.4 C.4.1.1.3.2) an SCU does not know whom to ask for the "
        "instances.",
    ),
    "answer-character-set": _of_answers(
        "has text in the character set that its Specific Character Set (0008,0005) names",
        "has bytes that are no text of that character set",
        "Name the character set in which you encode (PS3.4 C.4.1.1.3.2, PS3.5 6.1), or convert to "
        "the one that you name; names are unreadable now.",
    ),
    "status-pending": CheckPage(
        "Nothing more: it looks at the statuses of the answers.",
        "Each answer has FF00 or FF01, and an identifier that can be read.",
        "A pending response comes without an identifier, or with one that is broken.",
        "A pending response needs its identifier (PS3.4 C.4.1.1.4); some of yours cannot be read.",
    ),
    "status-success": CheckPage(
        "Nothing more: it looks at the last response of each query.",
        "It is 0000.",
        "Another status ends a query that was answered.",
        "A query that was answered ends with Success (PS3.4 C.4.1.1.4). SCUs drop all answers of a "
        "query that ends with a failure.",
    ),
    "status-no-match": CheckPage(
        "A Patient ID that nobody has.",
        "The one response is Success.",
        "A failure status, an answer, or no response.",
        "No match is no error: PS3.4 C.4.1.3.1 demands Success without a pending response.",
    ),
    "single-patient-id": _single("Patient ID", "studies"),
    "single-accession-number": _single("Accession Number", "studies"),
    "single-study-id": _single("Study ID", "studies"),
    "single-study-date": _single("Study Date", "studies"),
    "single-study-uid": _single("Study Instance UID", "studies"),
    "single-patient-name": _single(
        "Patient's Name",
        "studies",
        " Names that differ by case or accents may be found, too.",
    ),
    "single-modality": _single("Modality", "series"),
    "single-instance-number": _single("Instance Number", "instances"),
    "single-case": CheckPage(
        "A Patient ID with its letters in the other case, which no patient has.",
        "Nothing is found.",
        "The patient is found.",
        "Matching of text that is no name is case-sensitive (PS3.4 C.2.2.2.1): `p1` and `P1` may "
        "be two patients.",
    ),
    "single-two-keys": CheckPage(
        "A Study Date and an Accession Number of two different studies.",
        "Nothing is found.",
        "A study is found that matches one of the keys only.",
        "All keys must match (PS3.4 C.2.2.2). Yours seem to be joined by OR, or one is ignored.",
    ),
    "single-hierarchy": CheckPage(
        "A Series Instance UID, below the Study Instance UID of another study.",
        "Nothing is found.",
        "The series is found.",
        "The unique keys above the level are keys, too (PS3.4 C.4.1.3.1.1): a series must not be "
        "shown under another study, which may be another patient's.",
    ),
    "name-utf-8": CheckPage(
        "A whole name with characters beyond ASCII, encoded in UTF-8 (ISO_IR 192).",
        "The studies of that name are found, and no other.",
        "They are not found, or others are.",
        "Keys are in the character set that the request names (PS3.4 C.2.2.2, PS3.5 6.1): convert "
        "them to yours before you compare.",
    ),
    "list-of-uid": CheckPage(
        "Two Study Instance UIDs in one key, one of them twice.",
        "Both studies are found, each once, and no other.",
        "The list is refused, a study is missing, another one is found, or one comes twice.",
        "PS3.4 C.2.2.2.2 lets a UID key hold a list. SCUs fetch worklists of studies in this way.",
    ),
    "universal": CheckPage(
        "Studies by no key but the empty unique one.",
        "The same studies are found as by `level-study`.",
        "Fewer or others are found, or the query fails.",
        "An empty key matches everything (PS3.4 C.2.2.2.3), also if it is the only one.",
    ),
    "wild-star-alone": CheckPage(
        "Patient's Name `*`.",
        "The same studies are found as without the key.",
        "Fewer are found: often those without a name are missing.",
        "`*` alone is universal matching (PS3.4 C.2.2.2.4): it excludes nothing, entities without "
        "a value included.",
    ),
    "wild-star": CheckPage(
        "The beginning of a name with `*` behind it.",
        "All studies of names that begin so are found, and no other.",
        "One is missing, another one is found, or the query fails.",
        "`*` stands for any characters, none included (PS3.4 C.2.2.2.4).",
    ),
    "wild-question": CheckPage(
        "A name with `?` in the place of its second character.",
        "All studies of names that fit are found, and no other.",
        "One is missing, another one is found, or the query fails.",
        "`?` stands for one character (PS3.4 C.2.2.2.4).",
    ),
    "wild-question-utf-8": CheckPage(
        "A name with `?` in the place of its first character beyond ASCII.",
        "All studies of names that fit are found, and no other.",
        "They are not found: `?` stands for a byte there.",
        "`?` is one character (PS3.4 C.2.2.2.4), however many bytes it has in your character set: "
        "names in Japanese, Greek or with an umlaut are not found now.",
    ),
    "wild-literal": CheckPage(
        "A Patient ID with `_`, and then `%`, in the place of its last character.",
        "Nothing is found.",
        "The patient is found.",
        "`_` and `%` are plain characters in DICOM. They reach your SQL database as wild cards of "
        "LIKE: a question for one patient finds others.",
    ),
    "wild-uid": CheckPage(
        "UIDs of a study, a series and an instance, with `*` in the place of the last character.",
        "Nothing is found, or a failure status comes.",
        "Entities are found.",
        "UIDs have no wild card matching (PS3.4 C.2.2.2.4). An SCU that sends such a key by "
        "mistake gets, and may retrieve or delete, the wrong studies.",
    ),
    "wild-uid-star-alone": CheckPage(
        "Study Instance UID `*`, which some SCUs send for an empty key.",
        "All studies, none, or the status A900.",
        "Some studies are found, or another failure comes: Cxxx says that the SCP is at fault.",
        "`*` is no UID. Answer all or none, or refuse it by A900 (PS3.4 C.4.1.1.4); Cxxx makes "
        "SCUs try again.",
    ),
    "range-dates": _range("A range from one study date to another.", "The studies in it"),
    "range-from": _range("A date with a hyphen behind it.", "Studies of that day and later ones"),
    "range-until": _range("A date behind a hyphen.", "Studies of that day and earlier ones"),
    "range-times": _range(
        "Study Time from midnight to the end of an hour.", "The studies in these hours"
    ),
    "sequence": CheckPage(
        "A value in an item of Request Attributes Sequence or Procedure Code Sequence, and then "
        "one that nobody has.",
        "The first finds something, the second nothing.",
        "The first finds nothing, or the second finds something under the status FF00.",
        "A key in an item is a key (PS3.4 C.2.2.2.6). If you do not match it, say so by FF01.",
    ),
    "modalities-in-study": _optional("Modalities in Study", "studies"),
    "optional-study-description": _optional("Study Description", "studies"),
    "optional-series-description": _optional("Series Description", "series"),
    "optional-body-part": _optional("Body Part Examined", "series"),
    "cancel": CheckPage(
        "The query with the most answers, and a C-CANCEL after the first one.",
        "The query ends with FE00. If all answers had been sent by then, it is not decided.",
        "The query goes on to its end with Success, ends with another status, or not at all.",
        "C-CANCEL must end the query with FE00 (PS3.4 C.4.1.3.1). A user who stops a wrong "
        "question waits for all its answers now, and so do your other users.",
    ),
    "malformed-no-level": CheckPage(
        "A query without Query/Retrieve Level.",
        _MALFORMED,
        "Success, answers, or no response.",
        "Query/Retrieve Level is mandatory (PS3.4 C.4.1.1.3.1). A wrong request that is answered "
        "like a right one hides the mistake.",
    ),
    "malformed-level": CheckPage(
        "A query at the level `NONSENSE`.",
        _MALFORMED,
        "Success, answers, or no response.",
        "There is no such level (PS3.4 C.4.1.1.3.1). Success without a match says that there are "
        "no studies, which is untrue.",
    ),
    "malformed-study-root-patient": CheckPage(
        "A query at PATIENT level under Study Root.",
        _MALFORMED,
        "Success, answers, or no response.",
        "Study Root has no PATIENT level (PS3.4 C.6.2.1).",
    ),
    "malformed-date": CheckPage(
        "Study Date `20241301`.",
        "No study with a date is found; a failure status is welcome.",
        "Studies are found, or there is no response.",
        "A value that is no date must not find everything: answer A900 (PS3.4 C.4.1.1.4), or no "
        "match.",
    ),
    "malformed-range": CheckPage(
        "Study Date `-`.",
        "No study with a date is found; a failure status is welcome.",
        "Studies are found, or there is no response.",
        "A hyphen alone is no range (PS3.4 C.2.2.2.5). Programs that leave out both ends by "
        "mistake get, and may retrieve, the whole archive.",
    ),
    "malformed-then-right": CheckPage(
        "A query at the level `NONSENSE`, and a right one on the same association.",
        "The right one is answered.",
        "It is not: the association is gone, or has lost count.",
        "A refused query (PS3.4 C.4.1.1.4) must not end the association: one wrong question stops "
        "all that follow.",
    ),
    "negotiation-unknown-class": CheckPage(
        "An association with Find, and with a SOP class that does not exist.",
        "Find is accepted, and the other context is refused by the result 1, 2 or 3.",
        "The association is rejected, or the unknown class is accepted.",
        "Each presentation context is negotiated by itself (PS3.8 9.3.3.2). SCUs that offer more "
        "than you know cannot ask you at all.",
    ),
    "negotiation-extended": CheckPage(
        "SOP class extended negotiation for Find: relational queries and fuzzy names.",
        "The answer accepts some of these, and nothing else; without an answer it is not decided.",
        "The answer has bytes for what was not offered, or the association is rejected.",
        "The answer to extended negotiation (PS3.4 C.5.1.1) may accept only what was offered.",
    ),
    "negotiation-relational": CheckPage(
        "A SOP Instance UID alone, with relational queries negotiated; not decided if they are "
        "not accepted.",
        "The instance is found.",
        "It is not, or the query fails.",
        "You accept relational queries in the negotiation (PS3.4 C.4.1.3.2.1), but still demand "
        "the keys of upper levels.",
    ),
    **WORKLIST_PAGES,
}
