"""The table of a question as CSV (RFC 4180)."""

from __future__ import annotations

import csv
import io

from fixtures.web import Browser


def test_a_table_has_the_studies_of_the_question(browser: Browser) -> None:
    response = browser.request("GET", "/studies.csv?q=2024", {})
    lines = list(csv.DictReader(io.StringIO(response.content.decode("utf-8"))))
    assert [line["StudyInstanceUID"] for line in lines] == ["1.2.3", "1.2.2", "1.2.1"]
    assert lines[1]["PatientName"] == "Yamada^Tarou=山田^太郎"
    assert response.headers["content-disposition"] == 'attachment; filename="studies.csv"'


def test_an_unclear_question_has_no_table(browser: Browser) -> None:
    assert browser.request("GET", "/studies.csv?q=05/03/2024", {}).status_code == 400
