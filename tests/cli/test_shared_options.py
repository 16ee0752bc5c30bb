from __future__ import annotations

import click
import pytest

from dicomquest.cli.shared_options import ae_title, utc_offset


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("+0000", 0), ("-0130", -90), ("+0545", 345), ("+1400", 840), ("-1200", -720), (60, 60)],
)
def test_offset_is_read_as_minutes(text: str | int, minutes: int) -> None:
    assert utc_offset(text) == minutes


@pytest.mark.parametrize("text", ["+1500", "-1300", "+0160", "0100", "+1", "Z", ""])
def test_no_offset_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="no offset from UTC"):
        utc_offset(text)


@pytest.mark.requirement("UL-004", "UL-005")
def test_ae_title_loses_its_spaces() -> None:
    assert ae_title(" PACS 1 ") == "PACS 1"


@pytest.mark.requirement("UL-004")
@pytest.mark.parametrize("text", ["", "   ", "A\\B", "Ä", "12345678901234567", "A\tB"])
def test_no_ae_title_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="no AE title"):
        ae_title(text)
