"""Error Comments (0000,0902) of all services: short on purpose, never cut in the middle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import chain, combinations
from pathlib import Path

import pytest
from pydicom.datadict import dictionary_VR, tag_for_keyword

import dicomquest
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.dimse.performer import REFUSALS
from dicomquest.errors import LONGEST_COMMENT, IdentifierError
from dicomquest.federation.shortfall import EndKind, SourceEnd, final_of
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.identifier.worklist_identifier import parse_worklist
from dicomquest.query.options import QueryOptions
from dicomquest.standard.models import STUDY_ROOT
from dicomquest.standard.step_attributes import DATES_AND_TIMES, NEEDED, NEEDED_AT_END, STATUS
from dicomquest.worklist.performed_step import StepError, changed_step, new_step
from fixtures.performed_steps import ended, performed

COMMENTED = {"IdentifierError", "StepError", "StoreError", "Failure", "_rejected", "send_final"}
"""The calls whose words become an Error Comment."""

AS_LONG = 8
"""Characters that a value in the middle of a comment is taken to have: most are numbers."""

WRONG = {
    "DA": ["2024-01-05", "20241301", "20240105-20240101", "x", "20240105-2024-", "20240230"],
    "TM": ["25", "1011:", "9", "10-9"],
    "DT": ["x", "20241301", "2024-01-01"],
    "UI": ["1.2.*", "1..2", "1" * 70],
    "PN": ["A=B=C=D", "*" * 80, "a*\\b"],
    "LO": ["*" * 60, "x" * 2000 + "*"],
    "IS": ["x"], "DS": ["x"], "AS": ["12X"], "AT": ["zz"], "CS": ["*" * 60],
}  # fmt: skip
KEYS = (
    "StudyDate", "StudyTime", "AcquisitionDateTime", "StudyInstanceUID", "PatientName",
    "PatientID", "SeriesNumber", "PatientWeight", "PatientAge", "NameOfPhysiciansReadingStudy",
    "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime", "FrameIncrementPointer",
    "Modality", "ScheduledProcedureStepStartDateTime", "PatientBirthDateInAlternativeCalendar",
    "QueryRetrieveLevel", "ProcedureCodeSequence", "TimezoneOffsetFromUTC",
    "IssuerOfClinicalTrialSubjectReadingID",
)  # fmt: skip


def text_of(node: ast.AST) -> str | None:
    """Return a literal, with letters in the place of values; None for what is no text."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(text_of(each) or "x" * AS_LONG for each in values)
    return None


def written_comments() -> Iterator[tuple[str, str]]:
    """Yield the comments that stand in the code, with their places."""
    root = Path(dicomquest.__file__).parent
    for path in root.rglob("*.py"):
        if path.is_relative_to(root / "web"):
            continue  # a problem by HTTP is as long as it needs
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", None) or getattr(node.func, "attr", "")
            for argument in node.args if name in COMMENTED else ():
                if text := text_of(argument):
                    yield f"{path.relative_to(root)}:{node.lineno}", text


def test_comments_of_the_code_fit() -> None:
    comments = list(written_comments())
    assert len(comments) > 40
    comments += [("performer", each.comment) for each in REFUSALS]
    assert not [row for row in comments if len(row[1]) > LONGEST_COMMENT]


def failures_of(identifier: DataSet) -> Iterator[IdentifierError]:
    for options in (
        QueryOptions(), QueryOptions(strict=True), QueryOptions(multiple_value=True),
    ):  # fmt: skip
        try:
            parse_identifier(identifier, STUDY_ROOT.uid, options)
            parse_worklist(identifier, options)
        except IdentifierError as error:
            yield error


@pytest.mark.parametrize("keyword", KEYS)
def test_wrong_values_have_whole_comments(keyword: str) -> None:
    tag, vr = tag_for_keyword(keyword), dictionary_VR(keyword)
    assert tag is not None
    for value in [*WRONG.get(vr, []), "x" * 100, '""', '"a"\\b', "a\\b"]:
        element = Element("LO" if vr == "SQ" else vr, tuple(value.split("\\")))
        identifier = dict(sorted({0x00080052: Element("CS", ("STUDY",)), tag: element}.items()))
        for error in failures_of(identifier):
            assert 0 < len(error.comment) <= LONGEST_COMMENT
            # The value itself may have dots; none stand at the end.
            assert not error.comment.endswith("..."), str(error)


def test_steps_have_whole_comments() -> None:
    whole = performed()
    for count in (1, 2, 3, len(NEEDED)):
        for tags in combinations(NEEDED, count):
            for change in (
                {tag: each for tag, each in whole.items() if tag not in tags},
                whole | {tag: Element(NEEDED[tag], ()) for tag in tags},
            ):
                assert_step_fails(lambda change=change: new_step(change))
    for status in ("COMPLETED", "DISCONTINUED", "DONE", "x" * 16):
        wrong = whole | {STATUS: Element("CS", (status,))}
        assert_step_fails(lambda wrong=wrong: new_step(wrong))
    for tag in chain(NEEDED, NEEDED_AT_END, DATES_AND_TIMES):
        wrong = whole | {tag: Element("LT", ("?",))}
        assert_step_fails(lambda wrong=wrong: new_step(wrong))
    over, _ = changed_step(new_step(whole), ended())
    assert_step_fails(lambda: changed_step(over, ended()))


def assert_step_fails(act: object) -> None:
    assert callable(act)
    with pytest.raises(StepError) as caught:
        act()
    assert 0 < len(caught.value.comment) <= LONGEST_COMMENT


@pytest.mark.parametrize("count", [1, 2, 3, 8, 30])
def test_upstreams_that_fall_short_are_counted(count: int) -> None:
    kinds = list(EndKind)[1:-1]
    ends = [SourceEnd(f"archive-{at}", kinds[at % 3]) for at in range(count)]
    comment = final_of(ends).comment
    assert comment.startswith("incomplete: archive-0")
    assert len(comment) <= LONGEST_COMMENT
    named = sum(f"archive-{at}" in comment.replace(",", "").split() for at in range(count))
    assert named == count or comment.endswith(f" and {count - named} more")
