"""Our answers to what the Standard leaves open, one row a question (PS3.4 C.2.2.2, C.4.1, C.6)."""

from __future__ import annotations

from typing import NamedTuple


class Choice(NamedTuple):
    """An open question; ``switch`` is the option of ``serve`` that changes the answer."""

    question: str
    clause: str
    ours: str
    switch: str = ""


CHOICES: tuple[Choice, ...] = (
    Choice(
        "Person names, literal matching",
        "C.2.2.2.1.1",
        "Without regard to case, accents and width; a key without `=` matches any of the three "
        "component groups, one with `=` group by group; padding of components and trailing empty "
        "components mean nothing; no wild card is added to a key",
    ),
    Choice(
        "Person names, fuzzy matching",
        "C.2.2.2.1.1",
        "If negotiated: a name matches too if each word of the key is found among its words, in "
        "any order and group, as the beginning of a word or by the same Metaphone code (the "
        "library jellyfish computes it); either kind of kana is the other, and a name in Han, kana "
        "or Hangul may be typed without the space between its parts",
    ),
    Choice(
        "Other text",
        "C.2.2.2.1",
        "Case-sensitive, accents count; compared in Unicode NFC; letters of any case with the "
        "switch",
        "--ignore-case",
    ),
    Choice(
        "Dates and times, single value",
        "C.2.2.2.1.3",
        "The interval that the key's precision leaves open",
    ),
    Choice(
        "IS, DS and binary numbers, single value",
        "C.2.2.2.1",
        "Equality of the numbers: `007` is `7`",
    ),
    Choice(
        "Ranges of dates and times",
        "C.2.2.2.5",
        "From the first instant of the lower bound's precision to the last of the upper's",
    ),
    Choice(
        "An empty stored value and a key with a value",
        "C.2.2.1.2, C.2.2.1.3",
        "No match. The letter of the Standard is a match; nearly every archive deviates, and "
        "users search by Accession Number",
        "--unknown-matches",
    ),
    Choice(
        "Several values in a key that is no UID, multiple value matching not negotiated",
        "C.2.2.2",
        "A match of any of them",
        "--several-values",
    ),
    Choice(
        "`*` alone in a UI key",
        "C.2.2.2.4",
        "Universal matching; A900 with the switch",
        "--strict",
    ),
    Choice(
        "Other wild cards in UI or numbers, malformed dates and times, a lower bound after the "
        "upper",
        "C.2.2.2",
        "A900 with Offending Element and Error Comment",
    ),
    Choice(
        "More than one item in a sequence key",
        "C.2.2.2.6",
        "A900",
    ),
    Choice(
        "Sequence matching, returned items",
        "C.2.2.2.6",
        "Those that match, reduced to the attributes of the request",
    ),
    Choice(
        "The unique key of an upper level missing, relational queries not negotiated",
        "C.4.1.2.1",
        "The query is treated as relational, and logged; A900 with the switch",
        "--strict",
    ),
    Choice(
        "Keys of a level below the query level",
        "C.4.1.3.2",
        "Some descendant must match, all keys in one chain; they are not returned, and the status"
        " is FF01; A900 with the switch",
        "--strict",
    ),
    Choice(
        "Optional keys",
        "C.2.2.1.3",
        "All attributes of a header are supported, private ones too",
    ),
    Choice(
        "More matches than the server is told to return",
        "C.4.1.3.1",
        "A700 after that many Pending responses, never 0000",
        "--result-limit",
    ),
    Choice(
        "Priority",
        "C.4.1.1.2",
        "Accepted and not considered",
    ),
    Choice(
        "Patient identity",
        "C.6.1.1.2",
        "Patient ID with Issuer of Patient ID",
    ),
    Choice(
        "Instances of one entity that disagree on its attributes",
        "C.3",
        "The value received last; the conflict is logged",
    ),
    Choice(
        "Studies of one patient that disagree on its attributes",
        "C.3.2, C.6.2",
        "Each study matches and returns those that it received last itself, under every model; a "
        "PATIENT response has the last ones of all; the disagreement is logged",
    ),
    Choice(
        "Specific Character Set of responses",
        "C.4.1.1.3.2",
        "None where the text is ASCII, else the request's where it holds the text, else ISO_IR 192",
    ),
    Choice(
        "8-bit text without Specific Character Set",
        "PS3.5 6.1.2",
        "In a file UTF-8 where valid, else Latin-1; in a request too, unless another set is named"
        " with the switch",
        "--default-charset",
    ),
    Choice(
        "Times without a zone",
        "C.2.2.2.5.4",
        "The zone that the index was made with (`dicomquest index --timezone`), UTC if not told "
        "otherwise",
    ),
    Choice(
        "Retrieve AE Title",
        "C.4.1.1.3.2",
        "The server's own AE title, or that of the archive which has the instances",
        "--retrieve-aet",
    ),
    Choice(
        "Instance Availability, if asked for",
        "C.4.1.1.3.2",
        "ONLINE",
    ),
)
