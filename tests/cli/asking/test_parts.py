"""--split auto: all studies of a peer that cuts each answer off, each once."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from dicomquest.cli import main
from fixtures.capped_archive import CAP, COUNT, Sorted
from fixtures.faces import HOST
from fixtures.misbehaving import answering_each, listening


def find(port: int, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["find", HOST, str(port), *arguments])


@pytest.mark.parametrize(("status", "count"), [(0x0000, COUNT), (0xA700, 2_000)])
def test_all_studies_past_a_cap_of_500(status: int, count: int) -> None:
    """Each study comes once, and the command says that the list is complete."""
    archive = Sorted(status=status, count=count)
    with listening(answering_each(archive)) as port:
        result = find(port, "StudyInstanceUID", "--split", "auto", "--format", "jsonl")
    assert result.exit_code == 0, result.stderr
    found = [json.loads(line)["StudyInstanceUID"] for line in result.stdout.splitlines()]
    assert len(found) == count
    assert set(found) == {f"1.2.{number}" for number in range(count)}
    assert f"{count:,} studies in " in result.stderr
    assert "no part is at the peer's limit of 500: the list is complete." in result.stderr
    assert "Note: studies without a Study Date, if there are any, are in no part." in result.stderr
    assert archive.asked < 500


def test_cap_that_cannot_be_got_under_is_said() -> None:
    """A peer that ignores times has all studies on one day: that is said."""
    with listening(answering_each(Sorted(same_second=True))) as port:
        result = find(port, "StudyInstanceUID", "--split", "auto", "--format", "jsonl")
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == CAP
    assert "Error: the list is incomplete: the peer ends at 500 answers" in result.stderr
    assert "cannot be asked for less than: 20" in result.stderr
    assert "(the peer ignores Study Time)" in result.stderr


def test_cap_is_named_without_split() -> None:
    with listening(answering_each(Sorted())) as port:
        result = find(port, "StudyInstanceUID", "--format", "jsonl")
    assert result.exit_code == 0
    assert "Warning: exactly 500 answers: the peer probably stops there." in result.stderr
    assert "--split auto fetches the rest." in result.stderr


def test_peer_that_cuts_nothing_is_asked_once() -> None:
    archive = Sorted()
    with listening(answering_each(archive)) as port:
        result = find(port, f"StudyDate={archive.days[0]}", "--split", "auto", "--format", "jsonl")
    assert result.exit_code == 0, result.stderr
    assert archive.asked == 1
    assert "the peer cut nothing off." in result.stderr
