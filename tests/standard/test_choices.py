"""The questions that the Standard leaves open, and our answers."""

from __future__ import annotations

import click
import pytest

from dicomquest.cli.serve_command import serve
from dicomquest.standard.choices import CHOICES


@pytest.mark.requirement("QR-173")
def test_every_switch_is_option_of_server() -> None:
    options = {
        name
        for parameter in serve.params
        if isinstance(parameter, click.Option)
        for name in parameter.opts
    }
    assert {choice.switch for choice in CHOICES if choice.switch} <= options


def test_each_question_is_answered_once_by_clause() -> None:
    questions = [choice.question for choice in CHOICES]
    assert len(set(questions)) == len(questions)
    for choice in CHOICES:
        assert choice.ours, choice.question
        assert choice.clause.startswith(("C.", "PS3.")), choice.question
